#include <sluice/testing/simulation/fibre.hpp>

#include "catch.hpp"

using namespace sluice::testing::simulated;

namespace {
struct two {
  fibre main{}, other{};
  std::string seen{};
  void back() { fibre::go(other, main); }
  void there() { fibre::go(main, other); }
};
}  // namespace

TEST_CASE("there and back, with what was on the stack; left behind, and begun again") {
  two t;
  auto const body = [](void* self) {
    auto& it = *static_cast<two*>(self);
    for (int i = 0;; ++i) {
      it.seen += std::to_string(i);
      it.back();
    }
  };
  t.other.start(body, &t);
  for (int i = 0; i < 3; ++i) t.there();
  CHECK(t.seen == "012");
  t.other.start(body, &t);
  t.there();
  CHECK(t.seen == "0120");
}

TEST_CASE("each fibre has its own exceptions, also where it leaves inside a catch") {
  two t;
  t.other.start(
      [](void* self) {
        auto& it = *static_cast<two*>(self);
        try {
          throw std::string{"inner"};
        } catch (std::string const& e) {
          it.back();
          it.seen += e;
          try {
            throw;
          } catch (std::string const& again) { it.seen += "," + again; }
        }
        it.seen += std::current_exception() ? ",still" : ",none";
        for (;;) it.back();
      },
      &t);
  t.there();
  CHECK_FALSE(std::current_exception());
  try {
    throw 1;
  } catch (int) {
    t.there();
    CHECK(std::current_exception());
  }
  CHECK(t.seen == "inner,inner,none");
}
