/// \file offset_store/mysql_values.hpp  Which C++ values a MariaDB statement takes, and which its rows give.
#pragma once
#include <sluice/offset_store/mysql_connection.hpp>

#include <deque>
#include <tuple>
#include <variant>

namespace sluice { inline namespace v0 {

namespace detail::mysql {

/// The values of one run of a statement, which must outlive it: numbers, bool, offsets, times (ms since 1970), text, bytes (a
/// blob), optional values, null. Text and bytes whose data() is null are null, so a record's missing key or value stays so.
class parameters {
  struct slot {
    long long number = 0;
    double real = 0;
    unsigned long length = 0;
  };
  std::vector<MYSQL_BIND> binds_;
  std::vector<slot> slots_;
  std::size_t bytes_ = 0;

 public:
  template <class... A>
  explicit parameters(A const&... values) : binds_(sizeof...(A)), slots_(sizeof...(A)) {
    [[maybe_unused]] std::size_t i = 0;
    (bind(i++, values), ...);
  }
  MYSQL_BIND* get() { return binds_.data(); }
  std::size_t size() const { return binds_.size(); }
  /// What the texts and bytes hold.
  std::size_t bytes_held() const { return bytes_; }

 private:
  void null(std::size_t i) { binds_[i].buffer_type = MYSQL_TYPE_NULL; }
  void data(std::size_t i, enum_field_types type, void const* begin, std::size_t size) {
    if (!begin) return null(i);
    binds_[i].buffer_type = type;
    binds_[i].buffer = const_cast<void*>(begin);
    binds_[i].buffer_length = slots_[i].length = size;
    binds_[i].length = &slots_[i].length;
    bytes_ += size;
  }
  template <class T>
  void integer(std::size_t i, T n) {
    slots_[i].number = static_cast<long long>(n);
    binds_[i].buffer_type = MYSQL_TYPE_LONGLONG;
    binds_[i].buffer = &slots_[i].number;
    binds_[i].is_unsigned = std::unsigned_integral<T>;
  }
  template <class T>
  void bind(std::size_t i, T const& v) {
    if constexpr (std::same_as<T, std::nullptr_t> || std::same_as<T, std::nullopt_t>) {
      null(i);
    } else if constexpr (is_optional<T>) {
      v ? bind(i, *v) : null(i);
    } else if constexpr (std::integral<T>) {
      integer(i, v);
    } else if constexpr (std::floating_point<T>) {
      slots_[i].real = static_cast<double>(v);
      binds_[i].buffer_type = MYSQL_TYPE_DOUBLE;
      binds_[i].buffer = &slots_[i].real;
    } else if constexpr (std::same_as<T, offset>) {
      integer(i, v.value());
    } else if constexpr (std::same_as<T, wall_time>) {
      integer(i, v.time_since_epoch().count());
    } else if constexpr (std::same_as<T, char const*> || std::same_as<T, char*>) {
      data(i, MYSQL_TYPE_STRING, v, v ? std::string_view{v}.size() : 0);
    } else if constexpr (std::convertible_to<T const&, std::string_view>) {
      std::string_view const text = v;
      data(i, MYSQL_TYPE_STRING, text.data(), text.size());
    } else if constexpr (std::convertible_to<T const&, bytes>) {
      bytes const b = v;
      data(i, MYSQL_TYPE_BLOB, b.data(), b.size());
    } else {
      static_assert(dependent_false<T>,
                    "sluice: MariaDB takes numbers, bool, text, bytes, offsets, times in ms, std::optional of these,"
                    " and nullptr; convert this value to one of them");
    }
  }
};

/// One column of many rows, for a statement that is run for all of them at once. Numbers go as text.
class many_values {
  std::deque<std::string> texts_{};
  std::vector<char> indicators_{};
  std::vector<char*> starts_{};
  std::vector<unsigned long> lengths_{};
  enum_field_types type_ = MYSQL_TYPE_STRING;

  void text(std::string t) {
    texts_.push_back(std::move(t));
    indicators_.push_back(STMT_INDICATOR_NONE);
  }

