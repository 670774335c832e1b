/// \file own_record.hpp  A record of any bytes, for what is written of records and read again.
#pragma once
#include <sluice/output/objects.hpp>

#include "fuzz.hpp"

namespace fuzz {

/// A line; absent where it begins with a dash.
inline std::optional<std::string> maybe(pieces& in) {
  auto line = in.line();
  return line.starts_with('-') ? std::nullopt : std::optional{std::move(line)};
}

/// Offset, time, key, value, headers.
inline sl::kept_record kept_record_in(pieces& in) {
  sl::kept_record k;
  k.at = sl::offset{static_cast<std::int64_t>(in.number() & INT64_MAX)};
  k.time = sl::wall_time{std::chrono::milliseconds{in.number() & INT64_MAX}};
  k.key = maybe(in);
  k.value = maybe(in);
  while (!in.empty()) {
    auto name = in.line();
    k.headers.emplace_back(std::move(name), maybe(in));
  }
  return k;
}

/// As a source gives it.
class own_record {
  sl::kept_record of_;
  sl::detail::message message_{};
  sl::detail::part part_{};
  static inline sl::detail::message_access const access_{
      [](void const* of) {
        return std::int64_t{static_cast<sl::kept_record const*>(of)->time.time_since_epoch().count()};
      },
      [](void const* of, std::size_t i, sl::header& out) {
        auto const& all = static_cast<sl::kept_record const*>(of)->headers;
        if (i >= all.size()) return false;
        out = {all[i].first, all[i].second ? sl::as_bytes(*all[i].second) : sl::bytes{}};
        return true;
      }};

 public:
  explicit own_record(sl::kept_record k, sl::topic_partition const& of = {"orders", 0}) : of_(std::move(k)) {
    auto const size = [](auto const& data) { return static_cast<std::uint32_t>(data ? data->size() : 0); };
    message_ = {.key = of_.key ? of_.key->data() : nullptr,
                .value = of_.value ? of_.value->data() : nullptr,
                .key_size = size(of_.key),
                .value_size = size(of_.value),
                .at = of_.at.value(),
                .native = &of_};
    part_ = {&message_, &message_ + 1, {.of = of, .incarnation = 42}, &access_};
  }
  own_record(own_record const&) = delete;
  own_record& operator=(own_record const&) = delete;
  sl::record get() const { return {&message_, &part_}; }
};

}  // namespace fuzz
