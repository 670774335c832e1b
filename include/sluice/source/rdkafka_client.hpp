/// \file source/rdkafka_client.hpp  librdkafka as the Kafka source wants it: it translates, and decides nothing about offsets.
#pragma once
#include <sluice/source/client.hpp>
#include <sluice/source/kafka_config.hpp>
#include <sluice/source/rdkafka_ask.hpp>
#include <sluice/source/rdkafka_positions.hpp>
#include <sluice/source/rdkafka_records.hpp>
#include <sluice/source/rdkafka_trouble.hpp>

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace sluice { inline namespace v0 {

/// Models client::kafka_client. One thread, except wake(). The constructor throws error (unknown_property,
/// owned_property, bad_configuration; login_failed where no token can be had); it does not wait for a broker.
///
/// Memory behind messages lives until release(), past renew() even.
template <class Late>
class basic_rdkafka_client {
  using instance = detail::basic_rdkafka_instance<Late>;
  using partition_queue = typename instance::partition_queue;
  using bell = detail::late<detail::bell, Late>;
  using native_messages = detail::native_messages<Late>;

  rdkafka_settings settings_;
  std::shared_ptr<bell> bell_ = std::make_shared<bell>();
  std::shared_ptr<instance> now_;
  std::vector<std::shared_ptr<instance>> buried_{};  // whose messages are still in hand
  detail::basic_rdkafka_positions<Late> positions_{};
  detail::late<std::deque<client::event>, Late> heard_{};
  detail::late<std::vector<rd_kafka_message_t*>, Late> fetched_{};
  std::vector<std::string> topics_{};
  bool owes_unassign_ = false;  // a revocation was told and not answered yet
  detail::basic_connection_trouble<Late> connecting_{};
  bool failed_ = false;  // a fatal error was heard

 public:
  explicit basic_rdkafka_client(rdkafka_settings settings)
      : settings_(std::move(settings)), now_(std::make_shared<instance>(settings_, bell_)), fetched_(1024) {
    positions_.use(now_);
    log(7, "Kafka client: " + describe(settings_));
    if (!now_->token_failure.empty()) throw error(errc::login_failed, clean(now_->token_failure));
  }
  ~basic_rdkafka_client() {
    positions_.let_go();
    if (now_) detail::bury(std::move(now_), good_bye());
  }
  basic_rdkafka_client(basic_rdkafka_client const&) = delete;
  basic_rdkafka_client& operator=(basic_rdkafka_client const&) = delete;

  // The group

  void subscribe(std::vector<std::string> const& topics) {
    topics_ = topics;
    auto list = detail::make_rdkafka_list(topics.size());
    for (auto const& t : topics) detail::append(*list, {t, RD_KAFKA_PARTITION_UA});
    detail::check(rd_kafka_subscribe(now_->client, list.get()), "subscribe");
  }

  detail::late<std::optional<client::event>, Late> poll() {
    bell_->hush();
    positions_.serve();
    collect(1);
    if (heard_.empty()) return std::nullopt;
    auto e = std::move(heard_.front());
    heard_.pop_front();
    return e;
  }

  /// With nothing in `from`: gives up all, and answers a revocation.
  void assign(std::vector<position> const& from) {
    auto const list = detail::to_rdkafka(from);
    bool const unassign = from.empty() && std::exchange(owes_unassign_, false);
    forget_what_was_held_back();
    detail::check(rd_kafka_assign(now_->client, unassign ? nullptr : list.get()), "assign");
  }
  void incremental_assign(std::vector<position> const& from) {
    auto const list = detail::to_rdkafka(from);
    detail::check(detail::rdkafka_error{rd_kafka_incremental_assign(now_->client, list.get())}, "assign");
  }
  void incremental_unassign(std::vector<topic_partition> const& set) {
    owes_unassign_ = false;
    forget_what_was_held_back(&set);
    auto const list = detail::to_rdkafka(set);
    detail::check(detail::rdkafka_error{rd_kafka_incremental_unassign(now_->client, list.get())}, "give up partitions");
  }
  bool cooperative() const { return detail::is_cooperative(settings_); }
  group_positions& positions() { return positions_; }

  // Records

  std::size_t open_queue(topic_partition const& of) {
    auto& all = now_->partitions;
    auto at = std::find_if(all.begin(), all.end(), [](auto const& p) { return !p.queue; });
    if (at == all.end()) at = all.emplace(all.end());
    at->of = of;
    at->queue.reset(rd_kafka_queue_get_partition(now_->client, of.topic.c_str(), of.partition));
    if (!at->queue) throw error(errc::client_failed, to_string(of) + " has no queue");
    // Said before assign: librdkafka then knows that the application chose, and leaves it so.
    rd_kafka_queue_forward(at->queue.get(), nullptr);
    now_->listen(at->queue, true);
    instance::drain(*at);
    return static_cast<std::size_t>(at - all.begin());
  }

  void close_queue(std::size_t handle) {
    auto& p = now_->partitions[handle];
    if (!p.queue) return;
    now_->listen(p.queue, false);
    instance::drain(p);
    p = {};
  }

  client::taken take(std::size_t handle, std::span<detail::message> out) {
    client::taken result;
    auto& p = now_->partitions[handle];
    auto* const queue = p.queue.get();
    if (!p.held_back.empty()) [[unlikely]] {
      auto held = std::exchange(p.held_back, {});
      translate(p, held, out, result);
    }
    // The length first: a look into an empty queue would be a system call, even with time-out 0.
    while (result.count < out.size() && p.held_back.empty() && !detail::stopped(result)) {
      auto const ready = rd_kafka_queue_length(queue);
      if (ready == 0) break;
      auto const want = std::min({ready, out.size() - result.count, fetched_.size()});
      auto const got = rd_kafka_consume_batch_queue(queue, 0, fetched_.data(), want);
      if (got < 0) break;
      translate(p, {fetched_.data(), static_cast<std::size_t>(got)}, out, result);
    }
    if (result.count > 0) {
      now_->in_hand.fetch_add(result.count, std::memory_order_relaxed);
      remember_topic(p, out.front());
    }
    return result;
  }

  void release(std::span<detail::message const> back) {
    if (!buried_.empty()) [[unlikely]]
      return release_of_several(back);
    for (auto const& m : back) rd_kafka_message_destroy(detail::native(m));
    if (now_) now_->in_hand.fetch_sub(back.size(), std::memory_order_relaxed);
  }

  detail::message_access const* access() const { return &detail::rdkafka_access; }

  /// As fetches told. `high` is the high watermark: in a topic with transactions their markers count, too.
  client::watermarks limits(std::size_t handle) const {
    auto const& of = now_->partitions[handle].of;
    std::int64_t low = -1, high = -1;
    if (rd_kafka_get_watermark_offsets(now_->client, of.topic.c_str(), of.partition, &low, &high) || high < 0)
      return {};
    return {offset{std::max<std::int64_t>(low, -1)}, offset{high}, true};
  }

  // The brokers

  void reach(time_point by) {
    explained([&] {
      detail::ask_for_an_answer(*now_->client, by, [this] { hear_meanwhile(); });
      return true;
    });
  }

  std::int32_t partition_count(std::string const& topic, time_point by) {
    return explained(
        [&] { return detail::ask_partition_count(*now_->client, topic, by, [this] { hear_meanwhile(); }); });
  }

  /// `high`: the end that readers see (with read_committed the last stable offset). Not known: there is no leader now.
  std::vector<client::watermarks> ends(std::vector<topic_partition> const& set, time_point by) {
    return explained([&] {
      auto const low = detail::ask_offsets(*now_->client, set, detail::first_offset, by, detail::leaderless::left_out);
      auto const high = detail::ask_offsets(*now_->client, set, detail::end_offset, by, detail::leaderless::left_out);
      detail::late<std::vector<client::watermarks>, Late> result(set.size());
      for (std::size_t i = 0; i < set.size(); ++i)
        if (low[i] >= 0 && high[i] >= 0) result[i] = {offset{low[i]}, offset{high[i]}, true};
      return result;
    });
  }

  std::vector<offset> offsets_at(std::vector<topic_partition> const& set, wall_time t, time_point by) {
    return explained([&] {
      auto const found =
          detail::ask_offsets(*now_->client, set, std::max<std::int64_t>(t.time_since_epoch().count(), 0), by);
      detail::late<std::vector<topic_partition>, Late> none;
      for (std::size_t i = 0; i < set.size(); ++i)
        if (found[i] < 0) none.push_back(set[i]);
      auto const ends = detail::ask_offsets(*now_->client, none, detail::end_offset, by);
      detail::late<std::vector<offset>, Late> result;
      for (std::size_t i = 0, n = 0; i < set.size(); ++i) {
        auto const value = found[i] >= 0 ? found[i] : ends[n++];
        if (value < 0) throw error(errc::no_broker, "the leader of " + to_string(set[i]) + " is away");
        result.push_back(offset{value});
      }
      return result;
    });
  }

  // Waiting and ending

  void wait(time_point by) { bell_->wait(by); }
  void wake() noexcept { bell_->ring(); }
  /// 8 bytes are written to `fd`, from threads of librdkafka's: it must not block, and outlive the client or be taken
  /// back with -1.
  void wake_on(int fd) { bell_->also_on(fd); }

  /// positions().abandon() was called, or a fatal error came: renew() before anything else.
  bool spent() const { return positions_.abandoned() || failed_; }

  /// A new client with the same settings and subscription; all queues are closed, all partitions gone. The old one
  /// leaves its group on a thread of its own, and has 2 s for it, none where partitions are assigned by hand: then its
  /// connections are cut, so that nothing it had queued is sent any more.
  void renew() {
    auto next = std::make_shared<instance>(settings_, bell_);
    auto const last_words = good_bye();
    auto old = std::exchange(now_, std::move(next));
    positions_.use(now_);
    heard_.clear();
    owes_unassign_ = failed_ = false;
    note_token(now_->token_failure);
    if (old->in_hand > 0) buried_.push_back(old);
    detail::bury(std::move(old), last_words);
    if (!topics_.empty()) subscribe(topics_);
    bell_->ring();
  }

  /// False: not done by `by`; nothing is sent after that, and the rest is done on a thread of its own. Release all messages first. Afterwards only
  /// release() and wake() may be called.
  bool close(time_point by) {
    if (!now_) return true;
    positions_.let_go();
    if (now_->in_hand > 0) buried_.push_back(now_);
    auto done = detail::bury(std::exchange(now_, nullptr), std::min(by, good_bye()));
    return done.wait_until(by) == std::future_status::ready && done.get();
  }

 private:
  /// How long a client that is done with may speak. One with a request that had no answer: just long enough to tell the
  /// group, sooner than its successor can be a member of it; by hand, not at all.
  time_point good_bye() const {
    auto const now = std::chrono::steady_clock::now();
    if (!positions_.abandoned()) return now + std::chrono::seconds{60};
    return settings_.subscribe ? now + std::chrono::seconds{2} : now;
  }
  /// Up to the first error; what came behind it is kept for the next take().
  void translate(partition_queue& p, native_messages from, std::span<detail::message> out, client::taken& result) {
    auto const rest = detail::translate<Late>(from, out, result);
    if (!result.trouble.empty()) [[unlikely]]
      result.trouble = clean(std::move(result.trouble));
    if (rest.empty()) [[likely]]
      return;
    p.held_back.assign(rest.begin(), rest.end());
    bell_->ring();
  }

  void remember_topic(partition_queue& p, detail::message const& m) {
    auto const* topic = detail::native(m)->rkt;
    if (p.topic == topic) return;
    p.topic = topic;
    if (!has(*now_, topic)) now_->topics.push_back(topic);
  }

  static bool has(instance const& i, rd_kafka_topic_t const* topic) {
    return std::find(i.topics.begin(), i.topics.end(), topic) != i.topics.end();
  }

  void release_of_several(std::span<detail::message const> back) {
    for (auto const& m : back) {
      auto const owner = std::find_if(buried_.begin(), buried_.end(),
                                      [topic = detail::native(m)->rkt](auto const& b) { return has(*b, topic); });
      rd_kafka_message_destroy(detail::native(m));
      auto& in_hand = (owner == buried_.end() ? now_ : *owner)->in_hand;
      in_hand.fetch_sub(1);
      in_hand.notify_all();
    }
    std::erase_if(buried_, [](auto const& b) { return b->in_hand == 0; });
  }

  void forget_what_was_held_back(std::vector<topic_partition> const* only = nullptr) {
    for (auto& p : now_->partitions)
      if (!only || std::find(only->begin(), only->end(), p.of) != only->end())
        for (auto* m : std::exchange(p.held_back, {})) rd_kafka_message_destroy(m);
  }

  // Events

  void collect(std::size_t wanted) {
    while (heard_.size() < wanted) {
      detail::rdkafka_event e{rd_kafka_queue_poll(now_->events.get(), 0)};
      if (!e) break;
      hear(*e);
    }
    auto& complaints = positions_.complaints();
    for (; !complaints.empty(); complaints.pop_front())
      heard_.push_back(client::trouble{complaints.front().code, std::move(complaints.front().text)});
  }

  void hear(rd_kafka_event_t& e) {
    switch (rd_kafka_event_type(&e)) {
      case RD_KAFKA_EVENT_REBALANCE:
        return hear_rebalance(e);
      case RD_KAFKA_EVENT_ERROR:
        return hear_error(e);
      case RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH:
        return note_token(now_->tokens.give(*now_->client));
      case RD_KAFKA_EVENT_STATS:
        return log(7, std::string("statistics: ") + rd_kafka_event_stats(&e));
      case RD_KAFKA_EVENT_LOG: {
        char const *facility = "", *line = "";
        int level = 7;
        rd_kafka_event_log(&e, &facility, &line, &level);
        return log(level, std::string(facility) + ": " + line);
      }
      case RD_KAFKA_EVENT_FETCH:
        heard_.push_back(client::trouble{errc::client_failed, "a record came of a partition whose queue is not open"});
        return;
      default:
        return;
    }
  }

  void hear_rebalance(rd_kafka_event_t& e) {
    auto set = detail::from_rdkafka(rd_kafka_event_topic_partition_list(&e));
    switch (auto const what = rd_kafka_event_error(&e)) {
      case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS:
        owes_unassign_ = false;
        heard_.push_back(client::assigned{std::move(set)});
        break;
      case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS:
        owes_unassign_ = true;
        heard_.push_back(client::revoked{std::move(set), rd_kafka_assignment_lost(now_->client) != 0});
        break;
      default:
        rd_kafka_assign(now_->client, nullptr);
        heard_.push_back(client::trouble{errc::client_failed, std::string("rebalance: ") + rd_kafka_err2str(what)});
    }
  }

  void hear_error(rd_kafka_event_t& e) {
    auto const what = rd_kafka_event_error(&e);
    bool const fatal = rd_kafka_event_error_is_fatal(&e) != 0;
    if (what == RD_KAFKA_RESP_ERR__PARTITION_EOF) return;
    // There is no group: nobody gave one.
    if (what == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED && settings_.group.empty()) return;
    auto text = clean(rd_kafka_event_error_string(&e));
    if (detail::is_told_by_tokens(text)) return;
    if (what == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) {
      if (detail::rdkafka_one const one{rd_kafka_event_topic_partition(&e)}) {
        heard_.push_back(client::out_of_range{{one->topic, one->partition}});
        return;
      }
    }
    if (what == RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED) {
      heard_.push_back(client::poll_exceeded{std::move(text)});
      return;
    }
    failed_ = failed_ || fatal;
    auto const remedy = detail::remedy(what, text, settings_);
    connecting_.hear(what, text, remedy);
    heard_.push_back(client::trouble{detail::code_of(what, text), text + remedy, fatal});
  }

  void note_token(std::string failure) {
    if (failure.empty()) return;
    failure = clean(std::move(failure));
    connecting_.has_no_token(failure);
    heard_.push_back(client::trouble{errc::login_failed, std::move(failure)});
  }

  /// While the brokers are asked for the first time.
  void hear_meanwhile() {
    collect(heard_.max_size());
    connecting_.throw_if_all_refuse(settings_.brokers);
  }

  // Errors

  std::string clean(std::string text) const {
    text = detail::without_secrets(std::move(text), settings_.properties);
    return now_ ? now_->tokens.strike_out(std::move(text)) : text;
  }

  void log(int level, std::string const& line) const {
    if (settings_.log) settings_.log(level, clean(line));
  }

  /// Where no broker answers: with the last thing heard of one, which says why.
  template <class Ask>
  std::invoke_result_t<Ask> explained(Ask ask) {
    return connecting_.explained(ask, [this] { collect(heard_.max_size()); }, settings_.brokers);
  }
};

}}  // namespace sluice::v0
