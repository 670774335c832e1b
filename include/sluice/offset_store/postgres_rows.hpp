/// \file offset_store/postgres_rows.hpp  The rows that a PostgreSQL query answers, and the C++ values that they give.
#pragma once
#include <sluice/offset_store/postgres_connection.hpp>

#include <iterator>
#include <tuple>
#include <utility>

namespace sluice { inline namespace v0 {

class postgres_transaction;
class postgres_rows;

/// One row of an answer. It and its text and bytes are valid as long as the postgres_rows.
class postgres_row {
  postgres_rows* rows_;
  int row_;

  [[noreturn]] static void wrong(int i, std::string const& what) {
    throw error(errc::bad_statement, "postgres: column " + std::to_string(i) + " of the answer " + what);
  }
  inline std::string_view text(int i) const;
  inline unsigned type(int i) const;
  inline bool null(int i) const;
  inline std::string_view unescaped(int i) const;

 public:
  postgres_row(postgres_rows* rows, int row) : rows_(rows), row_(row) {}
  inline int size() const;

  /// Column `i` (from 0) as an integer, floating point, bool, offset, std::string, std::string_view, bytes, or
  /// std::optional of one of these for a column that may be null. As text any column can be read, as PostgreSQL writes it
  /// (a bytea as its bytes). Throws error(bad_statement) where the column holds something else.
  template <class T>
  T get(int i) const {
    if (i < 0 || i >= size()) wrong(i, "is not there: it has " + std::to_string(size()));
    if constexpr (detail::is_optional<T>) {
      if (null(i)) return std::nullopt;
      return get<typename T::value_type>(i);
    } else {
      if (null(i)) wrong(i, "is null: read it as std::optional");
      auto const t = text(i);
      if constexpr (std::same_as<T, offset>) {
        return offset{get<std::int64_t>(i)};
      } else if constexpr (std::same_as<T, bool>) {
        if (type(i) != detail::postgres::bool_type) wrong(i, "is no boolean");
        return t == "t";
      } else if constexpr (std::integral<T> || std::floating_point<T>) {
        T n{};
        auto const [end, failed] = std::from_chars(t.data(), t.data() + t.size(), n);
        if (failed == std::errc::result_out_of_range) wrong(i, "does not fit into the type asked for");
        if (failed != std::errc{} || end != t.data() + t.size())
          wrong(i, std::integral<T> ? "is no integer of that type" : "is no number");
        return n;
      } else if constexpr (std::same_as<T, bytes>) {
        if (type(i) != detail::postgres::bytea_type) wrong(i, "is no bytea");
        return as_bytes(unescaped(i));
      } else if constexpr (std::same_as<T, std::string> || std::same_as<T, std::string_view>) {
        return T(type(i) == detail::postgres::bytea_type ? unescaped(i) : t);
      } else {
        static_assert(detail::dependent_false<T>,
                      "sluice: a column is read as an integer, floating point, bool, offset, std::string,"
                      " std::string_view, bytes, or std::optional of one of these");
      }
    }
  }

  /// The first columns at once: `auto [id, name] = row.as<std::int64_t, std::string_view>();`
  template <class... T>
  std::tuple<T...> as() const {
    return detail::row_as<T...>(*this);
  }
};

/// The rows of an answer, all of them in memory: `for (auto row : tx.query("select …")) …`.
class postgres_rows {
  friend postgres_row;
  detail::postgres::result r_;
  std::vector<std::unique_ptr<std::string>> unescaped_{};

 public:
  explicit postgres_rows(detail::postgres::result r) : r_(std::move(r)) {}

  class iterator {
    postgres_rows* rows_ = nullptr;
    int row_ = 0;

   public:
    using value_type = postgres_row;
    using difference_type = std::ptrdiff_t;
    iterator() = default;
    iterator(postgres_rows* rows, int row) : rows_(rows), row_(row) {}
    postgres_row operator*() const { return {rows_, row_}; }
    iterator& operator++() {
      ++row_;
      return *this;
    }
    iterator operator++(int) {
      auto const before = *this;
      ++row_;
      return before;
    }
    friend bool operator==(iterator const& a, iterator const& b) { return a.row_ == b.row_; }
  };
  iterator begin() { return {this, 0}; }
  iterator end() { return {this, r_.rows()}; }
  std::size_t size() const { return static_cast<std::size_t>(r_.rows()); }
  bool empty() const { return r_.rows() == 0; }
};

inline int postgres_row::size() const { return PQnfields(rows_->r_.get()); }
inline std::string_view postgres_row::text(int i) const { return rows_->r_.text(row_, i); }
inline unsigned postgres_row::type(int i) const { return PQftype(rows_->r_.get(), i); }
inline bool postgres_row::null(int i) const { return rows_->r_.null(row_, i); }
inline std::string_view postgres_row::unescaped(int i) const {
  std::size_t size = 0;
  auto const* escaped = reinterpret_cast<unsigned char const*>(text(i).data());
  std::unique_ptr<unsigned char, void (*)(void*)> const raw{PQunescapeBytea(escaped, &size), PQfreemem};
  if (!raw) throw std::bad_alloc();
  rows_->unescaped_.push_back(std::make_unique<std::string>(reinterpret_cast<char const*>(raw.get()), size));
  return *rows_->unescaped_.back();
}

}}  // namespace sluice::v0
