#include <sluice/output/objects.hpp>

#include <sluice/delivery/idempotent.hpp>

#include "catch.hpp"
#include "detail/temporary_folder.hpp"
#include "some_records.hpp"

namespace {

sl::topic_partition const orders{"orders", 0};

some_records a_few(std::int64_t from, std::int64_t until) {
  some_records r{orders, 7};
  for (auto at = from; at < until; ++at)
    r.add(at, at % 2 ? std::optional<std::string>{"k" + std::to_string(at)} : std::nullopt,
          at % 3 ? std::optional<std::string>{std::string(static_cast<std::size_t>(at % 50), '\0')} : std::nullopt,
          {{"h", std::to_string(at)}, {"", std::nullopt}});
  return r;
}
sl::kept_record kept(std::int64_t at) {
  sl::kept_record k{.at = sl::offset{at}, .time = sl::wall_time{std::chrono::milliseconds{1'700'000'000'000 + at}}};
  if (at % 2) k.key = "k" + std::to_string(at);
  if (at % 3) k.value = std::string(static_cast<std::size_t>(at % 50), '\0');
  k.headers = {{"h", std::to_string(at)}, {"", std::nullopt}};
  return k;
}

template <class Codec = sl::record_codec>
std::vector<sl::kept_record> all_in(std::string const& directory, Codec const& codec = {}) {
  std::vector<sl::kept_record> all;
  sl::read_objects(directory, orders, [&](sl::kept_record r) { all.push_back(std::move(r)); }, codec);
  return all;
}
std::filesystem::path only_file(temporary_folder const& folder) {
  return sl::list_files(folder.name(), orders).at(0).path;
}

struct numbers {
  static constexpr std::uint32_t version = 3;
  void write(sl::record const& r, std::string& out) const { out += std::to_string(r.offset().value()); }
  std::pair<int, std::uint32_t> read(std::string_view in, std::uint32_t v) const {
    return {std::stoi(std::string{in}), v};
  }
};
struct earlier : sl::record_codec {
  static constexpr std::uint32_t version = 0;
};

}  // namespace

TEST_CASE("records are read as they were, each once, however often they were written") {
  STATIC_REQUIRE(sl::idempotent_output<sl::objects_by_range<>>);
  temporary_folder folder;
  {
    sl::objects_by_range out{folder.name()};
    out(a_few(0, 100).batch());
  }
  sl::objects_by_range out{folder.name()};
  out(a_few(50, 120).batch());
  auto const all = all_in(folder.name());
  REQUIRE(all.size() == 120);
  for (std::int64_t i = 0; i < 120; ++i) CHECK(all[static_cast<std::size_t>(i)] == kept(i));
  CHECK(only_file(folder).string().ends_with("/00000000000000000100.objects"));
  CHECK(all_in(folder.name() + "/none").empty());
}

TEST_CASE("a codec of one's own, which is told the version that a file has") {
  temporary_folder folder;
  sl::objects_by_range out{folder.name(), numbers{}};
  out(a_few(3, 5).batch());
  std::vector<std::pair<int, std::uint32_t>> all;
  sl::read_objects(folder.name(), orders, [&](auto one) { all.push_back(one); }, numbers{});
  CHECK(all == std::vector<std::pair<int, std::uint32_t>>{{3, 3}, {4, 3}});
}

TEST_CASE("a file of the first version is read") {
  auto const golden = std::filesystem::path{SLUICE_SOURCE_DIR} / "test/golden/objects.v1";
  temporary_folder folder;
  sl::objects_by_range out{folder.name()};
  out(a_few(0, 4).batch());
  CHECK(content_of(only_file(folder)) == content_of(golden));
}

TEST_CASE("a file that is not whole, or was changed, is an error that names it") {
  temporary_folder folder;
  {
    sl::objects_by_range out{folder.name()};
    out(a_few(0, 10).batch());
  }
  auto const file = only_file(folder);
  auto const whole = content_of(file);
  auto const told = [&](std::string const& text) {
    write_file(file, text);
    return error_of([&] { all_in(folder.name()); });
  };
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    auto const e = told(whole.substr(0, cut));
    CHECK(e.code == sl::errc::store_damaged);
    CHECK_THAT(e.text, ContainsSubstring(file.string()));
  }
  for (std::size_t at = 0; at < whole.size(); ++at)
    for (auto const bit : {1, 128}) {
      auto changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ bit);
      INFO(at);
      CHECK(told(changed).code.has_value());
    }
  CHECK(told(whole + "x").code == sl::errc::store_damaged);
  auto newer = whole;
  newer[8] = 2;
  CHECK(told(newer).code == sl::errc::store_newer);
  write_file(file, whole);
  CHECK(error_of([&] { all_in(folder.name(), earlier{}); }).code == sl::errc::store_newer);
  CHECK(all_in(folder.name()).size() == 10);
}
