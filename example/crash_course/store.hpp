/// The stores that the courses can run on: each is a file of the folder store/, there if its client library is.
#pragma once
#include "hits.hpp"
#include "protocol.hpp"

#include <vector>

namespace crash_course {

struct member;

struct store {
  std::string_view name{};     ///< as `--store` takes it
  std::string_view address{};  ///< what `--at` takes; empty: nothing
  bool (*promises)(std::string_view course) = nullptr;
  void (*run)(member const&) = nullptr;
  hits_of_clients (*take_hits)(setup const&) = nullptr;  ///< what `transactional` left there, read once and removed
};

std::vector<store>& stores();
store const& store_of(std::string_view name);

/// A store's file has one of these.
struct registered {
  explicit registered(store const& s) { stores().push_back(s); }
};

}  // namespace crash_course
