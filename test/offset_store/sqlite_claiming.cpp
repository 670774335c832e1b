#include <sluice/offset_store/sqlite_claiming.hpp>

#include "contract.hpp"
#include "sqlite_support.hpp"

namespace {

namespace sqlite = sl::detail::sqlite;
using contract::resolver;
using contract::soon;
using sl::offset;

struct claiming {
  folder in{};
  sqlite::connection db{"sqlite_offsets", in / "billing.db", std::chrono::seconds{1}};
  std::string id = sqlite::prepare_file(db, "positions");
  sqlite::positions all{db, "positions"};
  resolver r{{{"orders", {offset{10}, offset{20}}}}};

  claiming() { all.of_group("billing"); }
  std::vector<sl::claimed> open(std::vector<int> const& numbers) const {
    std::vector<sl::claimed> answers;
    for (int const n : numbers) answers.push_back({.of = {"orders", n}});
    return answers;
  }
  bool store(sqlite::claiming& c) {
    db.begin(soon());
    bool const done = c.store();
    done ? db.commit() : db.rollback();
    return done;
  }
  std::vector<sl::claimed> claim(std::vector<int> const& numbers) {
    auto answers = open(numbers);
    sqlite::claiming c{all, answers};
    c.ask(r, soon());
    CHECK(store(c));
    return answers;
  }
};

}  // namespace

TEST_CASE_METHOD(claiming, "starts are asked for once, before the transaction, and stored inside it") {
  auto answers = open({1});
  sqlite::claiming c{all, answers};
  CHECK_FALSE(store(c));
  CHECK_FALSE(all.partitions("orders"));
  c.ask(r, soon());
  c.ask(r, soon());
  CHECK(r.asked == 1);
  CHECK(store(c));
  CHECK(answers[0].what == sl::claimed::first);
  CHECK(answers[0].next == offset{20});
  CHECK(all.find({"orders", 0})->next == offset{10});
  CHECK_FALSE(all.find({"orders", 0})->owned);
}

TEST_CASE_METHOD(claiming, "where another was faster its starts hold, and nothing of ours is stored over them") {
  auto answers = open({0});
  sqlite::claiming slow{all, answers};
  slow.ask(r, soon());
  r.topics["orders"] = {offset{11}, offset{21}};
  auto const fast = claim({0});
  CHECK(store(slow));
  CHECK(answers[0].what == sl::claimed::stored);
  CHECK(answers[0].next == offset{11});
  CHECK(answers[0].mine.turn == fast[0].mine.turn + 1);
}

TEST_CASE_METHOD(claiming, "partitions beyond those that are known begin at their earliest offset") {
  claim({0});
  auto const added = claim({3});
  CHECK(added[0].what == sl::claimed::added);
  CHECK(added[0].next == offset{103});
  CHECK(all.partitions("orders") == 4);
  CHECK(all.find({"orders", 2})->next == offset{102});
  CHECK(claim({2})[0].what == sl::claimed::stored);
}

TEST_CASE_METHOD(claiming, "a topic that another has made known without partitions meanwhile has none that are first") {
  auto answers = open({0});
  sqlite::claiming c{all, answers};
  c.ask(r, soon());
  all.set_partitions("orders", 0);
  CHECK_FALSE(store(c));
  c.ask(r, soon());
  CHECK(store(c));
  CHECK(answers[0].what == sl::claimed::added);
  CHECK(answers[0].next == offset{100});
  CHECK(all.partitions("orders") == 1);
}