 public:
  /// Answers how many bytes it took.
  template <class T>
  std::size_t add(T const& v) {
    if constexpr (is_optional<T>) {
      return v ? add(*v) : null();
    } else if constexpr (std::same_as<T, std::nullptr_t> || std::same_as<T, std::nullopt_t>) {
      return null();
    } else if constexpr (sql_number<T>) {
      text(number_text(v));
    } else if constexpr (std::same_as<T, char const*> || std::same_as<T, char*>) {
      if (!v) return null();
      text(v);
    } else if constexpr (std::convertible_to<T const&, std::string_view>) {
      std::string_view const t = v;
      if (!t.data()) return null();
      text(std::string(t));
    } else {
      bytes const b = v;
      type_ = MYSQL_TYPE_BLOB;
      if (!b.data()) return null();
      text(std::string(as_text(b)));
    }
    return texts_.back().size();
  }
  std::size_t null() {
    texts_.emplace_back();
    indicators_.push_back(STMT_INDICATOR_NULL);
    return 0;
  }
  /// The first `rows` of them.
  void forget(std::size_t rows) {
    auto const n = static_cast<std::ptrdiff_t>(rows);
    texts_.erase(texts_.begin(), texts_.begin() + n);
    indicators_.erase(indicators_.begin(), indicators_.begin() + n);
  }
  /// Null, or the value's text.
  std::optional<std::string_view> at(std::size_t row) const {
    if (indicators_[row] == STMT_INDICATOR_NULL) return std::nullopt;
    return texts_[row];
  }
  /// Valid until the next change.
  MYSQL_BIND bind() {
    starts_.clear();
    lengths_.clear();
    for (auto& t : texts_) {
      starts_.push_back(t.data());
      lengths_.push_back(t.size());
    }
    MYSQL_BIND b{};
    b.buffer_type = type_;
    b.buffer = static_cast<void*>(starts_.data());
    b.length = lengths_.data();
    b.u.indicator = indicators_.data();
    return b;
  }
};

/// One value of a row.
struct cell {
  std::variant<std::monostate, std::int64_t, std::uint64_t, double, std::string> value{};
  bool binary = false;  // bytes, not text
};

}  // namespace detail::mysql

/// One row of an answer. It and its text and bytes are valid as long as the mysql_rows.
class mysql_row {
  detail::mysql::cell const* cells_;
  int size_;

  [[noreturn]] static void wrong(int i, std::string const& what) {
    throw error(errc::bad_statement, "mysql: column " + std::to_string(i) + " of the answer " + what);
  }
  template <class T, class N>
  static T fitting(int i, N n) {
    if (!std::in_range<T>(n)) wrong(i, "does not fit into the type asked for");
    return static_cast<T>(n);
  }

 public:
  mysql_row(detail::mysql::cell const* cells, int size) : cells_(cells), size_(size) {}
  int size() const { return size_; }

  /// Column `i` (from 0) as an integer, floating point, bool, offset, std::string, std::string_view, bytes, or std::optional
  /// of one of these for a column that may be null. Decimals and dates are read as text, decimals as numbers too; bytes also
  /// as text. Throws error(bad_statement) where the column holds something else.
  template <class T>
  T get(int i) const {
    if (i < 0 || i >= size()) wrong(i, "is not there: it has " + std::to_string(size()));
    auto const& v = cells_[i].value;
    bool const null = std::holds_alternative<std::monostate>(v);
    if constexpr (detail::is_optional<T>) {
      if (null) return std::nullopt;
      return get<typename T::value_type>(i);
    } else {
      if (null) wrong(i, "is null: read it as std::optional");
      auto const* text = std::get_if<std::string>(&v);
      if constexpr (std::same_as<T, offset>) {
        return offset{get<std::int64_t>(i)};
      } else if constexpr (std::same_as<T, bool>) {
        return get<std::int64_t>(i) != 0;
      } else if constexpr (std::integral<T>) {
        if (auto const* n = std::get_if<std::int64_t>(&v)) return fitting<T>(i, *n);
        if (auto const* n = std::get_if<std::uint64_t>(&v)) return fitting<T>(i, *n);
        return parsed<T>(i, text);
      } else if constexpr (std::floating_point<T>) {
        if (auto const* n = std::get_if<double>(&v)) return static_cast<T>(*n);
        if (auto const* n = std::get_if<std::int64_t>(&v)) return static_cast<T>(*n);
        if (auto const* n = std::get_if<std::uint64_t>(&v)) return static_cast<T>(*n);
        return parsed<T>(i, text);
      } else if constexpr (std::same_as<T, bytes>) {
        if (!text || !cells_[i].binary) wrong(i, "holds no bytes");
        return as_bytes(*text);
      } else if constexpr (std::same_as<T, std::string> || std::same_as<T, std::string_view>) {
        if (!text) wrong(i, "is a number");
        return T(*text);
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

 private:
  template <class T>
  static T parsed(int i, std::string const* text) {
    T n{};
    if (text) {
      auto const [end, failed] = std::from_chars(text->data(), text->data() + text->size(), n);
      if (failed == std::errc{} && end == text->data() + text->size()) return n;
    }
    wrong(i, std::integral<T> ? "is no integer of that type" : "is no number");
  }
};

/// The rows of an answer, all of them in memory: `for (auto row : tx.query("select …")) …`.
class mysql_rows {
  std::vector<std::vector<detail::mysql::cell>> rows_{};

 public:
  mysql_rows() = default;
  explicit mysql_rows(std::vector<std::vector<detail::mysql::cell>> rows) : rows_(std::move(rows)) {}

  class iterator {
    std::vector<detail::mysql::cell> const* row_ = nullptr;

   public:
    using value_type = mysql_row;
    using difference_type = std::ptrdiff_t;
    iterator() = default;
    explicit iterator(std::vector<detail::mysql::cell> const* row) : row_(row) {}
    mysql_row operator*() const { return {row_->data(), static_cast<int>(row_->size())}; }
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
  iterator begin() const { return iterator{rows_.data()}; }
  iterator end() const { return iterator{rows_.data() + rows_.size()}; }
  std::size_t size() const { return rows_.size(); }
  bool empty() const { return rows_.empty(); }
};

}}  // namespace sluice::v0
