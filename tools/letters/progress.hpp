/// \file progress.hpp  PATH.returned, beside a file of letters: what of it has gone back.
#pragma once
#include <cstdint>
#include <set>
#include <string>

#include "../common/words.hpp"

namespace letters_tool {

using namespace tools;

/// Lines before `next` have gone back, but those that begin at `left`.
struct progress {
  std::uint64_t next = 0;
  std::set<std::uint64_t> left{};
  std::string first_line{};  // SHA-256 of the file's first line: which file it is about
  friend bool operator==(progress const&, progress const&) = default;
};

/// Throws failure, which names `path`.
progress progress_of(std::string const& text, std::string const& path);

std::string text_of(progress const& done);

}  // namespace letters_tool
