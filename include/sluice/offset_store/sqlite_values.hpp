/// \file offset_store/sqlite_values.hpp  Which C++ values an SQLite statement takes, and which its rows give.
#pragma once
#include <sluice/detail/sql_values.hpp>
#include <sluice/error.hpp>
#include <sluice/record.hpp>

#include <sqlite3.h>

#include <concepts>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace sluice { inline namespace v0 {

namespace detail::sqlite {

inline int bind_text(sqlite3_stmt* s, int i, std::string_view v, sqlite3_destructor_type keep) {
  if (!v.data()) return sqlite3_bind_null(s, i);
  return sqlite3_bind_text64(s, i, v.data(), v.size(), keep, SQLITE_UTF8);
}

/// Binds one value: numbers, bool, offsets, times (ms since 1970), text, bytes (a blob), optional values, null. Text and
/// bytes whose data() is null are null, so a record's missing key or value stays missing.
/// `keep`: SQLITE_STATIC where the value outlives the run, SQLITE_TRANSIENT otherwise.
template <class T>
int bind(sqlite3_stmt* s, int i, T const& v, sqlite3_destructor_type keep) {
  if constexpr (std::same_as<T, std::nullptr_t> || std::same_as<T, std::nullopt_t>) {
    return sqlite3_bind_null(s, i);
  } else if constexpr (is_optional<T>) {
    return v ? bind(s, i, *v, keep) : sqlite3_bind_null(s, i);
  } else if constexpr (std::integral<T>) {
    if constexpr (std::unsigned_integral<T> && sizeof(T) == sizeof(sqlite3_int64))
      if (v > static_cast<T>(std::numeric_limits<sqlite3_int64>::max())) return SQLITE_RANGE;
    return sqlite3_bind_int64(s, i, static_cast<sqlite3_int64>(v));
  } else if constexpr (std::floating_point<T>) {
    return sqlite3_bind_double(s, i, static_cast<double>(v));
  } else if constexpr (std::same_as<T, offset>) {
    return sqlite3_bind_int64(s, i, v.value());
  } else if constexpr (std::same_as<T, wall_time>) {
    return sqlite3_bind_int64(s, i, v.time_since_epoch().count());
  } else if constexpr (std::same_as<T, char const*> || std::same_as<T, char*>) {
    return v ? bind_text(s, i, v, keep) : sqlite3_bind_null(s, i);
  } else if constexpr (std::convertible_to<T const&, std::string_view>) {
    return bind_text(s, i, v, keep);
  } else if constexpr (std::convertible_to<T const&, bytes>) {
    bytes const b = v;
    if (!b.data()) return sqlite3_bind_null(s, i);
    return sqlite3_bind_blob64(s, i, b.data(), b.size(), keep);
  } else {
    static_assert(dependent_false<T>,
                  "sluice: SQLite takes numbers, bool, text, bytes, offsets, times in ms, std::optional of these, and"
                  " nullptr; convert this value to one of them");
  }
}

template <class... A>
int bind_all([[maybe_unused]] sqlite3_stmt* s, [[maybe_unused]] sqlite3_destructor_type keep,
             [[maybe_unused]] A const&... args) {
  [[maybe_unused]] int i = 0;
  int rc = SQLITE_OK;
  ((rc = rc == SQLITE_OK ? bind(s, ++i, args, keep) : rc), ...);
  return rc;
}

}  // namespace detail::sqlite

/// One row of an answer. It and its text and bytes are valid until the next row is asked for.
class sqlite_row {
  sqlite3_stmt* s_ = nullptr;

  [[noreturn]] static void wrong(int i, std::string const& what) {
    throw error(errc::bad_statement, "sqlite: column " + std::to_string(i) + " of the answer " + what);
  }

 public:
  explicit sqlite_row(sqlite3_stmt* s) : s_(s) {}
  int size() const { return sqlite3_data_count(s_); }

  /// Column `i` (from 0) as an integer, double, bool, offset, std::string, std::string_view, bytes, or std::optional of
  /// one of these for a column that may be null. Throws error(bad_statement) where the column holds something else.
  template <class T>
  T get(int i) const {
    if (i < 0 || i >= size()) wrong(i, "is not there: it has " + std::to_string(size()));
    auto const type = sqlite3_column_type(s_, i);
    if constexpr (detail::is_optional<T>) {
      if (type == SQLITE_NULL) return std::nullopt;
      return get<typename T::value_type>(i);
    } else {
      if (type == SQLITE_NULL) wrong(i, "is null: read it as std::optional");
      if constexpr (std::same_as<T, offset>) {
        return offset{get<std::int64_t>(i)};
      } else if constexpr (std::same_as<T, bool>) {
        return get<std::int64_t>(i) != 0;
      } else if constexpr (std::integral<T>) {
        if (type != SQLITE_INTEGER) wrong(i, "is no integer");
        auto const n = sqlite3_column_int64(s_, i);
        if (static_cast<sqlite3_int64>(static_cast<T>(n)) != n || (std::unsigned_integral<T> && n < 0))
          wrong(i, "does not fit into the type asked for");
        return static_cast<T>(n);
      } else if constexpr (std::floating_point<T>) {
        if (type != SQLITE_FLOAT && type != SQLITE_INTEGER) wrong(i, "is no number");
        return static_cast<T>(sqlite3_column_double(s_, i));
      } else if constexpr (std::same_as<T, bytes> || std::same_as<T, std::string> ||
                           std::same_as<T, std::string_view>) {
        if (type != SQLITE_TEXT && type != SQLITE_BLOB) wrong(i, "is neither text nor bytes");
        auto const* data = static_cast<char const*>(sqlite3_column_blob(s_, i));
        std::string_view const all{data ? data : "", static_cast<std::size_t>(sqlite3_column_bytes(s_, i))};
        if constexpr (std::same_as<T, bytes>)
          return as_bytes(all);
        else
          return T(all);
      } else {
        static_assert(detail::dependent_false<T>,
                      "sluice: a column is read as an integer, double, bool, offset, std::string, std::string_view,"
                      " bytes, or std::optional of one of these");
      }
    }
  }

  /// The first columns at once: `auto [id, name] = row.as<std::int64_t, std::string_view>();`
  template <class... T>
  std::tuple<T...> as() const {
    return detail::row_as<T...>(*this);
  }
};

}}  // namespace sluice::v0
