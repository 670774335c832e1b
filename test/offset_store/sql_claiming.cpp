#include <sluice/offset_store/sql_claiming.hpp>

#include "contract.hpp"

namespace {

using namespace contract;

/// Topics in memory; `meanwhile` happens between the question and the answer.
struct database {
  std::map<std::string, std::int32_t> known{};
  std::map<std::string, std::int32_t> meanwhile{};
  std::map<sl::topic_partition, std::int64_t> at{};
  int rollbacks = 0;

  std::map<std::string, std::int32_t> partitions(std::vector<std::string> const&, sl::time_point) { return known; }
  std::map<std::string, std::int32_t> lock(std::vector<std::string> const& topics, sl::time_point) {
    for (auto const& [topic, n] : std::exchange(meanwhile, {})) known[topic] = n;
    std::map<std::string, std::int32_t> all;
    for (auto const& t : topics) all[t] = known[t];
    return all;
  }
  template <class Each>
  void finish(sl::detail::new_positions const& fresh, std::vector<sl::claimed> const& answers, Each each,
              sl::time_point) {
    for (auto const& [of, next] : fresh.starts) at.emplace(of, next);
    for (auto const& [topic, n] : fresh.counts) known[topic] = n;
    for (std::size_t i = 0; i < answers.size(); ++i) {
      sl::detail::stored_position p;
      p.next = at.at(answers[i].of);
      each(i, p);
    }
  }
  void rollback() { ++rollbacks; }
};

std::vector<sl::claimed> run(database& db, resolver& r, std::vector<int> const& numbers) {
  std::vector<sl::claimed> answers;
  for (auto const& of : partitions("orders", numbers)) answers.push_back({.of = of});
  sl::detail::claiming{db, answers}.run(r, soon());
  return answers;
}

}  // namespace

TEST_CASE("a first claim makes all partitions; a later one is stored, a new one added, a lost one missing") {
  database db;
  auto r = orders();
  auto first = run(db, r, {1});
  CHECK(first[0].what == sl::claimed::first);
  CHECK(first[0].next == offset{20});
  CHECK(db.at.size() == 2);
  db.at.erase({"orders", 0});
  auto const c = run(db, r, {0, 1, 3});
  CHECK(c[0].what == sl::claimed::missing);
  CHECK(c[1].what == sl::claimed::stored);
  CHECK(c[2].what == sl::claimed::added);
  CHECK(c[2].next == offset{103});
  CHECK(r.asked == 1);
  CHECK(db.known["orders"] == 4);
}

TEST_CASE("what another has stored meanwhile counts, and what is needed then is asked for") {
  database db;
  auto r = orders();
  db.meanwhile = {{"orders", 1}};
  db.at[{"orders", 0}] = 7;
  auto const c = run(db, r, {0, 1});
  CHECK(c[0].next == offset{7});
  CHECK(c[0].what == sl::claimed::stored);
  CHECK(c[1].what == sl::claimed::added);
  CHECK(c[1].next == offset{101});
  CHECK(db.rollbacks == 1);
}
