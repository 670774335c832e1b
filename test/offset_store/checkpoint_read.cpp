#include <sluice/offset_store/checkpoint_read.hpp>

#include "checkpoint_support.hpp"
#include "reading.hpp"

namespace {

struct fixture {
  using store = sl::checkpoint::runtime;
  temporary_folder place{};
  sl::checkpoint config{.directory = place.name()};

  sl::context context() const { return {}; }
  std::unique_ptr<store> open() { return open_checkpoint(config); }
  void newer() {
    auto const file = newest_generation(place.path);
    auto bytes = content_of(file);
    bytes[8] = 2;
    auto crc = sl::detail::crc32c(bytes.substr(16), sl::detail::crc32c(bytes.substr(0, 12)));
    for (std::size_t i = 12; i < 16; ++i, crc >>= 8) bytes[i] = static_cast<char>(crc & 0xFF);
    write_file(file, bytes);
  }
};

}  // namespace

TEST_CASE("positions in a checkpoint are read without a claim") { reading::holds<fixture>(); }

TEST_CASE("reading a checkpoint makes no file") {
  fixture f;
  CHECK(reading::read(f).empty());
  CHECK(fs::is_empty(f.place.path));
  sl::for_each_state<std::string, std::int64_t>(f.config, {.group = "billing"}, "counts",
                                                [](auto const&...) { FAIL(); });
  CHECK(fs::is_empty(f.place.path));
  f.config.directory.clear();
  CHECK_THAT(error_of([&] { reading::read(f); }).text, ContainsSubstring("checkpoint.directory is empty"));
}

TEST_CASE("another program reads state and results while the consumer goes on") {
  fixture f;
  checkpoint_worker w{f.config};
  auto const key = [](std::string const& text) { return "k" + sl::encoded(text); };
  for (int i = 0; i < 40; ++i) w.put(key("n" + std::to_string(i % 3)), sl::encoded(std::int64_t{i}));
  w.batch([&](auto& tx, std::int64_t) { tx.append("lines", w.mine.of, "a line\n"); });
  auto const generation = newest_generation(f.place.path);
  std::map<std::string, std::int64_t> found;
  sl::for_each_state<std::string, std::int64_t>(
      f.config, {.group = "billing"}, "counts",
      [&](auto const&, std::string const& k, std::int64_t n) { found[k] = n; });
  CHECK(found == std::map<std::string, std::int64_t>{{"n0", 39}, {"n1", 37}, {"n2", 38}});
  CHECK(sl::read_checkpoint_text(f.config.directory, "lines") == "a line\n");
  CHECK(newest_generation(f.place.path) == generation);
  for (auto const& [group, name] : {std::pair{"other", "counts"}, {"billing", "others"}})
    sl::for_each_state<std::string, std::int64_t>(f.config, {.group = group}, name, [](auto const&...) { FAIL(); });
  CHECK(error_of([&] {
          sl::for_each_state<std::string, std::string>(f.config, {.group = "billing"}, "counts", [](auto const&...) {});
        }).code == sl::errc::store_damaged);
}
