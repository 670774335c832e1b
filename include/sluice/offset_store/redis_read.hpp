/// \file offset_store/redis_read.hpp  A group's positions in Redis, read without claiming them.
#pragma once
#include <sluice/offset_store/kept_position.hpp>
#include <sluice/offset_store/redis.hpp>

#include <set>

namespace sluice { inline namespace v0 {

namespace detail::redis {

/// The text of an answer's element; empty where it is none.
inline std::string_view text_at(redisReply const& r, std::size_t i) {
  return i < r.elements ? text_of(*r.element[i]) : std::string_view{};
}

/// Keys that match a pattern of Redis', of the node that has `near` in its slots. Goes through all keys of the server, a
/// thousand at a time; between two of them others are served.
inline std::set<std::string> keys_like(connection& db, std::string const& pattern, std::string const& near,
                                       time_point by) {
  db.ask({"EXISTS", near}, by);
  std::set<std::string> keys;
  std::string cursor = "0";
  do {
    auto const r = db.ask({"SCAN", cursor, "MATCH", pattern, "COUNT", "1000"}, by);
    cursor = text_at(*r, 0);
    if (r->elements == 2)
      for (std::size_t i = 0; i < r->element[1]->elements; ++i) keys.emplace(text_at(*r->element[1], i));
  } while (!cursor.empty() && cursor != "0");
  return keys;
}

/// A position's seven words; the nonce of one that nobody holds is `-`, and becomes 0.
inline std::string with_nonce(std::string words) {
  std::size_t at = 0;
  for (int word = 0; word < 3 && at != words.npos; ++word) at = words.find(' ', at + 1);
  if (at != words.npos && std::string_view{words}.substr(at).starts_with(" - ")) words[at + 1] = '0';
  return words;
}

inline void read_topic(connection& db, std::string const& key, std::string const& topic,
                       std::vector<kept_position>& into, time_point by) {
  auto const r = db.ask({"HGETALL", key}, by);
  auto const& who = db.config().who;
  bool known = false;
  for (std::size_t i = 0; i + 1 < r->elements; i += 2) {
    auto const field = text_at(*r, i), words = text_at(*r, i + 1);
    if (field == "format") {
      known = words == format;
      if (auto const found = number_in<int>(words); found && *found > 1) too_new(who, key, *found);
    }
    auto const partition = number_in<std::int32_t>(field);
    if (!partition || words.starts_with("- ")) continue;
    claimed c{.of = {topic, *partition}};
    if (!read_words(with_nonce(std::string{words}), c)) damaged_field(who, key, field);
    into.push_back({c.of, c.next, c.log, c.mine.nonce != 0, {}});
  }
  if (!known && r->elements > 0) not_ours(who, key);
}

inline std::vector<kept_position> read_positions(settings s, context const& c, time_point by) {
  s.durable = false;  // nothing is entrusted to it
  check(s);
  connection db{std::move(s)};
  key_names const names{db.config().prefix, c.group};
  std::vector<kept_position> all;
  for (auto const& key : keys_like(db, names.topics() + "*", names.topics(), by))
    if (auto const topic = text_of_file_name(key.substr(names.topics().size()))) read_topic(db, key, *topic, all, by);
  return in_order(std::move(all));
}

}  // namespace detail::redis

/// See kept_position.hpp. Each topic is of one moment. Goes through the names of all keys of the server (SCAN), a thousand at
/// a time, since the store has no list of its topics.
inline std::vector<kept_position> read_positions(redis_offsets const& config, context const& c, time_point by) {
  return detail::redis::read_positions(detail::redis::settings_of("redis_offsets", config), c, by);
}
inline std::vector<kept_position> read_positions(lossy_redis_offsets const& config, context const& c, time_point by) {
  return detail::redis::read_positions(detail::redis::settings_of("lossy_redis_offsets", config), c, by);
}

}}  // namespace sluice::v0
