/// \file detail/network_file_system.hpp  Whether a folder lies on another machine, where locks and fsync can't be relied on.
#pragma once
#include <sys/stat.h>
#include <sys/statfs.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace sluice { inline namespace v0 { namespace detail {

/// The file system's name by the number that statfs gives (statfs(2)); empty: none of the network's.
inline std::string_view network_file_system(unsigned long magic) {
  switch (magic) {
    case 0x6969:
      return "NFS";
    case 0x517B:
      return "SMB";
    case 0xFF534D42:
      return "CIFS";
    case 0xFE534D42:
      return "SMB2";
    case 0x5346414F:
    case 0x6B414653:
      return "AFS";
    case 0x73757245:
      return "Coda";
    case 0x564C:
      return "NCP";
    case 0x00C36400:
      return "Ceph";
    default:
      return {};
  }
}

/// The same for file systems in user space, which all share one number: by the type in /proc/self/mountinfo.
inline bool is_network_fuse(std::string_view type) {
  for (std::string_view const remote :
       {"sshfs", "s3fs", "rclone", "glusterfs", "davfs2", "cephfs", "gcsfuse", "smbnetfs"})
    if (type == std::string("fuse.").append(remote)) return true;
  return false;
}

// glibc's packing of dev_t. Its own header for it would define macros named major and minor in users' code.
constexpr std::uint64_t device_major(std::uint64_t d) { return ((d >> 8) & 0xfff) | ((d >> 32) & 0xfffff000); }
constexpr std::uint64_t device_minor(std::uint64_t d) { return (d & 0xff) | ((d >> 12) & 0xffffff00); }

/// The type in a line of mountinfo (proc(5)) if it is about `device` ("major:minor"); empty otherwise.
inline std::string_view mount_type(std::string_view line, std::string_view device) {
  auto word = [](std::string_view& rest) {
    auto const end = rest.find(' ');
    auto const first = rest.substr(0, end);
    rest = end == rest.npos ? std::string_view{} : rest.substr(end + 1);
    return first;
  };
  auto rest = line;
  word(rest);
  word(rest);
  if (word(rest) != device) return {};
  auto const dash = rest.find(" - ");
  if (dash == rest.npos) return {};
  rest.remove_prefix(dash + 3);
  return word(rest);
}

/// The name of the network file system on which `folder` lies; empty where it lies on none, or none that can be told.
inline std::string network_file_system(std::string const& folder) {
  struct statfs fs{};
  struct stat there{};
  if (::statfs(folder.c_str(), &fs) != 0 || ::stat(folder.c_str(), &there) != 0) return {};
  if (auto const name = network_file_system(static_cast<unsigned long>(fs.f_type) & 0xFFFFFFFF); !name.empty())
    return std::string(name);
  if (fs.f_type != 0x65735546) return {};  // FUSE
  auto const device = std::to_string(device_major(there.st_dev)) + ":" + std::to_string(device_minor(there.st_dev));
  std::string found;
  if (auto* mounts = std::fopen("/proc/self/mountinfo", "re")) {
    char* line = nullptr;
    std::size_t room = 0;
    for (ssize_t n = 0; (n = ::getline(&line, &room, mounts)) > 0;)
      if (auto const type = mount_type({line, static_cast<std::size_t>(n) - 1}, device); is_network_fuse(type))
        found = type;
    std::free(line);
    std::fclose(mounts);
  }
  return found;
}

}}}  // namespace sluice::v0::detail
