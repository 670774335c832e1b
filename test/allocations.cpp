// The library allocates for a batch, never for a record.
#include <sluice/source/constant.hpp>
#include <sluice/source/union.hpp>

#include "catch.hpp"
#include "counted_new.hpp"
#include "scripted_consumer.hpp"

#include <array>

using namespace scripted;

namespace {

/// Looks at everything that a record has, and keeps nothing.
struct reader {
  std::size_t* sum;
  void operator()(sl::record r) const {
    *sum += r.key().size() + r.value().size() + r.topic().size() +
            static_cast<std::size_t>(r.timestamp().time_since_epoch().count() & 1);
    for (auto const& h : r.headers()) *sum += h.name.size() + h.value.size();
  }
  template <class Transaction>
  void operator()(sl::record r, Transaction&) const {
    (*this)(r);
  }
};
struct batch_reader {
  using idempotent_output = void;
  std::size_t* sum;
  void operator()(sl::batch const& b) const {
    for (auto const& r : b) reader{sum}(r);
    for (auto const& part : b.partitions())
      for (auto const& r : part) *sum += r.text().size();
  }
  void operator()(sl::batch const& b, offsets::transaction&) const { (*this)(b); }
};

/// In a step that hands over `records`, once everything has its room.
template <class Consumer, class Handler>
std::size_t allocated(outside& o, Consumer& c, std::size_t records, Handler& handler) {
  for (int round = 0;; ++round) {
    for (std::size_t i = 0; i < records; ++i)
      o.world.produce(i % 2 ? p0 : p1).headers = {{"trace", "0123456789abcdef"}};
    auto const before = allocations.load();
    auto const result = c.step(handler);
    auto const n = allocations - before;
    REQUIRE(result.records == records);
    if (round == 2) return n;
  }
}

template <class Delivery, class Handler>
void same_for_any_number(Handler handler) {
  outside o{2};
  auto c = o.start<Delivery>(sl::micro_batch{.max_records = 1'000'000, .max_bytes = 1u << 30});
  o.world.assign({p0, p1});
  c.step(handler);
  auto const large = allocated(o, c, 100'000, handler);
  auto const small = allocated(o, c, 1'000, handler);
  CHECK(small == large);
  CHECK(large < 100);
}

}  // namespace

TEST_CASE("a batch of 100,000 records allocates what one of 1,000 does") {
  std::size_t sum = 0;
  batch_reader const whole{&sum};
  auto each = sl::each(reader{&sum});
  same_for_any_number<sl::at_most_once>(whole);
  same_for_any_number<sl::at_most_once>(each);
  same_for_any_number<sl::at_least_once>(whole);
  same_for_any_number<sl::at_least_once>(each);
  same_for_any_number<sl::idempotent>(whole);
  same_for_any_number<sl::transactional>(whole);
  same_for_any_number<sl::transactional>(each);
  CHECK(sum > 0);
}

TEST_CASE("whatever allocation of a step fails, each record comes, as what it is") {
  bool failed = true;
  for (long n = 0; failed; ++n) {
    INFO("allocation " << n);
    REQUIRE(n < 1000);
    outside o{2};
    constexpr std::int64_t most = 4000;
    std::array<std::vector<bool>, 2> seen{std::vector<bool>(most), std::vector<bool>(most)};
    std::string wrong;
    auto const look = [&](sl::batch const& b) {
      for (auto const& r : b) {
        of_t const of{std::string{r.topic()}, r.partition()};
        seen.at(static_cast<std::size_t>(r.partition())).at(static_cast<std::size_t>(r.offset().value())) = true;
        if (r.text() != to_string(of) + "@" + std::to_string(r.offset().value()))
          wrong = std::string{r.text()} + " came as " + to_string(of) + "@" + std::to_string(r.offset().value());
      }
    };
    std::int64_t made = 0;
    auto const produce = [&](std::int64_t records) {
      for (; records > 0; --records, ++made)
        for (auto const& of : {p0, p1}) o.world.produce(of, to_string(of) + "@" + std::to_string(made));
    };
    auto c = o.start<sl::at_least_once>(sl::micro_batch{.max_records = 1'000'000, .max_bytes = 1u << 30});
    o.world.assign({p0, p1});
    produce(3);
    drain_log(c, look);
    produce(3000);
    failed = false;
    until_failure = n;
    try {
      c.step(look);
    } catch (std::bad_alloc const&) { failed = true; }
    until_failure = -1;
    produce(3);
    for (int i = 0; i < 20; ++i) c.step(look, std::chrono::seconds{1});
    CHECK(wrong == "");
    for (auto const& of : {p0, p1}) {
      auto const& there = seen.at(static_cast<std::size_t>(of.partition));
      CHECK(std::count(there.begin(), there.end(), true) == made);
      CHECK(o.disk.rows[of].next == sl::offset{made});
    }
  }
}

TEST_CASE("whatever allocation of a step fails, each record of a union goes back to the source that it is from") {
  bool failed = true;
  for (long n = 0; failed || n < 2; ++n) {
    INFO("allocation " << n / 2);
    REQUIRE(n < 2000);
    outside o{1};
    std::size_t seen = 0;
    auto const look = [&](sl::batch const& b) {
      for (auto const& r : b) seen += r.topic() == "t";
    };
    sl::constant_source const for_ever{.records = {{"a"}}, .times = 0, .group = o.reading().group};
    auto c = o.start_on<sl::at_least_once>(sl::union_of<source, sl::constant_source>{{o.reading(), for_ever}},
                                           sl::micro_batch{.max_records = 2000});
    auto const go_on = [&](int steps) {
      for (; steps > 0; --steps, o.world.pass(std::chrono::seconds{1})) c.step(look);
    };
    o.world.assign({p0});
    go_on(4 + static_cast<int>(n % 2));  // either has its turn to be first
    for (int i = 0; i < 1000; ++i) o.world.produce(p0);
    failed = false;
    until_failure = n / 2;
    try {
      c.step(look);
    } catch (std::bad_alloc const&) { failed = true; }
    until_failure = -1;
    go_on(12);
    CHECK(seen >= 1000);
    CHECK(o.disk.rows[p0].next == sl::offset{1000});
    CHECK(o.world.given == o.world.back);
    CHECK(o.world.wrong() == "");
  }
}
