#include <sluice/offset_store/file_read.hpp>

#include "detail/temporary_folder.hpp"
#include "reading.hpp"

namespace sl = sluice;

namespace {

struct fixture {
  using store = sl::file_offsets::runtime;
  temporary_folder place{};
  sl::file_offsets config{.directory = place.name()};

  sl::context context() const { return {}; }
  std::unique_ptr<store> open() { return std::make_unique<store>(sl::detail::posix_files{}, config, "billing"); }
  std::filesystem::path newest() const {
    std::filesystem::path newest;
    for (auto const& file : std::filesystem::directory_iterator{place.path}) newest = std::max(newest, file.path());
    return newest;
  }
  /// The version stands behind the magic; the checksum covers it.
  void newer() {
    auto bytes = content_of(newest());
    bytes[8] = 2;
    auto crc = sl::detail::crc32c(bytes.substr(16), sl::detail::crc32c(bytes.substr(0, 12)));
    for (std::size_t i = 12; i < 16; ++i, crc >>= 8) bytes[i] = static_cast<char>(crc & 0xFF);
    write_file(newest(), bytes);
  }
};

}  // namespace

TEST_CASE("positions in a folder of files are read without a claim") { reading::holds<fixture>(); }

TEST_CASE("reading makes no file") {
  fixture f;
  CHECK(reading::read(f).empty());
  CHECK(std::filesystem::is_empty(f.place.path));
  f.config.directory = f.place.name() + "/none";
  CHECK_THROWS_WITH(reading::read(f), Catch::Matchers::ContainsSubstring("can't open the folder"));
}
