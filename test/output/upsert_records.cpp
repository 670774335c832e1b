#include <sluice/output/upsert_records.hpp>

#include "catch.hpp"
#include "some_records.hpp"

TEST_CASE("an upsert's columns are named once, and none of them is the library's") {
  auto const names = [](std::vector<std::string> const& key, std::vector<std::string> const& columns) {
    return sl::detail::upsert_names("an_upsert", key, columns, [](std::string const&, std::string const&) {});
  };
  CHECK(names({"k"}, {"a", "b"}) == std::vector<std::string>{"k", "a", "b"});
  CHECK(error_of([&] { names({}, {"a"}); }).code == sl::errc::bad_configuration);
  CHECK(error_of([&] { names({"a"}, {"a"}); }).code == sl::errc::bad_configuration);
  CHECK(error_of([&] { names({"k"}, {"sluice_x"}); }).code == sl::errc::bad_configuration);
}

TEST_CASE("the mapping gets each record, and its partition is known meanwhile") {
  some_records r{{"orders", 3}};
  r.add(1, "a", "x").add(2, "b", "y");
  sl::detail::mapped_record at;
  std::vector<std::string> seen;
  auto map = [&](sl::record one, std::vector<std::string>& row) {
    CHECK(at.now.offset() == one.offset());
    row.push_back(at.partition + " " + std::string(one.key_text()));
  };
  sl::detail::map_batch(r.batch(), at, map, seen);
  CHECK(seen == std::vector<std::string>{"orders/3 a", "orders/3 b"});
}
