/// \file offset_store/kafka.hpp  Offsets in Kafka's own group: each advance one commit, acknowledged; or a transaction, from Kafka to Kafka.
#pragma once
#include <sluice/offset_store/group_claims.hpp>
#include <sluice/offset_store/kafka_transaction.hpp>
#include <sluice/on_failure/dead_letter_message.hpp>

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

  class runtime;
  static runtime open(kafka_offsets const& self, context const& c);
};

class kafka_offsets::runtime {
  using producer_settings = detail::rdkafka_producer::settings;
  using group_metadata_handle = std::unique_ptr<rd_kafka_consumer_group_metadata_t,
                                                detail::destroyed_by<rd_kafka_consumer_group_metadata_destroy>>;

  // A producer that was fenced: by its successor, or by a coordinator that waited for it too long.
  struct fenced_off {
    bool overdue = false;
    std::string membership{};
  };

  std::string id_;
  std::chrono::milliseconds timeout_;
  producer_settings producer_settings_;
  std::string group_name_;
  detail::group_ledger ledger_{};
  std::vector<outcome> answers_{};

  bool member_ = true;  // subscribed: a transaction needs a membership
  std::optional<detail::transactional_producer> producer_{};
  std::unique_ptr<kafka_transaction> open_{};
  std::string membership_{};  // as it was when the batch in hand was taken
  std::vector<move> pending_{};
  bool refused_ = false;
  std::map<topic_partition, detail::group_ledger::place> unsettled_{};
  std::optional<fenced_off> fenced_{};

 public:
  static constexpr bool durable_at_advance = true;
  static constexpr sluice::fencing fencing = sluice::fencing::group;
  using transaction = kafka_transaction;

  runtime(kafka_offsets const& policy, context const& c)
      : id_(policy.transactional_id),
        timeout_(policy.transaction_timeout),
        producer_settings_{
            .brokers = c.brokers, .properties = detail::connection_properties(c.properties), .owned = {}, .log = c.log},
        group_name_(c.group) {}

