/// \file offset_store/kafka.hpp  Offsets in Kafka's own group: each advance one commit, acknowledged; or a transaction, from Kafka to Kafka.
#pragma once
#include <sluice/offset_store/group_claims.hpp>
#include <sluice/offset_store/kafka_transactions.hpp>

#include <memory>

namespace sluice { inline namespace v0 {

/// Kafka can't compare and set: what stands in is the group (a member that was put out is refused by its generation), an
/// own check of fence and position, and that a commit without an answer ends the client behind it.
///
/// With `transactional` the handler writes through a kafka_transaction, and the group's offsets are part of it.
struct kafka_offsets {
  using slot = offset_store_slot;
  using transaction = kafka_transaction;
  static constexpr bool fenced_by_group = true;
  static constexpr bool lives_in_group = true;

  /// With `transactional`: stable for each instance and different from instance to instance, so that a restart ends the
  /// transaction that its predecessor left open, and a predecessor that wakes up is fenced.
  std::string transactional_id{};
  /// How long the coordinator lets a transaction be open: longer than a batch takes to be handled.
  std::chrono::milliseconds transaction_timeout{10'000};

  template <class Late>
  class basic_runtime;
  using runtime = basic_runtime<void>;
  template <class Context = context>
  static detail::late<runtime, Context> open(kafka_offsets const& self, Context const& c);
};

template <class Late>
class kafka_offsets::basic_runtime {
  using producer = detail::basic_rdkafka_producer<Late>;
  using transactions = detail::basic_kafka_transactions<Late>;

  std::string id_;
  std::chrono::milliseconds timeout_;
  std::string group_;
  typename producer::settings producer_;
  detail::basic_group_ledger<Late> ledger_{};
  bool member_ = true;
  std::unique_ptr<transactions> transactions_{};
  std::vector<outcome> answers_{};

 public:
  static constexpr bool durable_at_advance = true;
  static constexpr sluice::fencing fencing = sluice::fencing::group;
  using transaction = basic_kafka_transaction<Late>;

  basic_runtime(kafka_offsets const& policy, context const& c)
      : id_(policy.transactional_id),
        timeout_(policy.transaction_timeout),
        group_(c.group),
        producer_{.brokers = c.brokers,
                  .properties = detail::connection_properties(c.properties),
                  .owned = {},
                  .log = c.log,
                  .token = c.token} {}
  basic_runtime(basic_runtime const&) = delete;
  basic_runtime& operator=(basic_runtime const&) = delete;

  /// After the source was opened, and again after its client was discarded; `member`: false where partitions are
  /// assigned by hand. Borrowed until the next bind.
  void bind(group_positions& group, bool member = true) {
    ledger_.bind(group, member);
    member_ = member;
    if (transactions_) transactions_->bound(member);
  }

  std::vector<claimed> claim(std::string const& /*group*/, std::vector<topic_partition> const& set,
                             start_resolver& resolve, time_point by) {
    if (transactions_) transactions_->before_claim(by);
    auto answers = detail::group_claim{ledger_, resolve, by}(set);
    if (transactions_) transactions_->after_claim(answers);
    return answers;
  }

  /// One commit for all. `unknown`: the client has been abandoned, and nothing is stored until the next bind().
  std::span<outcome const> advance(std::span<move const> moves, time_point by) {
    answers_.assign(moves.size(), outcome::refused);
    std::vector<group_position> commits;
    std::vector<std::size_t> of_commit;
    for (std::size_t i = 0; i < moves.size(); ++i) {
      if (auto const known = ledger_.answered_here(moves[i])) {
        answers_[i] = *known;
      } else {
        commits.push_back(ledger_.position_of(moves[i]));
        of_commit.push_back(i);
      }
    }
    auto const outcomes = ledger_.commit(commits, by);
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      auto const& m = moves[of_commit[i]];
      answers_[of_commit[i]] = outcomes[i];
      if (outcomes[i] == outcome::applied) ledger_.moved(m);
      if (outcomes[i] == outcome::refused) ledger_.drop(m.of);
    }
    return answers_;
  }

  /// After an advance `unknown` stays so: the client is gone, and the next claim reads what became of it. After a
  /// transaction the answer is found out.
  std::span<outcome const> settle(std::span<move const> moves, time_point by) {
    if (transactions_) transactions_->settle(moves, by);
    answers_.clear();
    for (auto const& m : moves) {
      bool const open = ledger_.abandoned() || (transactions_ && transactions_->is_unsettled(m.of));
      answers_.push_back(ledger_.is_stored(m) ? outcome::applied : open ? outcome::unknown : outcome::refused);
    }
    return answers_;
  }

  std::vector<claimed> record(std::vector<rewind> const& rewinds, time_point by) { return ledger_.record(rewinds, by); }
  void release(std::vector<claimed> const& claims, time_point) { ledger_.release(claims); }
  /// Another member may have it: nothing of this one's is committed there again.
  void lost(topic_partition const& of) { ledger_.drop(of); }
  std::optional<std::string> local_id() const { return std::nullopt; }
  bool mirror() const { return false; }

  /// In each idle step: commits again, once a day, what does not move. Kafka would forget it.
  void refresh(time_point now) { ledger_.refresh(now); }

  // Transactions

  /// With `transactional`, at construction. Throws error(bad_configuration).
  void prepare_transactions() {
    if (id_.empty()) {
      throw error(errc::bad_configuration,
                  "transactional with kafka_offsets needs kafka_offsets{.transactional_id}: a name that stays the same "
                  "when this instance is started again and that no other instance has, such as \"billing-1\"");
    }
    if (timeout_ < std::chrono::seconds{1}) {
      throw error(errc::bad_configuration, "kafka_offsets{.transaction_timeout} must be at least 1000 ms");
    }
    transactions_ = std::make_unique<transactions>(ledger_, producer_, id_, group_, timeout_);
    transactions_->bound(member_);
  }

  /// A new batch is in hand: its transactions, however many attempts it takes, go by the membership of now.
  void batch_taken() {
    if (transactions_) transactions_->batch_taken();
  }

  /// Throws store_error: unavailable where no transaction can be had by `by`; fenced where another instance has taken
  /// over the transactional_id.
  transaction& begin(std::span<move const> /*moves*/, time_point by) { return prepared().begin(by); }

  std::span<outcome const> advance(transaction&, std::span<move const> moves, time_point) {
    answers_.clear();
    for (auto const& m : moves) answers_.push_back(transactions_->take(m));
    return answers_;
  }

  /// Waits up to what is left of transaction_timeout, even past `by`. Throws store_error where the brokers did not take
  /// a result: all is rolled back then.
  outcome commit(transaction&, time_point by) { return transactions_->commit(by); }
  void rollback(transaction&) noexcept { transactions_->rollback(); }

  /// The dead letter becomes part of the open transaction.
  void set_aside(std::string const& topic, dead_letter const& letter) { prepared().set_aside(topic, letter); }

 private:
  transactions& prepared() {
    if (!transactions_) throw error(errc::bad_configuration, "kafka_offsets was opened without transactions");
    return *transactions_;
  }
};

template <class Context>
detail::late<kafka_offsets::runtime, Context> kafka_offsets::open(kafka_offsets const& self, Context const& c) {
  if (c.group.empty()) throw error(errc::bad_configuration, "kafka_offsets needs a group: kafka{.group = \"billing\"}");
  return detail::late<runtime, Context>{self, c};
}

}}  // namespace sluice::v0
