/// \file detail/kept_letters.hpp  Records that were set aside, kept until their partition's advance writes them into a table.
#pragma once
#include <sluice/detail/letter_json.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail {

/// A dead letter that outlives its record.
struct kept_letter {
  std::string table{};
  topic_partition of{};
  std::int64_t at = 0;
  std::int64_t incarnation = 0;
  std::int64_t timestamp = 0;
  std::optional<std::string> key{};
  std::optional<std::string> value{};
  std::optional<std::string> headers{};  // as JSON
  std::string error{};
  unsigned attempts = 0;
  wall_time first{};

  static kept_letter of_letter(std::string const& table, dead_letter const& l) {
    auto const r = l.what;
    kept_letter k{table,
                  {std::string(r.topic()), r.partition()},
                  r.offset().value(),
                  r.incarnation(),
                  r.timestamp().time_since_epoch().count(),
                  {},
                  {},
                  headers_column(r),
                  l.error,
                  l.attempts,
                  l.first};
    if (r.has_key()) k.key = r.key_text();
    if (!r.is_tombstone()) k.value = r.text();
    return k;
  }
};

class kept_letters {
  std::vector<kept_letter> waiting_{};

 public:
  void keep(std::string const& table, dead_letter const& l) { waiting_.push_back(kept_letter::of_letter(table, l)); }
  bool empty() const { return waiting_.empty(); }
  void forget(topic_partition const& of) {
    waiting_.erase(std::remove_if(waiting_.begin(), waiting_.end(), [&](auto const& k) { return k.of == of; }),
                   waiting_.end());
  }
  template <class F>
  void each_of(topic_partition const& of, F f) const {
    for (auto const& k : waiting_)
      if (k.of == of) f(k);
  }
};

/// The same for a store that writes them into tables, each prepared beforehand.
class table_letters {
  std::vector<std::string> known_{};
  kept_letters waiting_{};

 public:
  void known(std::string const& table) { known_.push_back(table); }
  bool is_known(std::string const& table) const {
    return std::find(known_.begin(), known_.end(), table) != known_.end();
  }
  void must_be_known(std::string const& table) const {
    if (!is_known(table))
      throw error(errc::bad_configuration, "a record is to be set aside in a table that was not prepared");
  }

  /// For the next advance of its partition.
  void keep(std::string const& table, dead_letter const& l) {
    must_be_known(table);
    waiting_.keep(table, l);
  }
  bool empty() const { return waiting_.empty(); }
  void forget(topic_partition const& of) { waiting_.forget(of); }
  template <class F>
  void each_of(topic_partition const& of, F f) const {
    waiting_.each_of(of, f);
  }
};

}}}  // namespace sluice::v0::detail
