/// \file source/constant.hpp  A source of records that a program brings along: the same ones, so many times, or for ever.
#pragma once
#include <sluice/source/local_source.hpp>

#include <memory>

namespace sluice { inline namespace v0 {

template <class Late>
class constant_log;

struct constant_record {
  std::string value{};
  std::string key{};
};

/// For tests, demonstrations, measurements; `.records = {{"a"}, {"b", "key"}}`. Record n of the list stands at the
/// offsets n, n + size, n + 2 · size, …, so it can be read again from any position. It ends after `times` rounds: step()
/// answers `closed` then.
struct constant_source {
  using slot = source_slot;
  using must_be_configured = void;
  using runtime = local_source<constant_log<void>>;
  static constexpr bool has_group = false;
  static constexpr bool assigned_by_hand = true;

  std::vector<constant_record> records{};
  std::int64_t times = 1;  ///< 0: for ever
  std::string group{};     ///< the name under which positions are kept
  std::string topic = "constant";
  std::optional<start_at> start{};
  out_of_range on_out_of_range = out_of_range::stop;
  position_error on_position_error = position_error::stop;
  read_until until{};

  template <class Context>
  static detail::late<runtime, Context> open(constant_source const& self, Context const&);
};

template <class Late>
class constant_log {
  std::vector<constant_record> records_;
  std::int64_t size_ = static_cast<std::int64_t>(records_.size());
  std::int64_t times_;
  std::vector<topic_partition> of_;

  detail::message message_at(std::int64_t at) const {
    auto const& r = records_[static_cast<std::size_t>(at % size_)];
    return {.key = r.key.empty() ? nullptr : r.key.data(),
            .value = r.value.data(),
            .key_size = static_cast<std::uint32_t>(r.key.size()),
            .value_size = static_cast<std::uint32_t>(r.value.size()),
            .at = at};
  }

 public:
  static constexpr bool numbers_anew = false;

  constant_log(detail::bell&, std::vector<constant_record> records, std::int64_t times, std::string const& topic)
      : records_(std::move(records)), times_(times), of_{{topic, 0}} {
    if (records_.empty() || times_ < 0)
      throw error(errc::bad_configuration, records_.empty() ? "constant_source.records is empty; give it some"
                                                            : "constant_source.times is negative; 0 is for ever");
  }
  constant_log(constant_log const&) = delete;
  constant_log& operator=(constant_log const&) = delete;

  void open(time_point) {}
  bool close(time_point) { return true; }
  std::vector<topic_partition> const& partitions() const { return of_; }
  client::watermarks ends(std::size_t) const { return {offset{}, times_ == 0 ? no_end : offset{size_ * times_}, true}; }
  std::int32_t mark() const { return -1; }
  bool ended(std::size_t) const { return times_ != 0; }
  void tend(source_owner&, time_point) {}
  std::optional<time_point> next_due() const { return {}; }
  detail::message_access const* access() const {
    static constexpr detail::message_access how{[](void const*) -> std::int64_t { return -1; }, nullptr};
    return &how;
  }
  std::optional<fingerprint> print_at(std::size_t, offset at) const {
    return detail::fingerprint_of(message_at(at.value()), *access());
  }

  offset take(std::size_t, offset from, offset until, std::size_t want, std::size_t max_bytes, intake& in) const {
    auto const behind = std::min(until, ends(0).high).value();
    auto at = from.value();
    for (auto const room = in.messages.room_for(want); auto& m : room) {
      if (at >= behind || in.bytes >= max_bytes) break;
      m = message_at(at++);
      in.bytes += m.key_size + m.value_size;
    }
    in.messages.keep(static_cast<std::size_t>(at - from.value()));
    return offset{at};
  }
  void give_back(std::span<detail::message const>) {}
};

template <class Context>
detail::late<constant_source::runtime, Context> constant_source::open(constant_source const& self, Context const&) {
  return detail::late<runtime, Context>{
      local_plan{self.start.value_or(start_at::earliest), self.on_out_of_range, self.on_position_error, self.until},
      self.records, self.times, self.topic};
}

}}  // namespace sluice::v0
