/// \file source/kafka_receiver.hpp  Kafka as a receiver in front of a write-ahead log: for those who must have what they read on their own disk.
#pragma once
#include <sluice/detail/file_names.hpp>
#include <sluice/offset_store/kafka.hpp>
#include <sluice/source/kafka.hpp>
#include <sluice/source/receiver.hpp>
#include <sluice/stream_consumer.hpp>

#include <compare>
#include <deque>
#include <map>
#include <tuple>

namespace sluice { inline namespace v0 {

template <class Late>
class basic_kafka_receiver;

/// Several members of groups, each on a thread of its own, that write what they read into one log:
///
///     sl::write_ahead_log<sl::kafka_receivers>{
///         .source = {.brokers = "kafka:9092", .members = {{.group = "a", .topics = {"x"}}, {.group = "a", .topics = {"x"}}},
///                    .group = "counting"},
///         .folder = "/var/lib/counting/log"}
///
/// A position is committed to Kafka when its record is on this disk, so a record may be read from Kafka twice; the log
/// remembers partition and offset and drops what it has had. Each record has the headers `sluice.group`, `sluice.topic`,
/// `sluice.partition`, `sluice.offset` and `sluice.incarnation`, before its own. Of one partition they are in Kafka's order.
///
/// The direct source, `kafka`, is better wherever it will do: nothing is written and read again, no disk can fill, a partition
/// goes on at another host when this one is lost. Here what lies in the log waits until this host is back.
struct kafka_receivers {
  using receiver_type = basic_kafka_receiver<void>;

  struct member {
    std::string group{};
    std::vector<std::string> topics{};
    double max_records_per_second = 0;  ///< 0: no limit
    std::optional<start_at> start{};
  };

  std::string brokers{};
  std::vector<member> members{};
  std::string group{};  ///< the name under which positions in the log are kept
  std::string topic = "received";
  std::map<std::string, std::string> properties{};
  token_source token{};

  /// Throws error(bad_configuration).
  template <class Late = void>
  static std::shared_ptr<basic_kafka_receiver<Late>> receiver_of(kafka_receivers const& self);
};

/// Models receiver.
template <class Late>
class basic_kafka_receiver {
  using place = std::tuple<std::string, std::string, std::int32_t>;  // group, topic, partition
  struct point {
    std::int64_t incarnation = -1, offset = -1;
    friend auto operator<=>(point const&, point const&) = default;
  };
  struct last_given {
    point at{};
    std::uint64_t number = 0;  // of those stored in this life; 0: of an earlier one
  };
  struct going {
    std::uint64_t number = 0;
    place const* of = nullptr;
    point at{};
  };
  struct closing : std::exception {};

  /// What a member's consumer has to say is the log's owner's to hear.
  struct teller {
    using slot = observer_slot;
    receiving* to = nullptr;
    void on_log(log_event const& e) {
      if (e.level <= 4) to->tell(std::string{e.line});
    }
    void on_position_error(position_event const& e) { to->tell(e.text); }
    void on_retry(retry_event const& e) { to->tell(e.error); }
  };

  kafka_receivers config_;
  std::mutex running_{};  // threads_: start() and stop() may meet
  std::vector<std::thread> threads_{};
  std::mutex storing_{};  // each record, whether it was had before, and its number
  mutable std::mutex guard_{};
  std::condition_variable changed_{};
  std::uint64_t stored_ = 0, durable_ = 0, repeats_ = 0;
  bool ending_ = false;
  std::map<place, point> had_{};         // on the disk
  std::map<place, last_given> given_{};  // given to the log, under storing_
  std::deque<going> going_{};            // given, and not known to be on the disk

 public:
  explicit basic_kafka_receiver(kafka_receivers config) : config_(std::move(config)) {}
  basic_kafka_receiver(basic_kafka_receiver const&) = delete;
  basic_kafka_receiver& operator=(basic_kafka_receiver const&) = delete;
  ~basic_kafka_receiver() { stop(); }

  void start(receiving& to) {
    std::lock_guard const alone{running_};
    if (to.stop_requested()) return;
    {
      std::lock_guard const lock{guard_};
      ending_ = false;
    }
    for (auto const& m : config_.members)
      threads_.emplace_back([this, &to, &m] {
        try {
          receive(to, m);
        } catch (closing const&) {
        } catch (std::exception const& e) { to.fail(e.what()); }
      });
  }
  void stop() {
    std::lock_guard const alone{running_};
    {
      std::lock_guard const lock{guard_};
      ending_ = true;
    }
    changed_.notify_all();
    for (auto& t : threads_) t.join();
    threads_.clear();
  }
  /// Comes before a segment is removed that has one of these: so the note has all that is not in the log any more.
  void durable(std::uint64_t n) {
    {
      std::lock_guard const lock{guard_};
      durable_ = n;
      for (; !going_.empty() && going_.front().number <= n; going_.pop_front())
        remember(*going_.front().of, going_.front().at);
    }
    changed_.notify_all();
  }
  /// Records that came from Kafka once more and were dropped.
  std::uint64_t repeats() const {
    std::lock_guard const lock{guard_};
    return repeats_;
  }

  // ---- what was stored in earlier lives

