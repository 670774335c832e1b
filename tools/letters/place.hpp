/// \file place.hpp  Where letters lie, as the tool sees it, and how a kind of place makes itself known.
///
/// To add a kind, put a file into places/ that says `registered const mine{{…}}`: nothing else knows it. A file of a component's
/// name (places/sqlite.cpp) is built where that component's client library is there.
#pragma once
#include <functional>
#include <memory>

#include "../common/brokers.hpp"
#include "letter.hpp"

namespace letters_tool {

/// What the user said about the place. Secrets are never among it: they come from files and the environment.
struct place_words {
  std::string kind{};
  std::string place{};  // behind the first colon
  std::string brokers{};
  std::map<std::string, std::string> properties{};  // librdkafka's
  std::set<std::string> given{};                    // which of the options below, by their names
  std::string group{"sluice-letters"}, table{"sluice_dead_letters"}, user{}, password_file{}, password_variable{};
  std::chrono::milliseconds timeout{30'000};
  bool all = false;      // those that have gone back too, where they are still there
  bool changes = false;  // letters are to go back: it is opened so

  bool has(std::string const& option) const { return given.contains(option); }
  sl::time_point by() const { return std::chrono::steady_clock::now() + timeout; }
};

/// What came of a run.
struct tally {
  std::map<std::string, std::size_t> returned{};  // by the topic that they went to
  std::size_t not_meant = 0, too_often = 0, damaged = 0, not_returned = 0;
  std::vector<std::string> remarks{};  // a line for each letter that stayed and should have gone

  std::size_t all_returned() const {
    std::size_t n = 0;
    for (auto const& [_, count] : returned) n += count;
    return n;
  }
  void add(tally const& more) {
    for (auto const& [topic, n] : more.returned) returned[topic] += n;
    not_meant += more.not_meant, too_often += more.too_often;
    damaged += more.damaged, not_returned += more.not_returned;
    remarks.insert(remarks.end(), more.remarks.begin(), more.remarks.end());
  }
  /// What does not go, and why.
  void stays(found const& f, fate why, wishes const& w);
};

using stop_asked = std::function<bool()>;

class place {
 public:
  virtual ~place() = default;
  /// As the user named it; holds no secret.
  virtual std::string name() const = 0;
  /// From the oldest on that has not gone back, up to the newest of now.
  virtual void begin() = 0;
  /// Some of them; none: that was all.
  virtual std::vector<found> next() = 0;
  /// Of the page that next() gave, these are in their topic now. Answers what could not be taken note of: a line each.
  virtual std::vector<std::string> gone(std::vector<bool> const& which) = 0;
  /// A place whose letters and positions are one transaction does all by itself. `must_be_there` throws failure for a topic
  /// that isn't.
  virtual std::optional<tally> return_all(wishes const&,
                                          std::function<void(std::string const&)> const& /*must_be_there*/,
                                          stop_asked const&) {
    return std::nullopt;
  }
};

struct place_kind {
  std::string word{};             // in front of the colon
  std::string form{};             // "file:PATH"
  std::string help{};             // one line
  std::set<std::string> takes{};  // which options of a place
  std::unique_ptr<place> (*open)(place_words const&) = nullptr;
};

inline std::map<std::string, place_kind>& kinds() {
  static std::map<std::string, place_kind> all;
  return all;
}

struct registered {
  explicit registered(place_kind k) { kinds().emplace(k.word, std::move(k)); }
};

}  // namespace letters_tool
