#include <sluice/offset_store/sqlite_positions.hpp>

#include <functional>

#include "sqlite_support.hpp"

namespace {

namespace sqlite = sl::detail::sqlite;

/// Calls `what` once, while the statement after `after` others on `on` waits to begin.
class before {
  sqlite3* on_;
  unsigned after_;
  std::function<void()> what_;

  static int begins(unsigned, void* self, void*, void*) {
    auto& b = *static_cast<before*>(self);
    if (b.what_ && b.after_-- == 0) std::exchange(b.what_, nullptr)();
    return 0;
  }

 public:
  before(sqlite3* on, unsigned after, std::function<void()> what) : on_(on), after_(after), what_(std::move(what)) {
    sqlite3_trace_v2(on_, SQLITE_TRACE_STMT, begins, this);
  }
  before(before const&) = delete;
  before& operator=(before const&) = delete;
  ~before() { sqlite3_trace_v2(on_, 0, nullptr, nullptr); }
  bool called() const { return !what_; }
};

}  // namespace

TEST_CASE("another that makes the tables between any two statements, or finds them locked, disturbs nobody") {
  bool called = true;
  for (unsigned after = 0; called; ++after) {
    folder in;
    sqlite::connection mine{"sqlite_offsets", in / "billing.db", std::chrono::seconds{5}};
    std::string theirs, ours;
    before const b{mine.get(), after, [&] {
                     auto const e = error_of([&] {
                       sqlite::connection other{"sqlite_offsets", in / "billing.db", std::chrono::milliseconds{0}};
                       theirs = sqlite::prepare_file(other, "positions");
                     });
                     CHECK((e.text.empty() || sqlite3_get_autocommit(mine.get()) == 0));
                   }};
    CAPTURE(after);
    CHECK(error_of([&] { ours = sqlite::prepare_file(mine, "positions"); }).text == "");
    CHECK((theirs.empty() || ours == theirs));
    called = b.called();
  }
}

TEST_CASE("a rewind takes the next turn, and the position is there from then on") {
  folder in;
  sqlite::connection db{"sqlite_offsets", in / "billing.db", std::chrono::seconds{5}};
  sqlite::prepare_file(db, "positions");
  sqlite::positions all{db, "positions"};
  all.of_group("billing");
  sl::topic_partition const of{"orders", 0};
  bool const missing = GENERATE(false, true);
  all.create(of, missing ? std::nullopt : std::optional{sl::offset{10}});
  auto p = all.find(of).value();
  p.mine = all.claim(of, p);
  CHECK(p.missing == missing);
  auto const back = all.rewind({.of = of, .to = sl::offset{3}, .mine = p.mine, .cause = "seek"}, p);
  CHECK(back.mine.turn == p.mine.turn + 1);
  CHECK(back.mine.nonce != p.mine.nonce);
  CHECK_FALSE(back.missing);
  auto const stored = all.find(of).value();
  CHECK(stored.next == sl::offset{3});
  CHECK(stored.mine == back.mine);
  CHECK_FALSE(stored.missing);
}
