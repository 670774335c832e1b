/// \file source/position_check.hpp  Is the stored position still good? The decision alone, without a broker.
#pragma once
#include <sluice/source/client.hpp>
#include <sluice/source/kafka_config.hpp>

namespace sluice { inline namespace v0 {

/// What to do with a claimed partition before its first record is handed over.
struct position_decision {
  enum what_t {
    read,    ///< from `at`; records before `next` only serve to compare the fingerprint
    rewind,  ///< record that reading goes on at `at`, then read
    stop     ///< throw error(code)
  };
  what_t what = read;
  offset at{};
  errc code = errc::out_of_range;
  std::optional<position_event> event{};
  std::string cause{};  ///< of a rewind
};

/// What policy throws where it says to stop.
template <class Decision>
error stopped(Decision const& d, topic_partition const& of) {
  return error(d.code, (d.event ? d.event->text : to_string(of)) +
                           "; seek() to where it is to go on, or choose another " +
                           (d.code == errc::out_of_range ? "on_out_of_range" : "on_position_error"));
}

/// A position against the log's ends. The fingerprint of the last record consumed is compared by reading that record
/// again: reading starts at it where it is still there.
template <class Decision = position_decision>
Decision check_range(claimed const& c, client::watermarks const& log, out_of_range policy) {
  auto const name = to_string(c.of);
  bool const low = c.next < log.low;
  if (!low && c.next <= log.high) {
    bool const comparable = c.log.last && c.log.last->of < c.next && c.log.last->of >= log.low;
    Decision d{.what = position_decision::read, .at = comparable ? c.log.last->of : c.next};
    if (c.log.last && !comparable)
      d.event =
          position_event{c.of, position_event::fingerprint_gone, c.next, c.next,
                         name + ": the record consumed last is no longer in the log; the position is taken as it is"};
    return d;
  }
  auto const nearest = low ? log.low : log.high;
  position_event event{c.of, low ? position_event::out_of_range_low : position_event::out_of_range_high, c.next,
                       nearest,
                       name + ": stored " + std::to_string(c.next.value()) + " lies outside the log (" +
                           std::to_string(log.low.value()) + " to " + std::to_string(log.high.value()) + ")"};
  if (policy == out_of_range::stop) {
    event.resumed = c.next;
    return {position_decision::stop, c.next, errc::out_of_range, std::move(event), {}};
  }
  event.text += "; goes on at " + std::to_string(nearest.value());
  return {position_decision::rewind, nearest, errc::out_of_range, std::move(event), "out of range"};
}

/// A position that is missing (`cause` missing), or whose last record has changed (truncated).
template <class Decision = position_decision>
Decision check_lost(topic_partition const& of, offset stored, position_event::cause_t cause,
                    client::watermarks const& log, position_error policy) {
  bool const missing = cause == position_event::missing;
  auto const name = to_string(of);
  position_event event{of, cause, stored, stored,
                       missing ? name + ": its stored position is gone while the topic's others are there"
                               : name + ": another record stands where the last one was consumed, below " +
                                     std::to_string(stored.value()) +
                                     ": the log was truncated, or deleted and created again"};
  auto const code = missing ? errc::position_missing : errc::position_truncated;
  if (policy == position_error::stop) return {position_decision::stop, stored, code, std::move(event), {}};
  auto const within = std::clamp(stored, log.low, std::max(log.low, log.high));
  event.resumed = policy == position_error::nearest && !missing ? within : log.low;
  event.text += "; goes on at " + std::to_string(event.resumed.value());
  return {position_decision::rewind, event.resumed, code, std::move(event), missing ? "missing" : "truncated"};
}

}}  // namespace sluice::v0