  std::string note() const {
    std::lock_guard const lock{guard_};
    std::string text = "sluice kafka receiver 1\n";
    for (auto const& [of, at] : had_)
      text += detail::file_name(std::get<0>(of)) + " " + detail::file_name(std::get<1>(of)) + " " +
              std::to_string(std::get<2>(of)) + " " + std::to_string(at.incarnation) + " " + std::to_string(at.offset) +
              "\n";
    return text;
  }
  void recall(std::optional<std::string> const& note) {
    if (!note) return;
    std::string_view left = *note;
    auto const word = [&](char end) {
      auto const at = left.find(end);
      auto const one = left.substr(0, at);
      left.remove_prefix(at == left.npos ? left.size() : at + 1);
      return one;
    };
    auto const number = [](std::string_view text, auto& n) {
      auto const [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), n);
      return wrong == std::errc{} && end == text.data() + text.size();
    };
    bool good = word('\n') == "sluice kafka receiver 1";
    while (good && !left.empty()) {
      auto const group = detail::text_of_file_name(word(' ')), topic = detail::text_of_file_name(word(' '));
      std::int32_t partition = 0;
      point at;
      good = group && topic && number(word(' '), partition) && number(word(' '), at.incarnation) &&
             number(word('\n'), at.offset);
      if (good) remember({*group, *topic, partition}, at, true);
    }
    if (!good)
      throw store_error(errc::store_damaged,
                        "the note of the log's Kafka receiver can't be read; it is another's, or damaged");
  }
  void recall(record const& r) {
    std::string text[5];
    std::size_t n = 0;
    for (auto const& h : r.headers())
      if (n < 5) text[n++] = std::string{as_text(h.value)};
    if (n == 5)
      remember({text[0], text[1], static_cast<std::int32_t>(std::atol(text[2].c_str()))},
               {std::atoll(text[4].c_str()), std::atoll(text[3].c_str())}, true);
  }

 private:
  void remember(place const& of, point at, bool from_the_log = false) {
    auto& known = had_[of];
    known = std::max(known, at);
    if (from_the_log) given_[of].at = known;
  }
  bool wants_to_end() const {
    std::lock_guard const lock{guard_};
    return ending_;
  }

  void receive(receiving& to, kafka_receivers::member const& m) {
    double const rate = m.max_records_per_second;
    stream_consumer consumer{
        at_least_once{}, kafka_offsets{},
        kafka{.brokers = config_.brokers,
              .group = m.group,
              .topics = m.topics,
              .start = m.start,
              .properties = config_.properties,
              .token = config_.token},
        micro_batch{.max_records = rate > 0 ? std::max<std::size_t>(1, static_cast<std::size_t>(rate / 10)) : 10'000,
                    .max_bytes = 1 << 20},
        teller{&to}};
    auto due = std::chrono::steady_clock::now();
    while (!wants_to_end()) {
      std::size_t n = 0;
      consumer.step([&](batch const& b) { n = log(to, m, b); }, std::chrono::milliseconds{100});
      if (rate <= 0 || n == 0) continue;
      due = std::max(due, std::chrono::steady_clock::now()) +
            std::chrono::nanoseconds{static_cast<std::int64_t>(1e9 * static_cast<double>(n) / rate)};
      std::unique_lock lock{guard_};
      changed_.wait_until(lock, due, [&] { return ending_; });
    }
    consumer.close();
  }

  /// Returns how many are on the disk that were not there before; throws `closing` where they are not. A repeat may be of one
  /// that is still on its way there.
  std::size_t log(receiving& to, kafka_receivers::member const& m, batch const& b) {
    std::uint64_t number = 0;
    std::size_t count = 0, again = 0;
    for (auto const part : b.partitions()) {
      offset_range const& range = *part.ranges().begin();
      place const of{m.group, range.of.topic, range.of.partition};
      for (record r : part) {
        point const at{range.incarnation, r.offset().value()};
        auto const [stored, fresh] = store(to, m, r, of, at);
        number = std::max(number, stored);
        ++(fresh ? count : again);
      }
    }
    std::unique_lock lock{guard_};
    repeats_ += again;
    changed_.wait(lock, [&] { return ending_ || durable_ >= number; });
    if (durable_ < number) throw closing{};
    return count;
  }

  /// The number that must be durable, and false where it was had before, perhaps by another member that had its partition.
  std::pair<std::uint64_t, bool> store(receiving& to, kafka_receivers::member const& m, record const& r,
                                       place const& of, point at) {
    auto const partition = std::to_string(r.partition()), place_in_it = std::to_string(r.offset().value()),
               life = std::to_string(r.incarnation());
    header_list headers{{"sluice.group", as_bytes(m.group)},
                        {"sluice.topic", as_bytes(r.topic())},
                        {"sluice.partition", as_bytes(partition)},
                        {"sluice.offset", as_bytes(place_in_it)},
                        {"sluice.incarnation", as_bytes(life)}};
    for (auto const& h : r.headers()) headers.add(h.name, h.value);
    received one{.headers = headers, .timestamp = r.timestamp()};
    if (!r.is_tombstone()) one.value = r.value();
    if (r.has_key()) one.key = r.key();
    std::lock_guard const in_order{storing_};
    auto const given = given_.try_emplace(of).first;
    if (at <= given->second.at) return {given->second.number, false};
    is_going({stored_ + 1, &given->first, at});
    try {
      if (!to.store(one)) throw closing{};
    } catch (...) {
      std::lock_guard const lock{guard_};
      going_.pop_back();
      throw;
    }
    given->second = {at, ++stored_};
    return {stored_, true};
  }
  void is_going(going const& one) {
    std::lock_guard const lock{guard_};
    going_.push_back(one);
  }
};

template <class Late>
std::shared_ptr<basic_kafka_receiver<Late>> kafka_receivers::receiver_of(kafka_receivers const& self) {
  if (self.members.empty())
    throw error(errc::bad_configuration,
                "kafka_receivers.members is empty; give it {.group, .topics} for each receiver");
  for (auto const& m : self.members)
    if (m.group.empty() || m.topics.empty() || m.max_records_per_second < 0)
      throw error(errc::bad_configuration,
                  "each of kafka_receivers.members needs a .group and .topics, and a rate that is not negative");
  return std::make_shared<basic_kafka_receiver<Late>>(self);
}

}}  // namespace sluice::v0
