/// \file detail/network_files.hpp  Tells whether a folder lies on another machine, where the kernel says so.
#pragma once
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>

namespace sluice { inline namespace v0 { namespace detail {

/// The type of a mounted file system, after /proc/self/mountinfo; empty where it isn't there.
inline std::string mounted_type(::dev_t device) {
  std::ifstream mounts{"/proc/self/mountinfo"};
  // As glibc packs a device; its own header for that defines the macros `major` and `minor`.
  auto const bits = static_cast<std::uint64_t>(device);
  auto const major_number = (bits >> 8 & 0xFFF) | (bits >> 32 & 0xFFFFF000);
  auto const minor_number = (bits & 0xFF) | (bits >> 12 & 0xFFFFFF00);
  auto const wanted = std::to_string(major_number) + ":" + std::to_string(minor_number);
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words{line};
    std::string id, parent, numbers, word, type;
    words >> id >> parent >> numbers;
    while (words >> word && word != "-") {}
    if (numbers == wanted && words >> type) return type;
  }
  return {};
}

/// A name for the network file system that `path` lies on; empty: local, or not to be told. Of those in user space
/// only the ones that name themselves are known.
inline std::string network_file_system(std::string const& path) {
  struct statfs s{};
  struct stat file{};
  if (::statfs(path.c_str(), &s) != 0 || ::stat(path.c_str(), &file) != 0) return {};
  switch (static_cast<std::uint32_t>(s.f_type)) {
    case 0x6969:
      return "NFS";
    case 0x517B:
    case 0xFE534D42:
    case 0xFF534D42:
      return "SMB";
    case 0x5346414F:
      return "AFS";
    case 0x73757245:
      return "Coda";
    case 0x00C36400:
      return "Ceph";
    case 0x0BD00BD0:
      return "Lustre";
    case 0x65735546:
      break;  // in user space
    default:
      return {};
  }
  auto const type = mounted_type(file.st_dev);
  for (auto const* const remote : {"sshfs", "s3fs", "gcsfuse", "rclone", "glusterfs", "ceph", "davfs", "curlftpfs"})
    if (type.find(remote) != std::string::npos) return type;
  return {};
}

}}}  // namespace sluice::v0::detail
