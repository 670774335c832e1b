/// \file detail/secret.hpp  A password or key that a policy takes by text, from a file, or from the environment.
#pragma once
#include <sluice/error.hpp>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace sluice { inline namespace v0 { namespace detail {

/// At most one of the three is given. No error cites the secret itself.
struct secret {
  std::string text{};
  std::string file{};      ///< its path
  std::string variable{};  ///< its name
};

inline int ways_given(secret const& s) { return !s.text.empty() + !s.file.empty() + !s.variable.empty(); }

/// `key`: the policy and its member, such as `redis_offsets.password`; those for file and variable begin with it. Throws
/// error(bad_configuration).
inline void check_secret(secret const& s, std::string const& key) {
  auto const name = key.substr(key.rfind('.') + 1);
  if (ways_given(s) > 1)
    throw error(errc::bad_configuration, key + " is given in more than one way: name one of " + name + ", " + name +
                                             "_file, " + name + "_variable");
}

/// Reads it anew, so that it may be changed while the program runs; a file's last line ends are left out. Throws
/// store_error(bad_configuration).
inline std::string read_secret(secret const& s, std::string const& key) {
  if (!s.variable.empty()) {
    auto const* const found = std::getenv(s.variable.c_str());
    if (!found || !*found)
      throw store_error(errc::bad_configuration,
                        key + "_variable: the environment has no " + s.variable + ", or it is empty");
    return found;
  }
  if (s.file.empty()) return s.text;
  std::ifstream in{s.file, std::ios::binary};
  std::string found{std::istreambuf_iterator<char>{in}, {}};
  while (found.ends_with('\n') || found.ends_with('\r')) found.pop_back();
  if (found.empty())
    throw store_error(errc::bad_configuration, key + "_file = " + s.file + " can't be read, or is empty");
  return found;
}

}}}  // namespace sluice::v0::detail
