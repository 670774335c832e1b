#include <sluice/on_failure/dead_letter.hpp>
#include <sluice/on_failure/dead_letter_file.hpp>

#include "catch.hpp"
#include "detail/temporary_folder.hpp"
#include "scripted_consumer.hpp"

using namespace scripted;

namespace {

/// What a home has been given, and what of it is durable.
struct shelf {
  std::vector<std::int64_t> kept{}, durable{};
  int keeps_fail = 0, flushes_fail = 0;
  std::function<void()> at_flush{};
};

/// As dead_letter_file and dead_letter_topic: outside of the store, durable with flush(); what a failed flush held is gone.
struct letters_elsewhere {
  using slot = sl::on_failure_slot;
  static constexpr bool into_file = true;
  shelf* on = nullptr;
  std::string path{};

  struct runtime {
    shelf* on;
    void keep(sl::dead_letter const& l, sl::time_point) {
      if (on->keeps_fail > 0 && on->keeps_fail-- > 0) {
        on->kept.clear();
        throw sl::error(sl::errc::dead_letter_failed, "no room");
      }
      on->kept.push_back(l.what.offset().value());
    }
    void flush(sl::time_point) {
      if (on->at_flush) on->at_flush();
      auto const all = std::exchange(on->kept, {});
      if (on->flushes_fail > 0 && on->flushes_fail-- > 0)
        throw sl::error(sl::errc::dead_letter_failed, "not acknowledged");
      on->durable.insert(on->durable.end(), all.begin(), all.end());
    }
  };
  static runtime open(letters_elsewhere const& self, sl::context const&) { return {self.on}; }
};
static_assert(sl::dead_letter_home<letters_elsewhere::runtime>);

auto poisoned(std::vector<std::int64_t>& seen) {
  return sl::each([&seen](sl::record r) {
    if (r.offset().value() == 1 || r.offset().value() == 3) throw std::runtime_error("poison");
    seen.push_back(r.offset().value());
  });
}
using letters_t = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("a dead letter is durable before the advance") {
  outside o;
  shelf s;
  o.world.produce(p0, 5);
  auto c = o.start<sl::at_least_once>(letters_elsewhere{&s});
  o.world.assign({p0});
  s.at_flush = [&] { CHECK(o.disk.next(p0) == 0); };
  letters_t seen;
  auto handler = poisoned(seen);
  c.step(handler);
  CHECK(seen == letters_t{0, 2, 4});
  CHECK(s.durable == letters_t{1, 3});
  CHECK(o.disk.next(p0) == 5);
  CHECK(c.statistics().dead_letters == 2);
}

TEST_CASE("a dead letter that fails stops; it never advances, and is written once it can be") {
  outside o;
  shelf s;
  o.world.produce(p0, 5);
  auto c = o.start<sl::at_least_once>(letters_elsewhere{&s});
  o.world.assign({p0});
  letters_t seen;
  auto handler = poisoned(seen);
  SECTION("the flush fails") { s.flushes_fail = 2; }
  SECTION("the second letter fails, and takes the first with it") {
    c.step([](sl::batch const&) {}, 0ms);
    o.world.produce(p0, 5);
    s.keeps_fail = 0;
    o.world.revoke({p0});
    o.disk.rows.at(p0).next = sl::offset{0};
    o.world.assign({p0});
    bool first = true;
    auto failing = sl::each([&](sl::record r) {
      if (r.offset().value() == 3 && std::exchange(first, false)) s.keeps_fail = 2;
      if (r.offset().value() == 1 || r.offset().value() == 3) throw std::runtime_error("poison");
    });
    CHECK(code_of([&] { c.step(failing); }) == sl::errc::dead_letter_failed);
    s.keeps_fail = 1;
  }
  while (s.flushes_fail + s.keeps_fail > 0) {
    CHECK(code_of([&] { c.step(handler); }) == sl::errc::dead_letter_failed);
    CHECK(o.disk.next(p0) == 0);
  }
  drain_log(c, handler);
  CHECK(s.durable == letters_t{1, 3});
  CHECK(o.disk.next(p0) >= 5);
}

TEST_CASE("letters that a file has no room for are in it once when it was moved away, as the error says") {
  outside o;
  temporary_folder folder;
  auto const file = folder.path / "letters";
  write_file(file, std::string(999, ' ') + "\n");
  o.world.produce(p0, 5);
  auto c = o.start<sl::at_least_once>(sl::dead_letter_file{.path = file.string(), .max_bytes = 1000});
  o.world.assign({p0});
  letters_t seen;
  auto handler = poisoned(seen);
  for (int i = 0; i < 10; ++i) CHECK(code_of([&] { c.step(handler); }) == sl::errc::dead_letter_failed);
  CHECK(o.disk.next(p0) == 0);
  std::filesystem::rename(file, folder.path / "letters.1");
  for (int i = 0; i < 5 && o.disk.next(p0) == 0; ++i) (void)code_of([&] { c.step(handler); });
  CHECK(o.disk.next(p0) == 5);
  auto const text = content_of(file);
  CHECK(std::count(text.begin(), text.end(), '\n') == 2);
  CHECK(text.find("\"offset\":1,") < text.find("\"offset\":3,"));
}

TEST_CASE("dead letters wait for a store that is down") {
  outside o;
  shelf s;
  o.world.produce(p0, 5);
  auto c = o.start<sl::at_least_once>(letters_elsewhere{&s});
  o.world.assign({p0});
  o.disk.advances = {{act::down}, {act::down}};
  letters_t seen;
  auto handler = poisoned(seen);
  steps(c, handler, 8);
  CHECK(seen == letters_t{0, 2, 4});
  CHECK(s.durable == letters_t{1, 3});
  CHECK(o.disk.next(p0) == 5);
}
