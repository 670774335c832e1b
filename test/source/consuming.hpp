/// \file consuming.hpp  Consumers of sources that are not Kafka, run until something is so; never longer than a test may take.
#pragma once
#include <sluice/delivery/each.hpp>
#include <sluice/offset_store/file.hpp>
#include <sluice/stream_consumer.hpp>

#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "catch.hpp"
#include "detail/temporary_folder.hpp"

namespace consuming {

namespace sl = sluice;
using namespace std::chrono_literals;
using texts = std::vector<std::string>;

struct noted {
  texts lines{};
  std::vector<std::int64_t> offsets{};
  auto handler() {
    return [this](sl::batch const& b) {
      for (sl::record r : b) {
        lines.emplace_back(r.text());
        offsets.push_back(r.offset().value());
      }
    };
  }
};

/// Steps until `done()` or the consumer is closed; false: it took longer than 20 s.
template <class Consumer, class Handler>
bool until(Consumer& c, Handler&& h, std::function<bool()> const& done) {
  auto const give_up = std::chrono::steady_clock::now() + 20s;
  while (!done() && std::chrono::steady_clock::now() < give_up)
    if (c.step(h, 50ms).what == sl::step_result::closed) break;
  return done();
}

/// To the end of a bounded source; false: it took longer than 20 s.
template <class Consumer, class Handler>
bool to_the_end(Consumer& c, Handler&& h) {
  auto const give_up = std::chrono::steady_clock::now() + 20s;
  while (std::chrono::steady_clock::now() < give_up)
    if (c.step(h, 50ms).what == sl::step_result::closed) return true;
  return false;
}

template <class F>
std::string complaint(F&& f) {
  try {
    f();
  } catch (sl::error const& e) { return e.what(); }
  return "none";
}
template <class F>
std::optional<sl::errc> code_of(F&& f) {
  try {
    f();
  } catch (sl::error const& e) { return e.code(); }
  return std::nullopt;
}

}  // namespace consuming
