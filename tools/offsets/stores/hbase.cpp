// hbase:http://HOST:PORT/TABLE, the library's own cells or the history of programs on Spark alone.
#include <sluice/offset_store/hbase_read.hpp>

#include "../number.hpp"
#include "../own_store.hpp"

namespace offsets_tool { namespace {

namespace hb = sl::detail::hbase;

sl::hbase_offsets policy_of(store_words const& w) {
  auto const scheme = w.place.find("://");
  auto const slash = scheme == w.place.npos ? scheme : w.place.find('/', scheme + 3);
  if (slash == w.place.npos)
    throw failure{"hbase:http://HOST:PORT/TABLE is wanted, such as hbase:http://hbase:8080/stream_kafka_offsets"};
  sl::hbase_offsets p{.address = w.place.substr(0, slash), .table = w.place.substr(slash + 1), .user = w.user};
  p.password_file = w.password_file;
  p.password_variable = w.password_variable;
  return p;
}

/// Rows TOPIC:GROUP:MILLISECONDS; of each topic the newest counts, and a change is a new one.
class history final : public store {
  using next_of = std::vector<std::optional<sl::offset>>;

  std::string name_;
  bool last_;
  hb::settings settings_;

  static std::optional<sl::offset> one_less(std::string_view value) {
    if (value == "-1") return sl::offset{0};
    auto const last = hb::next_offset(value);
    return last && last->value() < INT64_MAX - 1 ? std::optional{last->next()} : std::nullopt;
  }
  std::optional<hb::history_row> newest(hb::table& in, std::string const& topic, std::string const& group,
                                        sl::time_point by) const {
    return hb::newest_row(in, topic, group, by, last_ ? one_less : hb::next_offset);
  }
  /// Of all groups, each found by one look behind the rows of the one before.
  std::vector<std::string> topics(hb::table& in, sl::time_point by) const {
    std::vector<std::string> all;
    for (std::string from;;) {
      auto const found = in.lowest(from, by);
      if (!found) return all;
      auto const topic = found->key.substr(0, found->key.find(':'));
      if (topic.size() == found->key.size() || !hb::is_topic(topic))
        throw failure{name() + ": found the row " + as_found(found->key) +
                      ", which is no TOPIC:GROUP:MILLISECONDS: are table and family right?"};
      all.push_back(topic);
      from = topic + ";";  // behind the colon
    }
  }
  static std::vector<sl::kept_position> positions(std::string const& topic, next_of const& next) {
    std::vector<sl::kept_position> all;
    for (std::size_t p = 0; p < next.size(); ++p)
      if (next[p]) all.push_back({.of = {topic, static_cast<std::int32_t>(p)}, .next = *next[p]});
    return all;
  }

 public:
  explicit history(store_words const& w)
      : name_("hbase:" + w.place), last_(w.stored_offset_is == "last"), settings_(hb::settings_of(policy_of(w))) {
    settings_.history_family = w.family;
    hb::check(settings_);
  }
  std::string name() const override { return name_ + ", family " + settings_.history_family; }
  bool is_foreign() const override { return true; }

  std::vector<sl::kept_position> read(std::string const& group, sl::time_point by) override {
    hb::table in{settings_};
    in.open_history(by);
    std::vector<sl::kept_position> all;
    for (auto const& topic : topics(in, by))
      if (auto const row = newest(in, topic, group, by))
        for (auto const& p : positions(topic, row->next)) all.push_back(p);
    return sl::detail::in_order(std::move(all));
  }

  /// Each topic's row at once, or not at all. It is newer than the one that was read, whatever this clock says.
  receipt write(order const& what, sl::time_point by) override {
    hb::table in{settings_};
    in.open_history(by);
    std::map<std::string, next_of> topics;
    std::map<std::string, std::int64_t> when;
    for (auto const& c : what.changes) {
      auto const& topic = c.of.topic;
      if (!topics.contains(topic)) {
        if (!hb::is_topic(topic)) throw failure{as_found(topic) + " is no topic's name, so there is no row for it"};
        auto const row = newest(in, topic, what.group, by);
        topics[topic] = row ? row->next : next_of{};
        when[topic] = row ? row->when + 1 : 0;
      }
      must_not_have_moved(c, positions(topic, topics[topic]), what.may_be_alive);
    }
    for (auto const& c : what.changes) {
      auto& next = topics[c.of.topic];
      auto const i = static_cast<std::size_t>(c.of.partition);
      if (i >= next.size()) next.resize(i + 1);
      next[i] = c.after;
    }
    auto const now = sl::detail::in_ms(sl::detail::file_wall_clock());
    std::vector<hb::row> rows;
    for (auto const& [topic, next] : topics)
      rows.push_back(
          hb::made_row(topic, what.group, std::max(when[topic], now), settings_.history_family, next, last_));
    in.put(rows, by);
    return {.why = std::vector<std::string>(what.changes.size()), .local_id = {}};
  }
};

std::unique_ptr<store> open(store_words const& w) {
  if (w.has("--family")) return std::make_unique<history>(w);
  return make_own(w, policy_of(w));
}

registered const mine{{.word = "hbase",
                       .form = "hbase:http://HOST:PORT/TABLE",
                       .help = "HBase by its REST server; with --family the rows of programs on Spark alone",
                       .takes = {"--family", "--stored-offset-is", "--user", "--password-file", "--password-variable"},
                       .open = open}};

}}  // namespace offsets_tool
