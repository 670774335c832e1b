/// \file output/print.hpp  The first records of each batch, for people to see that a stream runs.
#pragma once
#include <sluice/batch.hpp>

#include <concepts>
#include <functional>
#include <iostream>
#include <ranges>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace sluice { inline namespace v0 {

namespace detail {

/// Control characters as `\x1b`, so that a record can't change a terminal.
template <class Out>
void print_text(Out& out, std::string_view text) {
  for (char const c : text) {
    auto const byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f)
      out << c;
    else
      out << "\\x" << "0123456789abcdef"[byte >> 4] << "0123456789abcdef"[byte & 15];
  }
}

}  // namespace detail

/// A handler that prints the time of a batch and its first records, as Spark's print() does:
///
///     -------------------------------------------
///     Time: 1700000000000 ms
///     -------------------------------------------
///     …
///
/// For at_most_once, at_least_once and transactional: what is handled again is printed again, so for `idempotent` you
/// would have to answer for it (assume_idempotent). Alone, or beside others: `all_of(out, print{.most = 3})`. A batch that is
/// printed goes to `out` in one piece; `out` outlives the handler. One thread.
///
/// Results are printed likewise, a pair as `(key,value)`: those of a window, where it stands in the place of `emit`, and any others
/// with their time:
///
///     sl::print{}(batch.time(), sl::reduce_by_key(batch, client_of, one, std::plus{}));
struct print {
  std::size_t most = 10;  ///< records of each batch, or results; of what is more `...` is told
  std::ostream* out = &std::cout;
  std::size_t longest = 1000;  ///< bytes of a record's or result's text; behind them stands `…`
  /// What is printed of a record; empty: its value, and of a tombstone `(null)`. Control characters are made harmless.
  std::function<std::string(record)> format{};

  void operator()(batch const& b) const {
    lines(b.time(), b,
          [&](record r) { return format ? format(r) : std::string(r.is_tombstone() ? "(null)" : r.text()); });
  }
  template <class Transaction>
  void operator()(batch const& b, Transaction&) const {
    (*this)(b);
  }
  /// A range of results, or a single one; an empty std::optional is none.
  template <class Results>
  void operator()(wall_time time, Results const& results) const {
    if constexpr (requires(std::ostream& to) { to << results; })
      lines(time, std::span{&results, 1}, text_of<Results>);
    else if constexpr (requires { results.has_value(); })
      lines(time, std::span{results ? &*results : nullptr, results ? 1u : 0u},
            text_of<std::decay_t<decltype(*results)>>);
    else
      lines(time, results, text_of<std::ranges::range_value_t<Results const>>);
  }
  /// Of a window: `span.end` is its time.
  template <class Span, class Results>
    requires requires(Span const& span) {
      { span.end } -> std::convertible_to<wall_time>;
    }
  void operator()(Span const& span, Results const& results) const {
    (*this)(span.end, results);
  }

 private:
  template <class Result>
  static std::string text_of(Result const& one) {
    std::ostringstream text;
    if constexpr (requires { text << one.first << one.second; })
      text << '(' << one.first << ',' << one.second << ')';
    else
      text << one;
    return std::move(text).str();
  }
  template <class All, class TextOf>
  void lines(wall_time time, All const& all, TextOf text_of_one) const {
    *out << "-------------------------------------------\nTime: " << time.time_since_epoch().count()
         << " ms\n-------------------------------------------\n";
    std::size_t n = 0;
    for (auto const& one : all) {
      if (n++ == most) {
        *out << "...\n";
        break;
      }
      std::string const text = text_of_one(one);
      detail::print_text(*out, std::string_view{text}.substr(0, longest));
      *out << (text.size() > longest ? "…\n" : "\n");
    }
    *out << '\n' << std::flush;
  }
};

}}  // namespace sluice::v0
