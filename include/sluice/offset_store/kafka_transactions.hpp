/// \file offset_store/kafka_transactions.hpp  Results and a group's offsets in one Kafka transaction: whose it is, how it ends, what became of it.
#pragma once
#include <sluice/offset_store/group_ledger.hpp>
#include <sluice/offset_store/kafka_transaction.hpp>
#include <sluice/on_failure/dead_letter_message.hpp>

#include <algorithm>
#include <cstring>

namespace sluice { inline namespace v0 { namespace detail {

/// The transactional half of kafka_offsets. The ledger and its group_positions outlive it. One thread.
template <class Late>
class basic_kafka_transactions {
  using ledger = basic_group_ledger<Late>;
  using transaction = basic_kafka_transaction<Late>;

  // A producer that was fenced: by its successor, or by a coordinator that waited for it too long.
  struct fenced_off {
    bool overdue = false;
    std::string membership{};
  };

  ledger& ledger_;
  std::string id_;
  std::string group_;
  std::chrono::milliseconds timeout_;
  basic_transactional_producer<Late> producer_;
  transaction open_{producer_};
  bool member_ = true;        // subscribed: a transaction needs a membership
  std::string membership_{};  // as it was when the batch in hand was taken
  late<std::vector<move>, Late> pending_{};
  bool refused_ = false;
  std::map<topic_partition, typename ledger::place> unsettled_{};
  bool out_of_reach_ = false;  // what is unsettled belongs to a client that is gone: the next claim tells
  std::optional<fenced_off> fenced_{};

 public:
  basic_kafka_transactions(ledger& all, typename basic_rdkafka_producer<Late>::settings settings, std::string id,
                           std::string group, std::chrono::milliseconds timeout)
      : ledger_(all),
        id_(std::move(id)),
        group_(std::move(group)),
        timeout_(timeout),
        producer_(std::move(settings), id_, timeout) {}
  basic_kafka_transactions(basic_kafka_transactions const&) = delete;
  basic_kafka_transactions& operator=(basic_kafka_transactions const&) = delete;

  void bound(bool member) {
    member_ = member;
    membership_.clear();
    out_of_reach_ = !unsettled_.empty();
  }
  void batch_taken() { membership_ = ledger_.group().group_metadata(); }

  /// What a predecessor left open ends first, so that the offsets read are final. Throws store_error.
  void before_claim(time_point by) {
    if (!fenced_) producer_.ready(by);
  }
  void after_claim(std::vector<claimed> const& answers) {
    for (auto const& a : answers) unsettled_.erase(a.of);
  }

  transaction& begin(time_point by) {
    rejoin_after_fence();
    if (membership_.empty()) batch_taken();
    producer_.begin(by);
    pending_.clear();
    refused_ = false;
    return open_;
  }

  outcome take(move const& m) {
    bool const holds = !ledger_.answered_here(m) && !(member_ && membership_.empty());
    if (holds) pending_.push_back(m);
    refused_ |= !holds;
    return holds ? outcome::applied : outcome::refused;
  }

  outcome commit(time_point by) {
    if (!producer_.is_open()) return outcome::refused;
    refused_ |= std::any_of(pending_.begin(), pending_.end(),
                            [&](auto const& m) { return ledger_.answered_here(m).has_value(); });
    auto const membership = as_handle(membership_);
    if (refused_ || !membership) {
      rollback();
      return outcome::refused;
    }
    auto const gives_up = producer_.end();
    auto const end = producer_.commit(*offsets_of(pending_), *membership, by);
    if (end.fenced) fenced_ = {std::chrono::steady_clock::now() >= gives_up, membership_};
    if (end.what == transaction_end::committed) {
      for (auto const& m : pending_) ledger_.moved(m);
      membership_.clear();
      return outcome::applied;
    }
    if (end.what == transaction_end::aborted) {
      if (end.fenced || end.moved_on) return outcome::refused;
      throw store_error(end.code, "the transaction was rolled back: " + end.why);
    }
    out_of_reach_ = false;
    for (auto const& m : pending_) {
      unsettled_[m.of] = *ledger_.find(m.of);
      ledger_.drop(m.of);
    }
    return end.fenced ? after_fence(by) : outcome::unknown;
  }

