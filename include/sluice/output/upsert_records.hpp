/// \file output/upsert_records.hpp  What all upserts share: names of columns, and how a batch's records reach the mapping.
#pragma once
#include <sluice/batch.hpp>
#include <sluice/detail/late.hpp>
#include <sluice/detail/sql_values.hpp>
#include <sluice/error.hpp>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail {

/// The record that the mapping is at.
struct mapped_record {
  record now{};
  std::string partition{};  // as "topic/0"
};

template <class Map, class Row>
void map_batch(batch const& b, mapped_record& at, Map& map, Row& row) {
  for (auto const part : b.partitions()) {
    at.partition = to_string((*part.ranges().begin()).of);
    for (record r : part) {
      at.now = r;
      map(r, row);
    }
  }
}

/// An output whose rows are collected, and written at the batch's end. Row: at_, clear(), write().
template <class Row, class Map>
class collected_upsert {
  std::unique_ptr<late<Row, Map>> row_;
  Map map_;

 public:
  using idempotent_output = void;

  template <class Into>
  collected_upsert(Into into, Map map)
      : row_(std::make_unique<late<Row, Map>>(std::move(into))), map_(std::move(map)) {}

  void operator()(batch const& b) {
    if (b.size() == 0) return;
    row_->clear();
    map_batch(b, row_->at_, map_, *row_);
    row_->write();
  }
};

/// A value as text or bytes, for stores without types; absent for null.
template <class T>
std::optional<std::string> upsert_text(T const& v) {
  if constexpr (std::is_same_v<T, std::nullptr_t> || std::is_same_v<T, std::nullopt_t>) {
    return std::nullopt;
  } else if constexpr (is_optional<T>) {
    return v ? upsert_text(*v) : std::nullopt;
  } else if constexpr (std::is_same_v<T, bool>) {
    return v ? "1" : "0";
  } else if constexpr (sql_number<T>) {
    return number_text(v);
  } else if constexpr (std::is_convertible_v<T const&, std::string_view>) {
    std::string_view const text = v;
    return text.data() ? std::optional<std::string>{text} : std::nullopt;
  } else if constexpr (std::is_convertible_v<T const&, bytes>) {
    bytes const b = v;
    return b.data() ? std::optional<std::string>{as_text(b)} : std::nullopt;
  } else {
    static_assert(
        dependent_false<T>,
        "sluice: this output takes text, bytes, numbers, bool, std::optional of these, and nullptr; convert this"
        " value to one of them");
  }
}

/// Key and other columns, in order. Each must be one name, and none of the library's own. Throws
/// error(bad_configuration); `check` has looked at what SQL takes.
template <class Check>
std::vector<std::string> upsert_names(std::string const& who, std::vector<std::string> const& key,
                                      std::vector<std::string> const& columns, Check check) {
  if (key.empty()) throw error(errc::bad_configuration, who + ".key names no column: name those that tell rows apart");
  auto all = key;
  all.insert(all.end(), columns.begin(), columns.end());
  for (auto const& n : all) {
    check(who + ", a column's name", n);
    if (n.starts_with("sluice_"))
      throw error(errc::bad_configuration, who + ": a column's name begins with sluice_, which is the library's own");
    if (std::count(all.begin(), all.end(), n) != 1)
      throw error(errc::bad_configuration,
                  std::string(who).append(": the column ").append(n).append(" is named twice"));
  }
  return all;
}

/// Where a row's record stood: as one text of five words.
struct upsert_place {
  std::int64_t version = 0, incarnation = 0, offset = 0;
  bool deleted = false;
  std::string partition{};  // as "topic/0"

  std::string text() const {
    return std::to_string(version) + " " + std::to_string(incarnation) + " " + std::to_string(offset) +
           (deleted ? " 1 " : " 0 ") + partition;
  }
  static std::optional<upsert_place> of(std::string_view text) {
    upsert_place p;
    for (auto* const n : {&p.version, &p.incarnation, &p.offset}) {
      auto const [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), *n);
      if (wrong != std::errc{} || end == text.data() + text.size() || *end != ' ') return {};
      text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
    }
    if (!text.starts_with("0 ") && !text.starts_with("1 ")) return {};
    p.deleted = text[0] == '1';
    p.partition = text.substr(2);
    return p;
  }
  bool newer_than(upsert_place const& o) const {
    return std::tie(version, partition, incarnation, offset) >
           std::tie(o.version, o.partition, o.incarnation, o.offset);
  }
};

[[noreturn]] inline void lacks_columns(std::string const& who, std::string const& table, std::string const& why) {
  throw error(
      errc::bad_configuration,
      std::string(who)
              .append(".table = ")
              .append(table)
              .append(
                  ": that table is there and lacks the columns, or the key, that this output writes: choose another,"
                  " or move its rows into one that the library makes (") +
          why + ")");
}

[[noreturn]] inline void of_two_partitions(std::string const& who, std::string const& bytes, std::string const& comes,
                                           std::string const& came) {
  throw error(errc::bad_statement, who + ": a key of " + bytes + " bytes comes from " + comes + " and came from " +
                                       came + ", so which is newer can't be told by the offset: give .version");
}

}}}  // namespace sluice::v0::detail
