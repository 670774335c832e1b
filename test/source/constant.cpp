#include <sluice/source/constant.hpp>

#include <sluice/on_failure/skip.hpp>

#include "source/consuming.hpp"

using namespace consuming;
using sl::constant_source;
using sl::offset;
using sl::read_until;

namespace {
constant_source abc(std::int64_t times = 1) {
  return {.records = {{"a"}, {"b", "key"}, {"c"}}, .times = times, .group = "g"};
}
template <class Delivery, class... More>
auto start(temporary_folder const& f, constant_source const& s, More const&... more) {
  return sl::stream_consumer<Delivery, sl::file_offsets, constant_source, More...>{
      s, sl::file_offsets{.directory = f.name()}, more...};
}
}  // namespace

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

TEST_CASE("run() returns at the end, and goes on where it was stopped") {
  temporary_folder const f;
  texts seen;
  struct never {
    bool stop_requested() const { return false; }
  };
  for (int i = 0; i < 2; ++i) {
    auto c = start<sl::transactional>(f, abc(2), sl::micro_batch{.max_records = 2});
    if (i == 0)
      c.step([&](sl::batch const& b, auto& tx) {
        for (auto const r : b) seen.emplace_back(r.text());
        tx.put("n", std::to_string(b.size()));
      });
    else
      c.run(never{}, [&](sl::batch const& b, auto&) {
        for (auto const r : b) seen.emplace_back(r.text());
      });
  }
  CHECK(seen == texts{"a", "b", "c", "a", "b", "c"});
}

TEST_CASE("a batch whose handler fails comes again, the same") {
  temporary_folder const f;
  auto c = start<sl::at_least_once>(f, abc(), sl::micro_batch{.max_records = 2});
  int calls = 0;
  noted seen;
  auto const h = [&](sl::batch const& b) {
    if (++calls == 1) throw std::runtime_error("no");
    seen.handler()(b);
  };
  CHECK_THROWS_AS(c.step(h), std::runtime_error);
  REQUIRE(to_the_end(c, h));
  CHECK(seen.lines == texts{"a", "b", "c"});
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

TEST_CASE("seek goes back; where a group starts") {
  temporary_folder const f;
  noted seen;
  auto s = abc();
  s.start = sl::start_at::at(offset{1});
  auto c = start<sl::at_least_once>(f, s);
  REQUIRE(to_the_end(c, seen.handler()));
  CHECK(seen.lines == texts{"b", "c"});
  c.seek({"constant", 0}, offset{2});
  REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 3; }));
  CHECK(seen.lines.back() == "c");
  CHECK(seen.offsets.back() == 2);
}

TEST_CASE("a position that is no good is an error, or goes on by policy") {
  temporary_folder const f;
  noted seen;
  {
    auto c = start<sl::at_least_once>(f, abc(2));
    REQUIRE(to_the_end(c, seen.handler()));
  }
  {
    auto c = start<sl::at_least_once>(f, abc(1));  // shorter than the position
    CHECK(code_of([&] { c.step(seen.handler()); }) == sl::errc::out_of_range);
  }
  auto other = abc(3);
  other.records[2].value = "C";  // the record that was consumed last
  {
    auto c = start<sl::at_least_once>(f, other);
    CHECK(code_of([&] { c.step(seen.handler()); }) == sl::errc::position_truncated);
  }
  other.on_position_error = sl::position_error::earliest;
  seen = {};
  auto c = start<sl::at_least_once>(f, other);
  REQUIRE(to_the_end(c, seen.handler()));
  CHECK(seen.lines.size() == 9);
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
