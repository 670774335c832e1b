#include <sluice/source/constant.hpp>

#include <sluice/on_failure/skip.hpp>

#include "source/constant_records.hpp"

TEST_CASE("so many times, then closed; a restart finds nothing left") {
  temporary_folder const f;
  noted seen;
  {
    auto c = start<sl::at_least_once>(f, abc(2));
    REQUIRE(to_the_end(c, seen.handler()));
    CHECK(c.positions() == std::vector<sl::position>{{{"constant", 0}, offset{6}}});
    CHECK(c.lag().at(0).records == 0);
  }
  CHECK(seen.lines == texts{"a", "b", "c", "a", "b", "c"});
  CHECK(seen.offsets == std::vector<std::int64_t>{0, 1, 2, 3, 4, 5});
  auto c = start<sl::at_least_once>(f, abc(2));
  REQUIRE(to_the_end(c, seen.handler()));
  CHECK(seen.lines.size() == 6);
}

TEST_CASE("for ever, up to an offset; each end of its own; nothing where none is named") {
  temporary_folder const f;
  auto s = abc(0);
  s.until = read_until::offset(offset{7});
  noted seen;
  {
    auto c = start<sl::at_least_once>(f, s);
    REQUIRE(to_the_end(c, seen.handler()));
  }
  CHECK(seen.lines.size() == 7);
  s.until = read_until::each({{{"constant", 0}, offset{8}}});
  {
    auto c = start<sl::at_least_once>(f, s);
    REQUIRE(to_the_end(c, seen.handler()));
  }
  CHECK(seen.lines.size() == 8);
  s.until = read_until::each({{{"another", 0}, offset{100}}});
  auto c = start<sl::at_least_once>(f, s);
  REQUIRE(to_the_end(c, seen.handler()));
  CHECK(seen.lines.size() == 8);
}

TEST_CASE("each record by itself, and what fails is skipped") {
  temporary_folder const f;
  texts seen;
  auto c = start<sl::at_least_once>(f, abc(), sl::skip{});
  REQUIRE(to_the_end(c, sl::each([&](sl::record r) {
                       if (r.has_key()) throw std::runtime_error("no");
                       seen.emplace_back(r.text());
                     })));
  CHECK(seen == texts{"a", "c"});
}

TEST_CASE("bad input") {
  temporary_folder const f;
  CHECK(code_of([&] { start<sl::at_least_once>(f, {.group = "g"}); }) == sl::errc::bad_configuration);
  CHECK(code_of([&] { start<sl::at_least_once>(f, abc(-1)); }) == sl::errc::bad_configuration);
  for (auto const times : {INT64_MAX, INT64_MAX / 3 + 1})
    CHECK(code_of([&] { start<sl::at_least_once>(f, abc(times)); }) == sl::errc::bad_configuration);
  auto nameless = abc();
  nameless.group.clear();
  CHECK(complaint([&] { start<sl::at_least_once>(f, nameless); }).find(".group") != std::string::npos);
  auto must = abc();
  must.start = sl::start_at::must_exist;
  auto c = start<sl::at_least_once>(f, must);
  CHECK(code_of([&] { c.step([](sl::batch const&) {}); }) == sl::errc::no_position);
}

static_assert(sl::source_runtime<constant_source::runtime> && !sl::grouped_source<constant_source::runtime>);
static_assert(sl::local_log<sl::constant_log<void>>);
