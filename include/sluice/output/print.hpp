/// \file output/print.hpp  The first records of each batch, for people to see that a stream runs.
#pragma once
#include <sluice/batch.hpp>

#include <functional>
#include <iostream>
#include <string>
#include <string_view>

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
struct print {
  std::size_t most = 10;  ///< records of each batch; of what is more `...` is told
  std::ostream* out = &std::cout;
  std::size_t longest = 1000;  ///< bytes of a record's text; behind them stands `…`
  /// What is printed of a record; empty: its value, and of a tombstone `(null)`. Control characters are made harmless.
  std::function<std::string(record)> format{};

  void operator()(batch const& b) const {
    *out << "-------------------------------------------\nTime: " << b.time().time_since_epoch().count()
         << " ms\n-------------------------------------------\n";
    std::size_t n = 0;
    for (record const r : b) {
      if (n++ == most) {
        *out << "...\n";
        break;
      }
      std::string const text = format ? format(r) : std::string(r.is_tombstone() ? "(null)" : r.text());
      detail::print_text(*out, std::string_view{text}.substr(0, longest));
      *out << (text.size() > longest ? "…\n" : "\n");
    }
    *out << '\n' << std::flush;
  }
  template <class Transaction>
  void operator()(batch const& b, Transaction&) const {
    (*this)(b);
  }
};

}}  // namespace sluice::v0
