/// \file source/kafka_retention.hpp  Does retention come near a position? Told from where fetches say that the log begins, without a request.
#pragma once
#include <sluice/source/client.hpp>

#include <algorithm>
#include <chrono>
#include <optional>
#include <ratio>
#include <string>
#include <utility>

namespace sluice { inline namespace v0 { namespace detail {

/// One partition's beginning, as it was looked at from time to time.
struct retention_sight {
  static constexpr std::chrono::seconds apart{10};

  std::int64_t first = -1, low = -1;  ///< -1: never seen
  time_point since{};                 ///< first was seen
  std::int64_t removed = 0;           ///< by the last removal that was seen
  bool told = false;                  ///< and not left behind since

  /// Near: once more of what was removed last, or a minute of what was removed on average, would take what is unread. Told
  /// once, until the reader is twice as far away.
  std::optional<position_event> look(lane const& l, client::watermarks const& log, time_point now) {
    auto const begin = log.low.value();
    if (!log.known || begin < 0) return {};
    if (low < 0 || begin < low) *this = {.first = begin, .low = begin, .since = now};
    if (begin > low) removed = begin - std::exchange(low, begin);
    auto const minutes = std::max(1.0, std::chrono::duration<double, std::ratio<60>>(now - since).count());
    auto const soon = std::max(removed, static_cast<std::int64_t>(static_cast<double>(low - first) / minutes));
    auto const ahead = l.next.value() - low;
    if (told) {
      told = ahead < 2 * soon;
      return {};
    }
    if (ahead < 0 || ahead >= soon || log.high <= l.next) return {};
    told = true;
    return position_event{l.of, position_event::retention_near, l.next, l.next,
                          to_string(l.of) + ": retention comes near: the log begins at " + std::to_string(low) +
                              " and is read at " + std::to_string(l.next.value()) + ", the last removal took " +
                              std::to_string(removed) + "; what is removed unread is lost"};
  }
};

}}}  // namespace sluice::v0::detail
