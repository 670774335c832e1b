/// \file commands.hpp  What the tool does, apart from how it is asked: each command on stores that are open.
#pragma once
#include "../common/brokers.hpp"
#include "store.hpp"

namespace offsets_tool {

/// What several commands are told.
struct circumstances {
  std::string group{};
  std::vector<std::string> topics{};  // empty: all
  std::string brokers{};              // empty: they are not asked
  std::map<std::string, std::string> properties{};
  std::chrono::milliseconds timeout{30'000};
  std::chrono::milliseconds sample_for{5'000};
  bool may_be_alive = false;
  bool dry_run = false;

  sl::time_point by() const { return std::chrono::steady_clock::now() + timeout; }
  bool wants(std::string const& topic) const {
    return topics.empty() || std::find(topics.begin(), topics.end(), topic) != topics.end();
  }
};

/// Where positions are to go: given ones, or for all an end of the log or a time.
struct target {
  std::vector<sl::position> given{};
  enum what_t { as_given, earliest, latest, time } what = as_given;
  sl::wall_time at{};
};

/// All throw failure, refusal, sluice::error; what is for people goes to standard output.
void show(circumstances const& c, store& s);
void watch(circumstances const& c, store& s, std::chrono::milliseconds every, std::size_t times);
void set(circumstances const& c, store& s, target const& to);
void clamp(circumstances const& c, store& s);
void copy(circumstances const& c, store& from, store& to, std::string const& to_group);
/// "-": standard output or input.
void export_to(circumstances const& c, store& s, std::string const& file);
/// The group is the document's where none is given.
void import_from(circumstances c, store& s, std::string const& file);

}  // namespace offsets_tool
