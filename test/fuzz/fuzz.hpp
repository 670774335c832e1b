/// \file fuzz.hpp  What the fuzz targets share: what must hold of any input, and an input taken apart.
///
/// A target is one file with one LLVMFuzzerTestOneInput. With clang it is linked with libFuzzer; with any compiler it is
/// a program that runs its corpus (corpus.cpp).
#pragma once
#include <sluice/error.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);

namespace fuzz {

namespace sl = sluice;

/// Ends the program where it does not hold: libFuzzer then keeps the input.
inline void must(bool holds, char const* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

inline std::string_view text_of(std::uint8_t const* data, std::size_t size) {
  return {reinterpret_cast<char const*>(data), size};
}

/// An input taken from its front, piece by piece. What is not there any more is empty, or 0.
class pieces {
  std::string_view left_;

 public:
  explicit pieces(std::string_view all) : left_(all) {}
  bool empty() const { return left_.empty(); }
  std::string_view rest() const { return left_; }
  /// Up to the next `end`, which is left out.
  std::string until(char end) {
    auto const size = left_.find(end);
    std::string const piece{left_.substr(0, size)};
    left_.remove_prefix(size == left_.npos ? left_.size() : size + 1);
    return piece;
  }
  std::string line() { return until('\n'); }
  std::uint64_t number() {
    std::uint64_t n = 0;
    for (int i = 0; i < 8 && !left_.empty(); ++i) {
      n = n << 8 | static_cast<unsigned char>(left_[0]);
      left_.remove_prefix(1);
    }
    return n;
  }
};

/// Calls f; what it may throw is an error of the library's own. Answers its text; empty where nothing was thrown.
template <class Expected = sl::error, class F>
std::string refused(F f) {
  try {
    f();
  } catch (Expected const& e) { return e.what(); }
  return {};
}

/// A text that an error shows to people: one line, not too long.
inline void must_be_shown(std::string_view text) {
  must(text.size() < 2000, "an error's text has an end");
  for (char const c : text) must(static_cast<unsigned char>(c) >= ' ' && c != 0x7f, "an error's text is one line");
}

}  // namespace fuzz
