// kafka: the group's own offsets; with --plain as others commit them, without the library's note.
#include <sluice/offset_store/kafka_read.hpp>
#include <sluice/source/rdkafka_client.hpp>

#include "../number.hpp"
#include "../own_store.hpp"

namespace offsets_tool { namespace {

class kafka final : public store {
  store_words words_;

  sl::context context(std::string const& group) const {
    return {.brokers = words_.brokers, .group = group, .properties = words_.properties};
  }
  static std::string hint(sl::outcome o) {
    if (o == sl::outcome::applied) return {};
    if (o == sl::outcome::unknown) return "no answer in time: it may be stored or not, look again";
    return "Kafka takes no offsets from outside while the group has members: stop them";
  }

 public:
  explicit kafka(store_words w) : words_(std::move(w)) {
    if (!words_.place.empty()) throw failure{"kafka: takes nothing behind the colon; brokers are given by --brokers"};
    if (words_.brokers.empty()) throw failure{"kafka: needs --brokers HOST:PORT,…"};
  }
  std::string name() const override { return words_.plain ? "kafka: (plain)" : "kafka:"; }
  bool is_kafka() const override { return true; }
  bool is_foreign() const override { return words_.plain; }

  std::vector<sl::kept_position> read(std::string const& group, sl::time_point by) override {
    return sl::read_positions(sl::kafka_offsets{}, context(group), by);
  }

  receipt write(order const& what, sl::time_point by) override {
    sl::rdkafka_client client{
        {.brokers = words_.brokers, .group = what.group, .properties = words_.properties, .subscribe = false}};
    auto const done = words_.plain ? commit(client.positions(), what, by) : claim(client.positions(), what, by);
    client.close(by);
    return done;
  }

 private:
  receipt claim(sl::group_positions& positions, order const& what, sl::time_point by) const {
    auto s = sl::kafka_offsets::open({}, context(what.group));
    s.bind(positions);  // as its members would: a first claim is for the whole topic
    auto done = put(s, what, by);
    for (auto& why : done.why)
      if (why.find("given the partition away") != why.npos) why = hint(sl::outcome::refused);
    return done;
  }
  receipt commit(sl::group_positions& positions, order const& what, sl::time_point by) {
    auto const now = read(what.group, by);
    std::vector<sl::group_position> set;
    for (auto const& c : what.changes) {
      must_not_have_moved(c, now, what.may_be_alive);
      set.push_back({.of = c.of, .next = c.after});
    }
    receipt done;
    for (auto const o : positions.store(set, by)) done.why.push_back(hint(o));
    return done;
  }
};

registered const mine{
    {.word = "kafka",
     .form = "kafka:",
     .help = "the group's own offsets in Kafka (--brokers)",
     .takes = {"--plain"},
     .open = [](store_words const& w) -> std::unique_ptr<store> { return std::make_unique<kafka>(w); }}};

}}  // namespace offsets_tool
