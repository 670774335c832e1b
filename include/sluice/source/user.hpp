/// \file source/user.hpp  A receiver of the user's own as a source.
#pragma once
#include <sluice/source/live_source.hpp>

namespace sluice { inline namespace v0 {

/// What a receiver is: source/receiver.hpp.
///
///     struct ticker {
///       void start(sl::receiving& to) {
///         while (!to.stop_requested()) to.store(next_tick());
///       }
///     };
///     sl::user_source<ticker>{.receiver = std::make_shared<ticker>()}
///
/// It can't be read again, so it goes with at_most_once, or into a write_ahead_log. Without one, what was stored and not handed
/// over is lost when the consumer closes: counted in statistics().lost and told, and drain() answers `abandoned`; unless the
/// receiver has `handed(n)`, and so keeps it.
template <receiver Receiver>
struct user_source {
  using slot = source_slot;
  using must_be_configured = void;
  using receiver_type = Receiver;
  using runtime = local_source<live_log<Receiver>>;
  static constexpr bool has_group = false;
  static constexpr bool can_replay = false;
  static constexpr bool assigned_by_hand = true;

  std::shared_ptr<Receiver> receiver{};
  std::string group{};  ///< the name under which positions are kept
  std::string topic = "received";
  std::size_t max_buffered = 16 << 20;  ///< bytes that wait to be handled; store() waits while there are more
  read_until until{};

  static std::shared_ptr<Receiver> receiver_of(user_source const& self) { return self.receiver; }
  template <class Context>
  static detail::late<runtime, Context> open(user_source const& self, Context const&) {
    return detail::open_live<detail::late<runtime, Context>>(self);
  }
};

}}  // namespace sluice::v0
