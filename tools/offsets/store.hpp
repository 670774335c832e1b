/// \file store.hpp  A store of offsets as the tool sees it, and how a kind of store makes itself known.
///
/// To add a kind, put a file into stores/ that says `registered const mine{{…}}`: nothing else knows it. A file of a component's
/// name (stores/sqlite.cpp) is built where that component's client library is there.
#pragma once
#include <sluice/offset_store/kept_position.hpp>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "../common/words.hpp"

namespace offsets_tool {

using namespace tools;

/// What the user said about one store. Secrets are never among it: they come from files and the environment.
struct store_words {
  std::string kind{};
  std::string place{};  // behind the first colon
  std::string brokers{};
  std::map<std::string, std::string> properties{};  // librdkafka's
  std::set<std::string> given{};                    // which of the options below, by their names
  std::string table{}, columns{}, group_column{}, key{}, family{}, path{}, region{}, stored_offset_is{"next"};
  std::string user{}, password_file{}, password_variable{}, prefix{"sluice"};
  int database = 0;
  bool lossy = false, assume_durable = false, plain = false;

  bool has(std::string const& option) const { return given.contains(option); }
};

struct change {
  sl::topic_partition of{};
  std::optional<sl::offset> before{};  // none: not stored
  sl::offset after{};
  std::string remark{};
  bool same() const { return before == after; }
};

/// What is to be written, and under which circumstances.
struct order {
  std::string group{};
  std::vector<change> changes{};  // none of them same()
  std::string cause{};            // is kept with each rewind
  bool may_be_alive = false;      // a position that has moved since it was read is overwritten all the same
  sl::start_resolver* starts{};   // for topics that the group has never claimed
};

/// What became of an order: `why` is empty for each change that was made.
struct receipt {
  std::vector<std::string> why{};
  std::optional<std::string> local_id{};  // of the store, where other hosts can't reach it
};

class store {
 public:
  virtual ~store() = default;
  /// As the user named it; holds no secret.
  virtual std::string name() const = 0;
  /// Claims nothing, stores nothing.
  virtual std::vector<sl::kept_position> read(std::string const& group, sl::time_point by) = 0;
  /// Throws refusal where a position is not what it was when it was read.
  virtual receipt write(order const& what, sl::time_point by) = 0;
  /// It keeps no fence: whoever is alive is not refused.
  virtual bool is_foreign() const { return false; }
  /// It is the group's own offsets in Kafka.
  virtual bool is_kafka() const { return false; }
};

struct store_kind {
  std::string word{};             // in front of the colon
  std::string form{};             // "sqlite:FILE"
  std::string help{};             // one line
  std::set<std::string> takes{};  // which options of a store
  std::unique_ptr<store> (*open)(store_words const&) = nullptr;
};

inline std::map<std::string, store_kind>& kinds() {
  static std::map<std::string, store_kind> all;
  return all;
}

struct registered {
  explicit registered(store_kind k) { kinds().emplace(k.word, std::move(k)); }
};

}  // namespace offsets_tool
