/// \file detail/password.hpp  A store's password: given as text, or by the file or environment variable that holds it.
#pragma once
#include <sluice/error.hpp>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace sluice { inline namespace v0 { namespace detail {

struct password_source {
  std::string text{};
  std::string file{};
  std::string variable{};

  int ways() const { return !text.empty() + !file.empty() + !variable.empty(); }

  /// Read anew at each connect, so that it may be changed while the program runs. `who`: the policy, for errors.
  /// Throws store_error(bad_configuration).
  std::string read(std::string const& who) const {
    if (!variable.empty()) {
      auto const* const found = std::getenv(variable.c_str());
      if (found && *found) return found;
      throw store_error(errc::bad_configuration,
                        who + ".password_variable: the environment has no " + variable + ", or it is empty");
    }
    if (file.empty()) return text;
    std::ifstream in{file, std::ios::binary};
    std::string password{std::istreambuf_iterator<char>{in}, {}};
    while (password.ends_with('\n') || password.ends_with('\r')) password.pop_back();
    if (password.empty())
      throw store_error(errc::bad_configuration, who + ".password_file = " + file + " can't be read, or is empty");
    return password;
  }
};

}}}  // namespace sluice::v0::detail
