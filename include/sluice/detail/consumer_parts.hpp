/// \file detail/consumer_parts.hpp  The runtimes of one consumer's policies, and what its steps share.
#pragma once
#include <sluice/detail/failure.hpp>
#include <sluice/detail/handler.hpp>
#include <sluice/detail/handler_watch.hpp>
#include <sluice/detail/late.hpp>
#include <sluice/observer.hpp>
#include <sluice/statistics.hpp>

#include <charconv>
#include <random>

namespace sluice { inline namespace v0 { namespace detail {

template <class Slots>
struct engine_traits {
  static constexpr bool in_transaction = Slots::template promises<transactional>;
  static constexpr bool advances_first = Slots::template promises<at_most_once>;
  template <class Store>
  struct of_store {
    using type = typename Store::transaction;
  };
  using transaction = typename std::conditional_t<in_transaction, of_store<typename Slots::store>,
                                                  std::type_identity<no_transaction>>::type;
};

/// Of a store that failed: a full disk may get room meanwhile.
constexpr bool waiting_may_help(errc c) { return !is_permanent(c) || c == errc::store_full; }

/// Declared in the order in which they are made: the store before the source, so that it dies after it.
template <class Slots>
struct consumer_parts {
  using traits = engine_traits<Slots>;

  struct configuration {
    typename Slots::source source;
    typename Slots::store store;
    typename Slots::rate rate;
    typename Slots::batching batching;
    typename Slots::on_failure on_failure;
    typename Slots::observer observer;
    typename Slots::clock clock;
  };

  using observing = detail::observing<typename Slots::observer>;
  using failures = failure<typename Slots::on_failure, traits::in_transaction>;
  using watch = std::conditional_t<watches_handler<typename observing::runtime, typename Slots::clock>,
                                   handler_watch<typename observing::runtime>, nothing_watched>;
  static constexpr bool failure_ends_in_stop = std::is_same_v<typename Slots::on_failure, stop>;
  static constexpr bool grouped = !has_no_group<typename Slots::source>;
  static constexpr bool store_in_group = requires { requires Slots::store::lives_in_group; };

  std::exception_ptr kept{};
  context around;
  typename observing::runtime observer;
  typename Slots::clock::runtime clock;
  micro_batch batching;
  std::chrono::milliseconds interval;
  std::chrono::milliseconds max_poll;
  std::chrono::milliseconds store_timeout;
  std::chrono::milliseconds source_timeout;
  failures on_failure;
  typename Slots::rate::runtime rate;
  typename Slots::store::runtime store;
  typename Slots::source::runtime source;

  late<basic_hand<void>, Slots> hand{};
  batch_event figures{};
  stats counts{};
  std::size_t max_records_now;
  std::chrono::nanoseconds last_call{0};  ///< of the handler, for the batch of `figures`, however it ended; 0: none yet
  late<std::vector<group_position>, Slots> to_mirror{};
  late<std::map<topic_partition, unsigned>, Slots> refusals{};
  late<std::minstd_rand, Slots> jitter{std::random_device{}()};
  std::optional<time_point> by_deadline{};  ///< while draining and closing
  bool mirrors = false;
  std::optional<std::string> store_id{};
  [[no_unique_address]] watch hang_watch{observer, max_poll};

