#include <sluice/detail/network_file_system.hpp>

#include "catch.hpp"

namespace detail = sluice::detail;

TEST_CASE("file systems of the network are told by the number that statfs gives") {
  CHECK(detail::network_file_system(0x6969ul) == "NFS");
  CHECK(detail::network_file_system(0xFF534D42ul) == "CIFS");
  CHECK(detail::network_file_system(0xFE534D42ul) == "SMB2");
  CHECK(detail::network_file_system(0x517Bul) == "SMB");
  CHECK(detail::network_file_system(0xEF53ul).empty());      // ext4
  CHECK(detail::network_file_system(0x01021994ul).empty());  // tmpfs
}

TEST_CASE("those in user space by their type in mountinfo") {
  std::string const line = "36 35 0:49 / /mnt/far rw,nosuid shared:5 - fuse.sshfs me@far:/data rw,user_id=0";
  CHECK(detail::mount_type(line, "0:49") == "fuse.sshfs");
  CHECK(detail::mount_type(line, "0:4").empty());
  CHECK(detail::mount_type("36 35 0:49 / /mnt", "0:49").empty());
  CHECK(detail::mount_type("", "0:49").empty());
  CHECK(detail::is_network_fuse("fuse.sshfs"));
  CHECK_FALSE(detail::is_network_fuse("fuse.ntfs3g"));
  CHECK_FALSE(detail::is_network_fuse("sshfs"));
}

TEST_CASE("a folder of this machine lies on none, nor does one that is not there") {
  CHECK(detail::network_file_system(std::string{"/proc"}).empty());
  CHECK(detail::network_file_system(std::string{"/no/such/folder"}).empty());
}