  /// After the source was opened, and again after its client was discarded; `member`: false where partitions are
  /// assigned by hand. Borrowed until the next bind.
  void bind(group_positions& group, bool member = true) {
    ledger_.bind(group);
    member_ = member;
    membership_.clear();
    unsettled_.clear();
  }

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
    producer_.emplace(producer_settings_, id_, timeout_);
  }
  /// A new batch is in hand: its transactions, however many attempts it takes, go by the membership of now.
  void batch_taken() {
    if (producer_) membership_ = ledger_.group().group_metadata();
  }

  std::vector<claimed> claim(std::string const& /*group*/, std::vector<topic_partition> const& set,
                             start_resolver& resolve, time_point by) {
    // What a predecessor left open ends first, so that the offsets read are final.
    if (producer_ && !fenced_) producer_->ready(by);
    auto answers = detail::group_claim{ledger_, resolve, by}(set);
    for (auto const& a : answers) unsettled_.erase(a.of);
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

  /// After an advance `unknown` is final: the client is gone, and the next claim reads what became of it. After a
  /// transaction a new producer ends the old one, and a stable read tells.
  std::span<outcome const> settle(std::span<move const> moves, time_point by) {
    if (!unsettled_.empty()) read_what_became_of(moves, by);
    answers_.clear();
    for (auto const& m : moves) {
      bool const open = ledger_.abandoned() || unsettled_.contains(m.of);
      answers_.push_back(ledger_.answered_here(m) == outcome::applied ? outcome::applied
                         : open                                       ? outcome::unknown
                                                                      : outcome::refused);
    }
    return answers_;
  }

  std::vector<claimed> record(std::vector<rewind> const& rewinds, time_point by) { return ledger_.record(rewinds, by); }
  void release(std::vector<claimed> const& claims, time_point) { ledger_.release(claims); }
  std::optional<std::string> local_id() const { return std::nullopt; }
  bool mirror() const { return false; }

  /// In each idle step: commits again, once a day, what does not move. Kafka would forget it.
  void refresh(time_point now) { ledger_.refresh(now); }

  // Transactions

  /// Throws store_error: unavailable where no transaction can be had by `by`; fenced where another instance has taken
  /// over the transactional_id.
  kafka_transaction& begin(std::span<move const> /*moves*/, time_point by) {
    must_be_prepared();
    rejoin_after_fence();
    if (membership_.empty()) membership_ = ledger_.group().group_metadata();
    producer_->begin(by);
    pending_.clear();
    refused_ = false;
    open_ = std::make_unique<kafka_transaction>(*producer_);
    return *open_;
  }

  std::span<outcome const> advance(kafka_transaction&, std::span<move const> moves, time_point) {
    answers_.clear();
    for (auto const& m : moves) {
      bool const free = !ledger_.answered_here(m) && !(member_ && membership_.empty());
      if (free) pending_.push_back(m);
      refused_ |= !free;
      answers_.push_back(free ? outcome::applied : outcome::refused);
    }
    return answers_;
  }

  /// Waits up to what is left of transaction_timeout, even past `by`. Throws store_error where the brokers did not take
  /// a result: all is rolled back then.
  outcome commit(kafka_transaction& tx, time_point by) {
    if (!producer_->is_open()) return outcome::refused;
    if (refused_) {
      rollback(tx);
      return outcome::refused;
    }
    auto const membership = membership_handle();
    if (!membership) {
      rollback(tx);
      return outcome::refused;
    }
    auto const offsets = offsets_of(pending_);
    auto const began = producer_->end() - timeout_;
    auto const end = producer_->commit(*offsets, *membership, by);
    if (end.fenced) {
      fenced_ = {.overdue = std::chrono::steady_clock::now() - began >= timeout_, .membership = membership_};
    }
    switch (end.what) {
      case detail::transaction_end::committed:
        for (auto const& m : pending_) ledger_.moved(m);
        membership_.clear();
        return outcome::applied;
      case detail::transaction_end::aborted:
        if (end.fenced || end.moved_on) return outcome::refused;
        throw store_error(errc::store_unavailable, "the transaction was rolled back: " + end.why);
      case detail::transaction_end::unknown:
        break;
    }
    for (auto const& m : pending_) {
      unsettled_[m.of] = *ledger_.find(m.of);
      ledger_.drop(m.of);
    }
    return end.fenced ? settled_after_fence(by) : outcome::unknown;
  }

  void rollback(kafka_transaction&) noexcept { producer_->abort(); }

  /// The dead letter becomes part of the open transaction.
  void set_aside(std::string const& topic, dead_letter const& letter) {
    if (topic.empty() || !producer_ || !producer_->is_open()) {
      throw error(errc::bad_configuration, "kafka_offsets keeps dead letters in a topic, inside a transaction only");
    }
    auto const failure = detail::produce_letter(producer_->producer(), topic, letter, producer_->end());
    producer_->note(failure);
    if (failure) throw error(errc::dead_letter_failed, "a dead letter could not be written to " + failure.why);
  }

 private:
  void must_be_prepared() const {
    if (!producer_) throw error(errc::bad_configuration, "kafka_offsets was opened without transactions");
  }

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

  group_metadata_handle membership_handle() const {
    if (membership_.empty()) {
      return group_metadata_handle{member_ ? nullptr : rd_kafka_consumer_group_metadata_new(group_name_.c_str())};
    }
    rd_kafka_consumer_group_metadata_t* handle = nullptr;
    detail::rdkafka_error const failed{
        rd_kafka_consumer_group_metadata_read(&handle, membership_.data(), membership_.size())};
    return group_metadata_handle{failed ? nullptr : handle};
  }

  detail::rdkafka_list offsets_of(std::vector<move> const& moves) {
    auto list = detail::make_rdkafka_list(moves.size());
    for (auto const& m : moves) {
      auto const position = ledger_.position_of(m);
      auto& one = detail::append(*list, m.of);
      one.offset = position.next.value();
      one.metadata_size = position.note.size();
      one.metadata = rd_kafka_mem_malloc(producer_->producer().native_handle(), position.note.size());
      std::ranges::copy(position.note, static_cast<char*>(one.metadata));
    }
    return list;
  }

  /// Who fenced this producer has ended its transaction, so the offsets are final already.
  outcome settled_after_fence(time_point by) {
    auto const answers = settle(pending_, by);
    if (std::ranges::count(answers, outcome::unknown) > 0) return outcome::unknown;
    return std::ranges::count(answers, outcome::refused) > 0 ? outcome::refused : outcome::applied;
  }

  void read_what_became_of(std::span<move const> moves, time_point by) {
    std::vector<topic_partition> set;
    for (auto const& m : moves) {
      if (unsettled_.contains(m.of)) set.push_back(m.of);
    }
    std::vector<group_position> found;
    try {
      if (!fenced_) producer_->ready(by);
      found = ledger_.group().read(set, by);
    } catch (store_error const&) { return; }
    for (auto const& p : found) {
      auto const m = std::ranges::find(moves, p.of, &move::of);
      if (p.failed || m == moves.end()) continue;
      auto const note = p.there ? read_note(p.note) : std::nullopt;
      auto place = unsettled_.extract(p.of).mapped();
      bool const applied = p.there && p.next == m->until && note && note->mine == m->mine;
      if (!applied && (!p.there || p.next != place.next)) continue;  // somebody else's by now
      ledger_.put(p.of, place);
      if (applied) ledger_.moved(*m);
    }
  }
};

inline kafka_offsets::runtime kafka_offsets::open(kafka_offsets const& self, context const& c) {
  if (c.group.empty()) throw error(errc::bad_configuration, "kafka_offsets needs a group: kafka{.group = \"billing\"}");
  return runtime{self, c};
}

}}  // namespace sluice::v0
