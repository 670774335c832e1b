/// \file detail/secret.hpp  A password that is given as text, in a file, or in an environment variable; never part of an error's text.
#pragma once
#include <sluice/error.hpp>

#include <cstdlib>
#include <fstream>
#include <iterator>

namespace sluice { inline namespace v0 { namespace detail {

/// Whether one is given. Throws error(bad_configuration) where it is given in more than one way. `who`: the policy.
inline bool has_secret(std::string const& who, std::string const& text, std::string const& file,
                       std::string const& variable) {
  auto const ways = !text.empty() + !file.empty() + !variable.empty();
  if (ways > 1)
    throw error(errc::bad_configuration, who +
                                             ".password is given in more than one way: name one of password, "
                                             "password_file, password_variable");
  return ways == 1;
}

/// Read anew each time, so that it may be changed while the program runs. Empty: none is given. Throws
/// store_error(bad_configuration) where the file or variable has none.
inline std::string read_secret(std::string const& who, std::string text, std::string const& file,
                               std::string const& variable) {
  if (!variable.empty()) {
    auto const* const found = std::getenv(variable.c_str());
    if (!found || !*found)
      throw store_error(errc::bad_configuration,
                        who + ".password_variable: the environment has no " + variable + ", or it is empty");
    return found;
  }
  if (file.empty()) return text;
  std::ifstream in{file, std::ios::binary};
  text.assign(std::istreambuf_iterator<char>{in}, {});
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  if (text.empty())
    throw store_error(errc::bad_configuration, who + ".password_file = " + file + " can't be read, or is empty");
  return text;
}

}}}  // namespace sluice::v0::detail
