/// \file window/shape.hpp  What windows are told to be, and what is given of them.
#pragma once
#include <sluice/many.hpp>
#include <sluice/record.hpp>
#include <sluice/state/parts.hpp>

#include <chrono>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace sluice { inline namespace v0 {

/// Ends lie at the multiples of `slide` since 1970, in UTC. Both are multiples of micro_batch.interval.
struct batch_window {
  std::string name{};                  ///< of its state: letters, digits, underscores
  std::chrono::milliseconds size{0};   ///< how much time a window spans
  std::chrono::milliseconds slide{0};  ///< how far its end moves; 0: by its size
  bool sampling = false;               ///< a slide above the size is meant: records between the windows are in none
  partition_growth when_partitions_grow = partition_growth::error;
};

/// From `begin`, excluded, to `end`: batches are named by their ends.
struct window_span {
  wall_time begin{};
  wall_time end{};
  friend bool operator==(window_span const&, window_span const&) = default;
};

namespace detail {

/// Of windows that have one key for all.
struct whole_stream {
  friend bool operator==(whole_stream, whole_stream) = default;
};

}  // namespace detail

template <>
struct codec<detail::whole_stream> {
  static void encode(encoder&, detail::whole_stream) {}
  static detail::whole_stream decode(decoder&) { return {}; }
};

namespace detail {

inline std::int64_t floor_to(std::int64_t n, std::int64_t step) {
  auto const rest = n % step;
  return n - (rest < 0 ? rest + step : rest);
}

/// Throws error(bad_configuration).
inline batch_window checked(batch_window w) {
  auto const wrong = [&](std::string const& why) {
    throw error(errc::bad_configuration, "batch_window \"" + w.name + "\": " + why);
  };
  if (!is_sql_name(w.name))
    wrong(".name must have 1 to 63 letters, digits and underscores, no digit first: it names the window's state");
  if (w.size.count() <= 0) wrong(".size must be above 0, a multiple of micro_batch.interval");
  if (w.slide.count() < 0) wrong(".slide must not be negative");
  if (w.slide.count() == 0) w.slide = w.size;
  if (w.slide > w.size && !w.sampling)
    wrong(
        ".slide is longer than .size, so that records between the windows are in none; make it shorter, or say "
        ".sampling = true");
  return w;
}

/// What is given of windows that have one key for all.
template <class Value, class Emit>
struct whole_result {
  Emit emit;
  template <class Results, class Transaction>
  void operator()(window_span const& span, Results const& results, Transaction& tx) {
    std::optional<Value> one;
    if (!results.empty()) one = results.front().second;
    if constexpr (std::is_invocable_v<Emit&, window_span const&, std::optional<Value> const&, Transaction&>)
      emit(span, std::as_const(one), tx);
    else
      emit(span, std::as_const(one));
  }
};
template <class Emit>
struct whole_count {
  Emit emit;
  template <class Results, class Transaction>
  void operator()(window_span const& span, Results const& results, Transaction& tx) {
    std::int64_t const n = results.empty() ? 0 : results.front().second;
    if constexpr (std::is_invocable_v<Emit&, window_span const&, std::int64_t, Transaction&>)
      emit(span, n, tx);
    else
      emit(span, n);
  }
};

/// Calls `emit`. What it throws is told as the window's, since the window comes again in the next batch: no record is to blame.
template <class Call>
void emit_window(char const* kind, std::string const& name, std::int64_t end, Call call) {
  auto const failed = [&](std::string_view why) {
    return error(errc::handler_failed, std::string{kind} + " \"" + name +
                                           "\": its emit threw for the window that ends at " + std::to_string(end) +
                                           " ms since 1970: " + std::string{why} +
                                           "; every batch fails until that window can be given");
  };
  try {
    call();
  } catch (store_error const&) { throw; } catch (std::exception const& e) {
    std::throw_with_nested(failed(e.what()));
  } catch (...) { std::throw_with_nested(failed("something that is no std::exception")); }
}

template <class KeyOf>
using key_from = std::decay_t<std::invoke_result_t<KeyOf&, record>>;
/// Views are kept as texts: they outlive their records.
template <class T>
using owned = std::conditional_t<std::is_convertible_v<T, std::string_view>, std::string, T>;

}  // namespace detail
}}  // namespace sluice::v0
