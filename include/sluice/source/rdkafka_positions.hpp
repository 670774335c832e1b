/// \file source/rdkafka_positions.hpp  The positions that a group keeps in Kafka: read, stored with an answer, stored in the background.
#pragma once
#include <sluice/source/concept.hpp>
#include <sluice/source/rdkafka_instance.hpp>
#include <sluice/source/rdkafka_trouble.hpp>

#include <cstring>
#include <deque>
#include <map>

namespace sluice { inline namespace v0 { namespace detail {

/// What a broker's answer to a commit means. A code that one partition alone can get says nothing here: librdkafka
/// gives the last error to the partitions that had none, so such an answer is read back.
inline std::optional<outcome> commit_outcome(rd_kafka_resp_err_t e) {
  constexpr int fenced_member_epoch = 110, stale_member_epoch = 113;  // librdkafka 2.0 has no names for them
  switch (static_cast<int>(e)) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
      return outcome::applied;
    case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
    case stale_member_epoch:
      return outcome::postponed;
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case fenced_member_epoch:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST:
    case RD_KAFKA_RESP_ERR_INVALID_GROUP_ID:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
      return outcome::refused;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_COMMIT_OFFSET_SIZE:
      return std::nullopt;
    default:
      return outcome::unknown;
  }
}

/// One thread, that of the client. Never calls rd_kafka_commit, which has no time limit.
template <class Late>
class basic_rdkafka_positions final : public group_positions {
  struct complaint {
    errc code = errc::store_unavailable;
    std::string text{};
  };
  using list_of_complaints = late<std::deque<complaint>, Late>;

  std::shared_ptr<basic_rdkafka_instance<Late>> at_{};
  bool abandoned_ = false;
  std::uint64_t last_request_ = 0;
  std::uint64_t in_background_ = 0;  // request that is in flight, 0: none
  late<std::map<topic_partition, group_position>, Late> waiting_{};
  std::string failed_{};
  list_of_complaints complaints_{};

 public:
  void use(std::shared_ptr<basic_rdkafka_instance<Late>> instance) {
    at_ = std::move(instance);
    abandoned_ = false;
    in_background_ = 0;
    waiting_.clear();
    failed_.clear();
  }
  void let_go() { at_.reset(); }

  /// abandon() was called; the client must be renewed.
  bool abandoned() const { return abandoned_; }

  /// Refusals that the user should hear of, since no position tells him.
  list_of_complaints& complaints() { return complaints_; }

  std::vector<group_position> read(std::vector<topic_partition> const& set, time_point by) override {
    if (set.empty()) return {};
    must_be_usable();
    auto list = to_rdkafka(set);
    auto const e = rd_kafka_committed(at_->client, list.get(), std::max(1, milliseconds_until(by)));
    if (e != RD_KAFKA_RESP_ERR_NO_ERROR) throw_not_read(e);
    late<std::vector<group_position>, Late> found;
    found.reserve(set.size());
    for (auto const& of : set) {
      auto const* p = rd_kafka_topic_partition_list_find(list.get(), of.topic.c_str(), of.partition);
      if (is_denied(p->err)) throw_not_read(p->err);
      group_position one{.of = of};
      one.failed = p->err != RD_KAFKA_RESP_ERR_NO_ERROR;
      one.there = !one.failed && p->offset >= 0;
      if (one.there) one.next = offset{p->offset};
      // A stranger's note may hold a zero: librdkafka copies up to it and still tells the whole length.
      if (one.there && p->metadata) {
        auto const* text = static_cast<char const*>(p->metadata);
        one.note.assign(text, ::strnlen(text, p->metadata_size));
      }
      found.push_back(std::move(one));
    }
    return found;
  }

  std::vector<outcome> store(std::vector<group_position> const& set, time_point by) override {
    if (set.empty() || abandoned_ || !at_) return late<std::vector<outcome>, Late>(set.size(), outcome::refused);
    for (auto const& p : set) waiting_.erase(p.of);
    // One at a time: a retry inside librdkafka could put an older position behind this one.
    if (in_background_ == 0 || answer_to(in_background_, by)) {
      if (auto const answer = answer_to(send(set), by)) return outcomes_of(set, *answer, by);
    }
    return late<std::vector<outcome>, Late>(set.size(), outcome::unknown);
  }

  void store_later(std::vector<group_position> const& set) override {
    if (abandoned_ || !at_) return;
    for (auto const& p : set) waiting_.insert_or_assign(p.of, p);
    serve();
  }

  bool settled(std::string& failed) override {
    serve();
    failed = failed_;
    return in_background_ == 0 && waiting_.empty();
  }

  void abandon() override {
    abandoned_ = true;
    in_background_ = 0;
    waiting_.clear();
  }

  std::string group_metadata() override {
    if (!at_ || abandoned_ || !is_member()) return {};
    auto* metadata = rd_kafka_consumer_group_metadata(at_->client);
    if (!metadata) return {};
    void* text = nullptr;
    std::size_t size = 0;
    rdkafka_error const failed{rd_kafka_consumer_group_metadata_write(metadata, &text, &size)};
    rd_kafka_consumer_group_metadata_destroy(metadata);
    if (failed) return {};
    std::string result{static_cast<char const*>(text), size};
    rd_kafka_mem_free(at_->client, text);
    return result;
  }