  void rollback() noexcept { producer_.abort(); }

  bool is_unsettled(topic_partition const& of) const { return unsettled_.contains(of); }

  /// A new producer ends the old one's transaction, one way or the other; then a stable read tells.
  void settle(std::span<move const> moves, time_point by) {
    std::vector<topic_partition> set;
    for (auto const& m : moves) {
      if (unsettled_.contains(m.of)) set.push_back(m.of);
    }
    if (set.empty() || out_of_reach_) return;
    std::vector<group_position> found;
    try {
      before_claim(by);
      found = ledger_.group().read(set, by);
    } catch (store_error const&) { return; }
    for (auto const& p : found) {
      auto const m = std::find_if(moves.begin(), moves.end(), [&](auto const& one) { return one.of == p.of; });
      if (p.failed || m == moves.end()) continue;
      auto const note = p.there ? read_note(p.note) : std::nullopt;
      auto const place = unsettled_.extract(p.of).mapped();
      bool const applied = p.there && p.next == m->until && note && note->mine == m->mine;
      bool const untouched = p.there && p.next == place.next;
      if (applied || untouched) ledger_.put(p.of, place);
      if (applied) ledger_.moved(*m);
    }
  }

  void set_aside(std::string const& topic, dead_letter const& letter) {
    if (topic.empty() || !producer_.is_open()) {
      throw error(errc::bad_configuration, "kafka_offsets keeps dead letters in a topic, inside a transaction only");
    }
    auto const failure = produce_letter(producer_.producer(), topic, letter, producer_.end());
    producer_.note(failure);
    if (failure) throw error(errc::dead_letter_failed, "a dead letter could not be written to " + failure.why);
  }

 private:
  /// A coordinator that waited too long for this member takes nothing away from it. Whoever was fenced otherwise has a
  /// successor, and must not fence it in turn.
  void rejoin_after_fence() {
    if (!fenced_) return;
    if (!fenced_->overdue || fenced_->membership != ledger_.group().group_metadata()) {
      throw store_error(errc::fenced, "another instance has taken over transactional_id \"" + id_ +
                                          "\": give each instance its own; if this is the only one, start it again");
    }
    fenced_.reset();
  }

  rdkafka_membership as_handle(std::string const& text) const {
    if (text.empty())
      return rdkafka_membership{member_ ? nullptr : rd_kafka_consumer_group_metadata_new(group_.c_str())};
    rd_kafka_consumer_group_metadata_t* handle = nullptr;
    rdkafka_error const failed{rd_kafka_consumer_group_metadata_read(&handle, text.data(), text.size())};
    return rdkafka_membership{failed ? nullptr : handle};
  }

  rdkafka_list offsets_of(late<std::vector<move>, Late> const& moves) {
    auto list = make_rdkafka_list(moves.size());
    for (auto const& m : moves) {
      auto const position = ledger_.position_of(m);
      auto& one = append(*list, m.of);
      one.offset = position.next.value();
      one.metadata_size = position.note.size();
      one.metadata = rd_kafka_mem_malloc(producer_.producer().native_handle(), position.note.size());
      std::memcpy(one.metadata, position.note.data(), position.note.size());
    }
    return list;
  }

  /// Who fenced this producer has ended its transaction, so the offsets are final already.
  outcome after_fence(time_point by) {
    settle(pending_, by);
    auto all = outcome::applied;
    for (auto const& m : pending_) {
      if (is_unsettled(m.of)) return outcome::unknown;
      if (!ledger_.is_stored(m)) all = outcome::refused;
    }
    return all;
  }
};
using kafka_transactions = basic_kafka_transactions<void>;

}}}  // namespace sluice::v0::detail