  explicit consumer_parts(configuration const& c)
      : around(context_of(c)),
        observer(observing::open(c.observer, around)),
        clock(Slots::clock::open(c.clock, around)),
        batching(c.batching),
        interval(around.batch_interval),
        max_poll(property_ms("max.poll.interval.ms", 300'000)),
        store_timeout(std::min<std::chrono::milliseconds>(std::chrono::seconds{5}, max_poll / 4)),
        source_timeout(timeout_of(c.source)),
        on_failure(c.on_failure, around),
        rate(Slots::rate::open(c.rate, around)),
        store(Slots::store::open(c.store, around)),
        source(Slots::source::open(with_start(c.source), around)),
        max_records_now(c.batching.max_records) {
    if (batching.max_records == 0 || batching.max_bytes == 0)
      throw error(errc::bad_configuration,
                  "micro_batch.max_records and .max_bytes must be above 0, or no batch would ever hold a record");
  }

  teller<typename observing::runtime> tell() { return {observer, kept}; }
  time_point by() {
    auto const usual = clock.now() + store_timeout;
    return by_deadline ? std::min(*by_deadline, usual) : usual;
  }

  /// A lane's position as far as it is stored: what is in hand is behind it.
  offset stored_next(lane const& l) const {
    auto const i = hand.find(l.of);
    return i < hand.moves().size() && !hand.advanced ? hand.moves()[i].from : l.next;
  }

  std::int64_t total_lag() const {
    std::int64_t sum = 0;
    auto const n = source.lanes().size();
    for (std::size_t i = 0; i < n; ++i) {
      auto const lag = source.lag_of(i);
      if (!lag) return -1;
      sum += *lag;
    }
    return n == 0 ? -1 : sum;
  }
  double allowed_rate() const {
    if constexpr (requires { rate.rate(); })
      return rate.rate();
    else
      return 0;
  }

 private:
  context context_of(configuration const& c) {
    context x;
    if constexpr (requires { c.source.brokers; }) x.brokers = c.source.brokers;
    x.group = group_of(c.source);
    if constexpr (requires { c.source.properties; }) x.properties = c.source.properties;
    if constexpr (requires { c.source.token; }) x.token = c.source.token;
    x.keeps_in_group = grouped && (store_in_group || writes_to_group(c.store));
    x.stores_first = traits::advances_first;
    x.transactional_group = traits::in_transaction && store_in_group;
    x.batch_interval = c.batching.interval;
    if (x.batch_interval.count() < 0)
      throw error(errc::bad_configuration,
                  "micro_batch.interval is negative; give 0 for batches of what has arrived, or a length of time");
    if constexpr (requires { Slots::rate::wanted_interval(c.rate); }) {
      auto const wanted = Slots::rate::wanted_interval(c.rate);
      if (x.batch_interval.count() != 0 && c.rate.interval.count() != 0 && x.batch_interval != wanted)
        throw error(errc::bad_configuration, "micro_batch.interval is " + std::to_string(x.batch_interval.count()) +
                                                 " ms and the rate limit's is " + std::to_string(wanted.count()) +
                                                 " ms; give one of them, or the same twice");
      if (x.batch_interval.count() == 0) x.batch_interval = wanted;
    }
    x.log = [this](int level, std::string_view line) { tell().on_log(log_event{level, line}); };
    return x;
  }

  /// A store on one host leaves its id with the group, whether its progress is shown there or not.
  template <class Store>
  static bool writes_to_group(Store const& s) {
    if constexpr (requires { Store::is_local; })
      return true;
    else if constexpr (requires { s.mirror; })
      return s.mirror;
    else if constexpr (requires { s.place.mirror; })
      return s.place.mirror;
    else
      return false;
  }

  std::chrono::milliseconds property_ms(char const* key, std::int64_t otherwise) const {
    auto const at = around.properties.find(key);
    if (at != around.properties.end())
      std::from_chars(at->second.data(), at->second.data() + at->second.size(), otherwise);
    return std::chrono::milliseconds{otherwise};
  }

  template <class Source>
  static std::chrono::milliseconds timeout_of(Source const& s) {
    if constexpr (requires { s.timeout; })
      return s.timeout;
    else
      return std::chrono::seconds{10};
  }

  template <class Source>
  static Source with_start(Source s) {
    if constexpr (requires {
                    Slots::store::wanted_start;
                    s.start;
                  }) {
      auto const wanted = *Slots::store::wanted_start == from::earliest ? start_at::earliest : start_at::latest;
      if (s.start && s.start->what() != wanted.what())
        throw error(
            errc::bad_configuration,
            may_lose_offsets<typename Slots::store>
                ? "this store may lose an offset, and a start that is not the earliest would then lose records; "
                  "leave .start out, or use a durable store"
                : "no_offsets says where to start, and .start says another place; leave .start out");
      s.start = wanted;
    }
    return s;
  }
};

}}}  // namespace sluice::v0::detail
