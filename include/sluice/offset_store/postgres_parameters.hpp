/// \file offset_store/postgres_parameters.hpp  Which C++ values a PostgreSQL statement takes, alone and as arrays.
#pragma once
#include <sluice/detail/sql_values.hpp>
#include <sluice/error.hpp>
#include <sluice/record.hpp>

#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail::postgres {

inline constexpr unsigned bytea_type = 17;
inline constexpr unsigned bool_type = 16;

/// PostgreSQL's text holds any character but this one; in a parameter it would end the text before its end.
inline std::string checked_text(std::string_view v) {
  if (v.find('\0') != v.npos)
    throw error(errc::bad_statement,
                "postgres: a text holds a zero byte, which PostgreSQL's texts can't: bind it as sl::bytes, into bytea");
  return std::string(v);
}

/// `\x…`, as bytea is written.
inline std::string hex_text(bytes b) {
  std::string text = "\\x";
  text.reserve(2 + 2 * b.size());
  for (auto const byte : b) {
    text += "0123456789abcdef"[std::to_integer<unsigned>(byte) >> 4];
    text += "0123456789abcdef"[std::to_integer<unsigned>(byte) & 15];
  }
  return text;
}

/// The text of a value: numbers, bool, offsets, times (ms since 1970), text, bytes (as bytea), optional values, null.
/// Text and bytes whose data() is null are null, so a record's missing key or value stays missing.
template <class T>
std::optional<std::string> text_of(T const& v) {
  if constexpr (std::same_as<T, std::nullptr_t> || std::same_as<T, std::nullopt_t>) {
    return std::nullopt;
  } else if constexpr (is_optional<T>) {
    return v ? text_of(*v) : std::nullopt;
  } else if constexpr (std::same_as<T, bool>) {
    return v ? "t" : "f";
  } else if constexpr (sql_number<T>) {
    return number_text(v);
  } else if constexpr (std::same_as<T, char const*> || std::same_as<T, char*>) {
    if (!v) return std::nullopt;
    return std::string(v);
  } else if constexpr (std::convertible_to<T const&, std::string_view>) {
    std::string_view const text = v;
    if (!text.data()) return std::nullopt;
    return checked_text(text);
  } else if constexpr (std::convertible_to<T const&, bytes>) {
    bytes const b = v;
    if (!b.data()) return std::nullopt;
    return hex_text(b);
  } else {
    static_assert(dependent_false<T>,
                  "sluice: PostgreSQL takes numbers, bool, text, bytes, offsets, times in ms, std::optional of these,"
                  " and nullptr; convert this value to one of them");
  }
}

/// bytea has its own type; of all else the server infers the type from where the parameter stands.
template <class T>
constexpr unsigned type_of() {
  if constexpr (is_optional<T>)
    return type_of<typename T::value_type>();
  else
    return !std::convertible_to<T const&, std::string_view> && std::convertible_to<T const&, bytes> ? bytea_type : 0;
}

/// The values of a statement's parameters, in order.
class parameters {
  std::vector<std::optional<std::string>> texts_{};
  std::vector<unsigned> types_{};
  mutable std::vector<char const*> values_{};

 public:
  struct pointers {
    int count;
    unsigned const* types;
    char const* const* values;
    int const* lengths;
    int const* formats;
  };

  template <class... A>
  static parameters of(A const&... args) {
    parameters p;
    (p.add(args), ...);
    return p;
  }
  template <class T>
  parameters& add(T const& v) {
    texts_.push_back(text_of(v));
    types_.push_back(type_of<T>());
    return *this;
  }
  std::vector<unsigned> const& types() const { return types_; }
  /// For libpq; valid until the next change.
  pointers view() const {
    values_.clear();
    for (auto const& t : texts_) values_.push_back(t ? t->c_str() : nullptr);
    return {static_cast<int>(texts_.size()), types_.data(), values_.data(), nullptr, nullptr};
  }
};

/// An array parameter, as `{…}`: one column of many rows.
class array {
  std::string text_ = "{";

  void next() {
    if (text_.size() > 1) text_ += ',';
  }
  void in_quotes(std::string_view v) {
    text_ += '"';
    for (char const c : v) {
      if (c == '"' || c == '\\') text_ += '\\';
      text_ += c;
    }
    text_ += '"';
  }

 public:
  template <class T>
  array& add(T const& v) {
    next();
    if (auto const text = text_of(v))
      in_quotes(*text);
    else
      text_ += "null";
    return *this;
  }
  std::string text() const { return text_ + "}"; }
};

}}}  // namespace sluice::v0::detail::postgres
