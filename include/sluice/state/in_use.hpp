/// \file state/in_use.hpp  Which states and windows a transaction was given to: two of one name would read each other's rows.
#pragma once
#include <sluice/error.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail {

/// Of one transaction; the store clears it when it begins the next one.
class states_in_use {
  struct one {
    std::string name{};
    void const* who = nullptr;
  };
  std::vector<one> all_{};

 public:
  void clear() { all_.clear(); }
  /// `who` is not looked into. Throws store_error(bad_configuration).
  void add(std::string_view name, void const* who) {
    for (auto const& known : all_) {
      if (known.name != name) continue;
      if (known.who == who) return;
      throw store_error(errc::bad_configuration,
                        "two states or windows of one consumer are named \"" + known.name +
                            "\", and would read each other's rows: give each a .name of its own. Where they are meant "
                            "to be one, use one object. Nothing was changed");
    }
    all_.push_back({std::string{name}, who});
  }
};

}}}  // namespace sluice::v0::detail
