/// \file state/parts.hpp  The partitions that a batch is about, as a state sees them: their stamps, and how many the topic had.
#pragma once
#include <sluice/batch.hpp>
#include <sluice/detail/nonce.hpp>
#include <sluice/detail/sql_text.hpp>
#include <sluice/state/codec.hpp>
#include <sluice/state/store.hpp>

#include <deque>
#include <string>
#include <vector>

namespace sluice { inline namespace v0 {

/// A topic that has more partitions than when a state was begun: a key's records may go to another partition from there on,
/// where its state is not. How many there were is written with a state's first rows, as the store knew it then. Where that was while
/// the topic grew, it may be the number from before: then the partition that was added is told, as it should be, since records
/// from before lie in the others. What had grown before a state was begun is not told: where old records are still to be read,
/// begin it behind them.
enum class partition_growth {
  error,  ///< store_error(bad_configuration), with the remedy
  accept  ///< keys begin anew where they turn up; what they had stays behind in the partition that they came from
};

namespace detail {

/// Beside a partition's rows: changed with them. `extra` is the operator's own.
struct state_mark {
  std::uint64_t stamp = 0;  ///< 0: there are no rows yet
  std::string extra{};
};

inline constexpr std::string_view mark_key = "m";
inline constexpr std::string_view count_key = "p";  // of partition -1
inline constexpr char user_key = 'k';               // what users' keys begin with
inline constexpr std::uint8_t mark_format = 2;      // 1: without the kind

/// What a state's rows are: two of one name must not be read as one another.
enum class state_kind : std::uint8_t { values, batch_window, event_window };

inline std::string_view to_string(state_kind k) {
  switch (k) {
    case state_kind::values:
      return "values by key";
    case state_kind::batch_window:
      return "a window over batches";
    case state_kind::event_window:
      return "a window over event time";
  }
  return "what this version does not know";
}

/// Failures of the store and of what it holds are never the record's fault: they must not end in a dead letter.
template <class F>
auto as_store_failure(F f) {
  try {
    return f();
  } catch (store_error const&) { throw; } catch (error const& e) {
    std::string_view const what = e.what();
    throw store_error(e.code(), std::string{what.starts_with("sluice: ") ? what.substr(8) : what});
  }
}

[[noreturn]] inline void unreadable_row(std::string const& name, std::string_view what, topic_partition const& of,
                                        errc code, std::string_view why) {
  if (why.starts_with("sluice: ")) why.remove_prefix(8);
  throw store_error(code, "state \"" + name + "\": " + std::string{what} + " in " + to_string(of) +
                              " can't be read: " + std::string{why} +
                              "; run the program that wrote it, or give the codec a version that reads it. Nothing was "
                              "changed");
}

/// A key or value as it was stored. Throws store_error, naming everything but the bytes.
template <class T>
T read_stored(std::string const& name, std::string_view what, std::size_t key_size, topic_partition const& of,
              std::string_view data) {
  auto const which = std::string{what} + " of a key of " + std::to_string(key_size) + " bytes";
  try {
    return decoded<T>(data);
  } catch (error const& e) {
    unreadable_row(name, which, of, e.code() == errc::store_newer ? errc::store_newer : errc::store_damaged, e.what());
  } catch (std::exception const& e) { unreadable_row(name, which, of, errc::store_damaged, e.what()); }
}

/// `who`, an operator, is going to read and write the rows of this name. Throws store_error where another one has, in the same transaction.
template <class Transaction>
state_store<Transaction> store_of(Transaction& tx, std::string const& name, void const* who) {
  if constexpr (requires { tx.states_in_use(); }) tx.states_in_use().add(name, who);
  return as_store_failure([&] { return state_store<Transaction>{tx, name}; });
}

inline void check_state_name(std::string const& name) {
  if (!is_sql_name(name))
    throw store_error(errc::bad_configuration, "a state's .name is \"" + name +
                                                   "\": give 1 to 63 letters, digits and underscores, no digit first");
}

/// Reads with the first rows that a state needs, writes with those that it changes.
template <class Transaction>
class state_parts {
  struct one {
    topic_partition const* of = nullptr;
    state_mark mark{};
    bool changed = false;
    std::uint64_t fresh = 0;
  };
  std::string const& name_;
  partition_growth growth_;
  state_kind kind_;
  std::vector<one> parts_{};
  std::vector<topic_partition> topics_{};  // each once, as partition -1
  std::vector<std::int32_t> counts_{};     // -1: none is stored
  std::deque<std::string> written_{};

 public:
  state_parts(std::string const& name, partition_growth growth, batch const& b, state_kind kind)
      : name_(name), growth_(growth), kind_(kind) {
    for (auto const& range : b.ranges()) {
      parts_.push_back({.of = &range.of});
      bool known = false;
      for (auto const& t : topics_) known = known || t.topic == range.of.topic;
      if (!known) topics_.push_back({range.of.topic, -1});
    }
    counts_.assign(topics_.size(), -1);
  }

