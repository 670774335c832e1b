#include <sluice/output/all_of.hpp>

#include <sluice/detail/handler.hpp>
#include <sluice/output/print.hpp>

#include <sstream>

#include "catch.hpp"
#include "scripted_consumer.hpp"
#include "some_records.hpp"

namespace {

/// An output that can't be copied.
struct counting {
  using idempotent_output = void;
  std::unique_ptr<std::vector<std::string>> into = std::make_unique<std::vector<std::string>>();
  void operator()(sl::batch const& b) {
    for (sl::record r : b) into->push_back(std::string(r.text()));
  }
};
struct with_transaction {
  std::string* into;
  void operator()(sl::batch const&, std::string& tx) { into->append(tx).append(";"); }
};

/// As operators that keep state are.
struct windowed {
  using keeps_state = void;
  bool wants_empty_batches = true;
  template <class Transaction>
  void operator()(sl::batch const&, Transaction&) const {}
};

template <class Delivery, class Transaction, class H>
constexpr auto fault = sl::detail::fault_of<H&, Delivery, Transaction>();
using sl::detail::handler_fault;

[[maybe_unused]] auto const plain = [](sl::batch const&) {};
using two_idempotent = decltype(sl::all_of(counting{}, counting{}));
using one_plain = decltype(sl::all_of(counting{}, plain));
using in_transaction = decltype(sl::all_of(with_transaction{}, sl::print{}));

static_assert(sl::idempotent_output<two_idempotent>);
static_assert(!sl::idempotent_output<one_plain>);
static_assert(fault<sl::idempotent, int, two_idempotent> == handler_fault::none);
static_assert(fault<sl::idempotent, int, one_plain> == handler_fault::not_idempotent);
static_assert(fault<sl::at_least_once, int, one_plain> == handler_fault::none);
static_assert(fault<sl::transactional, std::string, in_transaction> == handler_fault::none);
static_assert(fault<sl::transactional, std::string, one_plain> != handler_fault::none);
static_assert(fault<sl::at_least_once, int, decltype(sl::all_of(with_transaction{}))> != handler_fault::none);
static_assert(fault<sl::at_least_once, int, decltype(sl::all_of(sl::print{}, windowed{}))> ==
              handler_fault::state_alone);
static_assert(fault<sl::transactional, int, decltype(sl::all_of(sl::print{}, windowed{}))> ==
              handler_fault::state_elsewhere);

}  // namespace

TEST_CASE("each output gets the batch, in their order; variables are borrowed, values kept") {
  some_records r{{"orders", 0}};
  r.add(1, "k", "a").add(2, "k", "b");
  counting out;
  std::vector<std::string> order;
  auto all = sl::all_of(
      out, [&](sl::batch const&) { order.push_back("first"); }, [&](sl::batch const&) { order.push_back("second"); },
      counting{});
  all(r.batch());
  all(r.batch());
  CHECK(*out.into == std::vector<std::string>{"a", "b", "a", "b"});
  CHECK(order == std::vector<std::string>{"first", "second", "first", "second"});
}

TEST_CASE("in a transaction each gets it") {
  some_records r{{"orders", 0}};
  r.add(1, "k", "a");
  std::string said, tx = "tx";
  std::ostringstream printed;
  sl::all_of both{with_transaction{&said}, sl::print{.out = &printed}};
  both(r.batch(), tx);
  CHECK(said == "tx;");
  CHECK_THAT(printed.str(), ContainsSubstring("\na\n"));
}

TEST_CASE("where one wants empty batches all get them") {
  windowed window;
  CHECK(sl::all_of(sl::print{}, window).wants_empty_batches);
  window.wants_empty_batches = false;
  CHECK(!sl::all_of(sl::print{}, window, counting{}).wants_empty_batches);
  CHECK(sl::detail::refer_to<true, int>(*std::make_unique<decltype(sl::all_of(windowed{}))>(windowed{}))
            .wants_empty_batches);
}

TEST_CASE("where one throws nothing is advanced, and the batch comes to all of them again") {
  using namespace scripted;
  outside o;
  o.world.produce(p0, 5);
  auto c = o.start<sl::idempotent>(sl::retry<>{.times = 5, .backoff = 0ms});
  o.world.assign({p0});
  counting first, last;
  int fails = 1;
  auto failing = sl::assume_idempotent([&](sl::batch const&) {
    if (fails-- > 0) throw std::runtime_error("no");
  });
  auto all = sl::all_of(first, failing, last);
  c.step(all);
  CHECK(o.disk.next(p0) == 0);
  CHECK(last.into->empty());
  for (int i = 0; i < 10 && o.disk.next(p0) < 5; ++i) c.step(all);
  CHECK(o.disk.next(p0) == 5);
  CHECK(first.into->size() == 10);
  CHECK(last.into->size() == 5);
}
