// redis:HOST:PORT, the library's own hashes or those of somebody else.
#include <sluice/offset_store/redis_read.hpp>

#include "../number.hpp"
#include "../own_store.hpp"

namespace offsets_tool { namespace {

namespace rd = sl::detail::redis;

template <class Policy>
Policy policy_of(store_words const& w) {
  if (w.place.find('@') != w.place.npos)
    throw failure{
        "redis: no user or password in front of the host: give --user, and --password-file or --password-variable"};
  Policy p;
  if (w.place.starts_with('/')) {
    p.host = w.place;
  } else if (auto const colon = w.place.rfind(':'); colon != w.place.npos) {
    p.host = w.place.substr(0, colon);
    p.port = whole_number<int>(std::string_view{w.place}.substr(colon + 1)).value_or(0);
  } else if (!w.place.empty()) {
    p.host = w.place;
  }
  p.user = w.user;
  p.password_file = w.password_file;
  p.password_variable = w.password_variable;
  p.database = w.database;
  p.prefix = w.prefix;
  return p;
}

/// A hash for each topic of a group: the field is the partition, the value an offset in decimal. The key is a pattern in which
/// {topic}, and {group} if it is there, stand for themselves.
class hashes final : public store {
  std::string name_;
  std::string pattern_;
  counting counts_;
  rd::settings settings_;

  std::string key(std::string const& group, std::string const& topic) const {
    return with("{topic}", topic, with("{group}", group, pattern_));
  }
  static std::string with(std::string const& mark, std::string const& value, std::string text) {
    if (auto const at = text.find(mark); at != text.npos) text.replace(at, mark.size(), value);
    return text;
  }
  /// As a pattern of Redis' that fits nothing but itself.
  static std::string literally(std::string const& text) {
    std::string all;
    for (char const c : text) {
      if (std::string_view{"*?[]\\^-"}.find(c) != std::string_view::npos) all += '\\';
      all += c;
    }
    return all;
  }
  std::vector<sl::kept_position> topic(rd::connection& db, std::string const& key, std::string const& topic,
                                       sl::time_point by) const {
    std::vector<sl::kept_position> all;
    auto const r = db.ask({"HGETALL", key}, by);
    for (std::size_t i = 0; i + 1 < r->elements; i += 2) {
      auto const where = name_ + ", key " + key + ", field " + as_found(rd::text_at(*r, i));
      sl::topic_partition const of{topic, partition_in(rd::text_at(*r, i), where)};
      all.push_back({.of = of, .next = counts_.next(rd::text_at(*r, i + 1), where)});
    }
    return all;
  }

 public:
  explicit hashes(store_words const& w)
      : name_("redis:" + w.place),
        pattern_(w.key),
        counts_(w),
        settings_(rd::settings_of("redis", policy_of<sl::lossy_redis_offsets>(w))) {
    if (pattern_.find("{topic}") == pattern_.npos)
      throw failure{
          "--key must have {topic} in it, and {group} where keys are a group's, as in offsets:{group}:{topic}"};
    rd::check(settings_);
  }
  std::string name() const override { return name_ + ", keys " + pattern_; }
  bool is_foreign() const override { return true; }

  std::vector<sl::kept_position> read(std::string const& group, sl::time_point by) override {
    rd::connection db{settings_};
    auto const of_group = with("{group}", group, pattern_);
    auto const at = of_group.find("{topic}");
    auto const head = of_group.substr(0, at), tail = of_group.substr(at + 7);
    std::vector<sl::kept_position> all;
    for (auto const& k : rd::keys_like(db, literally(head) + "*" + literally(tail), head + tail, by)) {
      auto found = topic(db, k, k.substr(head.size(), k.size() - head.size() - tail.size()), by);
      all.insert(all.end(), found.begin(), found.end());
    }
    return each_once(std::move(all), name());
  }

  /// Each topic at once, or not at all: a cluster may keep them on different nodes.
  receipt write(order const& what, sl::time_point by) override {
    rd::connection db{settings_};
    std::map<std::string, std::vector<change>> topics;
    for (auto const& c : what.changes) topics[c.of.topic].push_back(c);
    std::map<std::string, std::string> failed;
    for (auto const& [name, changes] : topics) {
      auto const k = key(what.group, name);
      db.ask({"WATCH", k}, by);
      auto const now = topic(db, k, name, by);
      for (auto const& c : changes) must_not_have_moved(c, now, what.may_be_alive);
      std::vector<std::string> set{"HSET", k};
      for (auto const& c : changes) {
        set.push_back(std::to_string(c.of.partition));
        set.push_back(std::to_string(counts_.stored(c.after)));
      }
      db.ask({"MULTI"}, by);
      db.ask(set, by);
      if (db.ask({"EXEC"}, by)->type != REDIS_REPLY_ARRAY) failed[name] = "changed by somebody else meanwhile";
    }
    receipt done;
    for (auto const& c : what.changes) done.why.push_back(failed.contains(c.of.topic) ? failed[c.of.topic] : "");
    return done;
  }
};

std::unique_ptr<store> open(store_words const& w) {
  if (w.has("--key")) return std::make_unique<hashes>(w);
  if (w.lossy) return make_own(w, policy_of<sl::lossy_redis_offsets>(w));
  auto policy = policy_of<sl::redis_offsets>(w);
  policy.assume_durable = w.assume_durable;
  return make_own(w, policy);
}

registered const mine{{.word = "redis",
                       .form = "redis:HOST:PORT",
                       .help = "Redis 7 or later, or redis:/PATH/OF/SOCKET",
                       .takes = {"--user", "--password-file", "--password-variable", "--database", "--prefix",
                                 "--lossy", "--assume-durable", "--key", "--stored-offset-is"},
                       .open = open}};

}}  // namespace offsets_tool
