/// \file started_receiver.hpp  A consumer of a receiver of the test's own; one that stores until it is refused.
#pragma once
#include <sluice/source/user.hpp>

#include <atomic>

#include "source/consuming.hpp"

using namespace consuming;

template <class R>
auto start(std::shared_ptr<R> const& r, std::ostream& told, std::size_t max_buffered = 1 << 20) {
  return sl::stream_consumer<sl::at_most_once, sl::no_offsets<sl::from::latest>, sl::user_source<R>, sl::log_to>{
      sl::user_source<R>{.receiver = r, .max_buffered = max_buffered}, sl::log_to{&told}};
}

struct flood {
  std::atomic<std::uint64_t> stored = 0;
  std::atomic<bool> refused = false;
  void start(sl::receiving& to) {
    std::string const text(1000, 'x');
    while (to.store(text)) ++stored;
    refused = true;
  }
};