  std::size_t size() const { return parts_.size(); }
  topic_partition const& of(std::size_t i) const { return *parts_[i].of; }
  state_mark& mark(std::size_t i) { return parts_[i].mark; }
  void changed(std::size_t i) { parts_[i].changed = true; }
  bool is_changed(std::size_t i) const { return parts_[i].changed; }
  /// As it stands in the store once finish() is written.
  std::uint64_t stamp(std::size_t i) const { return parts_[i].changed ? parts_[i].fresh : parts_[i].mark.stamp; }

  /// The first rows of the first read.
  void ask(std::vector<state_row>& rows) const {
    for (auto const& p : parts_) rows.push_back({.of = p.of, .key = mark_key});
    for (auto const& t : topics_) rows.push_back({.of = &t, .key = count_key});
  }
  std::size_t asked() const { return parts_.size() + topics_.size(); }
  /// Row `i` of those.
  void found(std::size_t i, std::string_view value) {
    if (i >= parts_.size()) {
      auto const t = i - parts_.size();
      counts_[t] = read_stored<std::int32_t>(name_, "the number of partitions", 0, topics_[t], value);
      return;
    }
    auto& p = parts_[i];
    try {
      decoder from{value};
      auto const format = from.number<std::uint8_t>();
      if (format == 0 || format > mark_format)
        throw unreadable(
            format > mark_format ? errc::store_newer : errc::store_damaged,
            "it is in format " + std::to_string(format) + ", this version knows up to " + std::to_string(mark_format));
      if (format > 1) check_kind(*p.of, from.get<state_kind>());
      p.mark.stamp = from.number<std::uint64_t>();
      p.mark.extra = from.raw(from.left());
    } catch (unreadable const& e) { unreadable_row(name_, "the mark", *p.of, e.code(), e.what()); }
  }
  /// Once all is found. Throws where a partition is beyond those that the state was begun with.
  void check(state_store<Transaction>& store) {
    for (std::size_t t = 0; t < topics_.size(); ++t) {
      auto count = counts_[t] >= 0 ? counts_[t] : store.partitions(topics_[t].topic);
      for (auto const& p : parts_) {
        if (p.of->topic != topics_[t].topic || p.of->partition < count) continue;
        if (counts_[t] < 0)
          count = p.of->partition + 1;
        else if (growth_ == partition_growth::error)
          throw store_error(
              errc::bad_configuration,
              "state \"" + name_ + "\" was begun when " + p.of->topic + " had " + std::to_string(counts_[t]) +
                  " partitions, and " + to_string(*p.of) +
                  " was added: keys may go there now and leave their state behind. Build the state anew, under another "
                  ".name and group, or say .when_partitions_grow = partition_growth::accept");
      }
      if (counts_[t] < 0) written_.push_back(encoded(count));
    }
  }

  /// Rows that go with the others, each time that some are written. Valid as long as this.
  void finish(std::vector<state_row>& rows) {
    bool any = false;
    for (auto const& p : parts_) any = any || p.changed;
    if (!any) return;
    auto count = written_.begin();
    for (std::size_t t = 0; t < topics_.size(); ++t)
      if (counts_[t] < 0) rows.push_back({.of = &topics_[t], .key = count_key, .value = *count++});
    for (auto& p : parts_) {
      if (!p.changed) continue;
      p.fresh = random_64() | 1;
      auto& data = written_.emplace_back();
      encoder to{data};
      to.number(mark_format);
      to.put(kind_);
      to.number(p.fresh);
      to.raw(p.mark.extra);
      rows.push_back({.of = p.of, .key = mark_key, .value = data});
    }
  }

 private:
  void check_kind(topic_partition const& of, state_kind there) const {
    if (there != kind_)
      throw store_error(errc::bad_configuration, "state \"" + name_ + "\" in " + to_string(of) + " holds " +
                                                     std::string{to_string(there)} + ", and the operator keeps " +
                                                     std::string{to_string(kind_)} +
                                                     ": give it a .name of its own. Nothing was changed");
  }
};

/// A user's key as it is stored.
template <class Key>
void write_key(std::string const& name, std::string& to, Key const& key) {
  to.assign(1, user_key);
  encoder{to}.put(key);
  if (to.size() > longest_state_key)
    throw error(errc::bad_statement, "state \"" + name + "\": a key takes " + std::to_string(to.size()) +
                                         " bytes, and no more than " + std::to_string(longest_state_key) +
                                         " can be stored: use a hash of it");
}

}  // namespace detail
}}  // namespace sluice::v0