  /// Hears answers to what was sent in the background, and sends what waits. Never blocks.
  void serve() {
    if (!at_ || abandoned_) return;
    while (in_background_ != 0 && rd_kafka_queue_length(at_->answers.get()) > 0) {
      rdkafka_event const answer{rd_kafka_queue_poll(at_->answers.get(), 0)};
      if (answer && is_answer(*answer)) heard_from_background(*answer);
    }
    if (in_background_ != 0 || waiting_.empty()) return;
    late<std::vector<group_position>, Late> set;
    set.reserve(waiting_.size());
    for (auto& [of, p] : waiting_) set.push_back(std::move(p));
    waiting_.clear();
    in_background_ = send(set);
  }

 private:
  void must_be_usable() const {
    if (!at_ || abandoned_)
      throw store_error(errc::store_unavailable, "the client was thrown away after a request without an answer");
  }

  [[noreturn]] void throw_not_read(rd_kafka_resp_err_t e) const {
    throw store_error(unavailable_or_denied(e), "the positions of the group \"" + at_->group +
                                                    "\" can't be read: " + rd_kafka_err2str(e) + missing_right(e));
  }

  bool is_member() const {
    char* const id = rd_kafka_memberid(at_->client);
    bool const member = id && *id;
    if (id) rd_kafka_mem_free(at_->client, id);
    return member;
  }

  std::uint64_t send(std::vector<group_position> const& set) {
    auto list = make_rdkafka_list(set.size());
    for (auto const& p : set) {
      auto& one = append(*list, p.of);
      one.offset = p.next.value();
      if (p.note.empty()) continue;
      // Copied, since librdkafka frees it with the list by its own free().
      one.metadata = rd_kafka_mem_malloc(at_->client, p.note.size());
      std::memcpy(one.metadata, p.note.data(), p.note.size());
      one.metadata_size = p.note.size();
    }
    ++last_request_;
    rd_kafka_commit_queue(at_->client, list.get(), at_->answers.get(), nullptr,
                          reinterpret_cast<void*>(static_cast<std::uintptr_t>(last_request_)));
    return last_request_;
  }

  static bool is_answer(rd_kafka_event_t& e) { return rd_kafka_event_type(&e) == RD_KAFKA_EVENT_OFFSET_COMMIT; }
  static std::uint64_t number_of(rd_kafka_event_t& e) {
    return reinterpret_cast<std::uintptr_t>(rd_kafka_event_opaque(&e));
  }

  rdkafka_event answer_to(std::uint64_t request, time_point by) {
    while (auto const left = milliseconds_until(by)) {
      rdkafka_event answer{rd_kafka_queue_poll(at_->answers.get(), left)};
      if (!answer || !is_answer(*answer)) continue;
      heard_from_background(*answer);
      if (number_of(*answer) == request) return answer;
    }
    return nullptr;
  }

  void heard_from_background(rd_kafka_event_t& answer) {
    if (number_of(answer) != in_background_) return;
    in_background_ = 0;
    auto const e = rd_kafka_event_error(&answer);
    failed_ = e == RD_KAFKA_RESP_ERR_NO_ERROR ? std::string{} : rd_kafka_err2str(e);
    if (is_denied(e)) not_stored("positions of the group \"" + at_->group + "\" were", e);
  }

  std::vector<outcome> outcomes_of(std::vector<group_position> const& set, rd_kafka_event_t& answer, time_point by) {
    late<std::vector<outcome>, Late> outcomes;
    outcomes.reserve(set.size());
    late<std::vector<topic_partition>, Late> unclear;
    auto const all = rd_kafka_event_error(&answer);
    auto* const list = rd_kafka_event_topic_partition_list(&answer);
    for (auto const& p : set) {
      auto const* one = list ? rd_kafka_topic_partition_list_find(list, p.of.topic.c_str(), p.of.partition) : nullptr;
      auto const e = one && one->err ? one->err : all;
      auto const what = commit_outcome(e);
      if (!what) unclear.push_back(p.of);
      if (!what || e == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED || e == RD_KAFKA_RESP_ERR_INVALID_GROUP_ID)
        not_stored("the position of " + to_string(p.of) + " was", e);
      outcomes.push_back(what.value_or(outcome::unknown));
    }
    if (!unclear.empty()) read_back(set, unclear, outcomes, by);
    return outcomes;
  }

  void not_stored(std::string const& what, rd_kafka_resp_err_t e) {
    complaints_.push_back({unavailable_or_denied(e), what + " not stored: " + rd_kafka_err2str(e) + missing_right(e)});
  }

  void read_back(std::vector<group_position> const& set, std::vector<topic_partition> const& unclear,
                 std::vector<outcome>& outcomes, time_point by) {
    auto const list = to_rdkafka(unclear);
    if (rd_kafka_committed(at_->client, list.get(), std::max(1, milliseconds_until(by)))) return;
    for (std::size_t i = 0; i < set.size(); ++i) {
      auto const* one = rd_kafka_topic_partition_list_find(list.get(), set[i].of.topic.c_str(), set[i].of.partition);
      if (!one) continue;
      if (one->err)
        // What can't be read for a reason of its own can't have been stored either.
        outcomes[i] = commit_outcome(one->err) ? outcome::unknown : outcome::refused;
      else
        outcomes[i] = one->offset == set[i].next.value() ? outcome::applied : outcome::refused;
    }
  }
};
using rdkafka_positions = basic_rdkafka_positions<void>;

}}}  // namespace sluice::v0::detail
