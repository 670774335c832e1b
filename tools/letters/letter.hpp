/// \file letter.hpp  A dead letter as the tool sees it, wherever it lay, and what it becomes when it goes back.
#pragma once
#include <sluice/on_failure/dead_letter_message.hpp>

#include <map>
#include <set>

#include "../common/words.hpp"

namespace letters_tool {

using namespace tools;

struct own_header {
  std::string name{};
  std::optional<std::string> value{};
};

struct letter {
  std::string group{};  // whose consumer set it aside, where that is known: a table's row
  std::string topic{};
  std::int64_t partition = -1, offset = -1, incarnation = -1;  // where it came from; -1: not known
  std::int64_t timestamp = 0;                                  // ms since 1970
  std::optional<std::string> key{}, value{};
  std::vector<own_header> headers{};  // the record's own, and sluice.returned
  std::string error{};
  std::int64_t attempts = 0, first = 0;  // first: ms since 1970
};

/// What lay there, a letter or something that is none.
struct found {
  std::string where{};  // "line 3"
  letter what{};
  std::string damage{};  // why it is no letter; empty: it is one
};

/// Throws failure where no record can have stood: then something else of the letter may have been changed, too.
inline void must_have_a_place(letter const& l) {
  auto const check = [](char const* name, std::int64_t n, std::int64_t most) {
    if (n < 0 || n > most)
      throw failure{std::string{"\""} + name + "\" is " + std::to_string(n) + ", which no record has"};
  };
  check("partition", l.partition, INT32_MAX);
  check("offset", l.offset, INT64_MAX);
  check("incarnation", l.incarnation, INT64_MAX);
}

/// How often it was put back before. Throws failure where the header says anything but a number.
inline unsigned times_returned(letter const& l) {
  unsigned n = 0;
  for (auto const& h : l.headers) {
    if (h.name != sl::detail::returned_header) continue;
    auto const found = h.value ? whole_number<unsigned>(*h.value) : std::nullopt;
    if (!found || *found > 1'000'000'000)
      throw failure{"its header sluice.returned is " + (h.value ? as_found(*h.value) : "null") + ", and no number"};
    n = std::max(n, *found);
  }
  return n;
}

/// A record of a topic of letters.
inline found letter_of(sl::record const& r) {
  found f{.where = std::string(r.topic()) + "/" + std::to_string(r.partition()) + " offset " +
                   std::to_string(r.offset().value())};
  auto& l = f.what;
  if (r.has_key()) l.key = r.key_text();
  if (!r.is_tombstone()) l.value = r.text();
  std::map<std::string, std::string> facts;
  for (sl::header const h : r.headers()) {
    std::optional<std::string> value;
    if (h.value.data()) value = sl::as_text(h.value);
    if (sl::detail::is_of_a_letter(h.name))
      facts[std::string(h.name)] = value.value_or("");
    else
      l.headers.push_back({std::string(h.name), std::move(value)});
  }
  auto const number = [&](char const* name, std::int64_t otherwise) {
    return whole_number<std::int64_t>(facts[name]).value_or(otherwise);
  };
  l.topic = facts["sluice.topic"];
  l.partition = number("sluice.partition", -1);
  l.offset = number("sluice.offset", -1);
  l.timestamp = number("sluice.timestamp", 0);
  l.error = facts["sluice.error"];
  l.attempts = number("sluice.attempts", 0);
  l.first = number("sluice.first", 0);
  if (l.topic.empty()) f.damage = "it is no letter: it has no header sluice.topic, which would say where it came from";
  return f;
}

/// Which letters go back, and where to.
struct wishes {
  std::set<std::string> topics{};  // empty: all
  std::string error{};             // is in the letter's error
  unsigned at_most = 3;
  std::string to{};  // empty: its own topic
  bool dry_run = false;

  bool filters() const { return !topics.empty() || !error.empty(); }
};

enum class fate { goes, not_meant, too_often, damaged };

/// Fills in `damage` where the letter turns out to be none.
inline fate fate_of(found& f, wishes const& w) {
  if (!f.damage.empty()) return fate::damaged;
  if (!w.topics.empty() && !w.topics.contains(f.what.topic)) return fate::not_meant;
  if (!w.error.empty() && f.what.error.find(w.error) == std::string::npos) return fate::not_meant;
  try {
    return times_returned(f.what) >= w.at_most ? fate::too_often : fate::goes;
  } catch (failure const& e) {
    f.damage = e.what();
    return fate::damaged;
  }
}

inline std::string const& destination(letter const& l, wishes const& w) { return w.to.empty() ? l.topic : w.to; }

/// Writes it by `produce(topic, key, value, headers)`.
template <class Produce>
void put_back(letter const& l, wishes const& w, Produce produce) {
  auto const payload = [](std::optional<std::string> const& data) {
    return data ? sl::payload{*data} : sl::payload{nullptr};
  };
  auto const n = std::to_string(times_returned(l) + 1);
  sl::header_list headers;
  for (auto const& h : l.headers)
    if (h.name != sl::detail::returned_header) headers.add(h.name, payload(h.value));
  headers.add(sl::detail::returned_header, n);
  produce(destination(l, w), payload(l.key), payload(l.value), headers);
}

}  // namespace letters_tool
