/// \file offset_store/periodic_kafka.hpp  Offsets in Kafka's group, committed now and then in the background: what was handled.
#pragma once
#include <sluice/offset_store/group_claims.hpp>

#include <functional>

namespace sluice { inline namespace v0 {

/// An advance is remembered and costs no round trip; every `interval` what was handled is committed in the background,
/// and what remains when partitions are given back and when the consumer closes. A crash repeats up to an interval.
struct periodic_kafka_offsets {
  using slot = offset_store_slot;
  static constexpr bool stores_after_handling = true;
  static constexpr bool lives_in_group = true;

  std::chrono::milliseconds interval{5000};
  /// After each commit: what was sent, and why it failed (empty: it did not; what failed is sent again). Called on the
  /// consumer's thread, from step(), drain() or close(); must not throw.
  std::function<void(std::span<group_position const>, std::string const& error)> on_commit{};

  template <class Late>
  class basic_runtime {
    using ledger = detail::basic_group_ledger<Late>;
    using sent_set = detail::late<std::vector<group_position>, Late>;

    std::chrono::milliseconds interval_;
    decltype(periodic_kafka_offsets::on_commit) on_commit_;
    ledger ledger_{};
    detail::late<std::set<topic_partition>, Late> waiting_{};  // advanced since they were last sent
    sent_set on_its_way_{};                                    // sent in the background, not answered yet
    std::optional<time_point> due_{};
    std::vector<outcome> answers_{};

    void tell(sent_set const& sent, std::string const& error) const {
      if (on_commit_) on_commit_(sent, error);
    }
    sent_set take_waiting() {
      sent_set set;
      for (auto const& of : waiting_) {
        if (ledger_.find(of)) set.push_back(ledger_.position_of(of));
      }
      waiting_.clear();
      return set;
    }
    void wait_again(sent_set const& set) {
      for (auto const& p : set) {
        if (ledger_.find(p.of)) waiting_.insert(p.of);
      }
    }
    void arrived(std::string const& error) {
      auto const sent = std::exchange(on_its_way_, {});
      if (sent.empty()) return;
      if (!error.empty()) wait_again(sent);
      tell(sent, error);
    }

   public:
    static constexpr bool durable_at_advance = false;
    static constexpr sluice::fencing fencing = sluice::fencing::group;

    explicit basic_runtime(periodic_kafka_offsets const& policy)
        : interval_(policy.interval), on_commit_(policy.on_commit) {}

    /// After the source was opened, and again after its client was discarded; `member`: false where partitions are
    /// assigned by hand. Borrowed until the next bind.
    void bind(group_positions& group, bool member = true) {
      arrived(on_its_way_.empty() ? std::string{} : "the Kafka client was discarded");
      waiting_.clear();
      ledger_.bind(group, member);
    }

    std::vector<claimed> claim(std::string const& /*group*/, std::vector<topic_partition> const& set,
                               start_resolver& resolve, time_point by) {
      flush(by);
      return detail::group_claim{ledger_, resolve, by}(set);
    }

    std::span<outcome const> advance(std::span<move const> moves, time_point) {
      answers_.clear();
      for (auto const& m : moves) {
        auto const known = ledger_.answered_here(m);
        if (!known) {
          ledger_.moved(m);
          waiting_.insert(m.of);
        }
        answers_.push_back(known.value_or(outcome::applied));
      }
      return answers_;
    }
    std::span<outcome const> settle(std::span<move const> moves, time_point by) { return advance(moves, by); }

    std::vector<claimed> record(std::vector<rewind> const& rewinds, time_point by) {
      auto answers = ledger_.record(rewinds, by);
      for (auto const& a : answers)
        if (a.what == claimed::stored) waiting_.erase(a.of);  // a commit of the same place would leave the cause out
      return answers;
    }

    /// Gives the partitions back; flush() first, or what was handled since the last commit is handled again.
    void release(std::vector<claimed> const& claims, time_point) { ledger_.release(claims); }
    /// Another member may have it: what was handled here since the last commit is not committed any more.
    void lost(topic_partition const& of) { ledger_.drop(of); }

    /// In each step: commits in the background what is due. Cheap, never waits.
    void refresh(time_point now) {
      if (!ledger_.usable()) return;
      if (!on_its_way_.empty()) {
        std::string failed;
        if (!ledger_.group().settled(failed)) return;
        arrived(failed);
      }
      if (!due_) due_ = now + interval_;
      if (now < *due_) return;
      due_ = now + interval_;
      ledger_.refresh(now);
      if (!ledger_.usable()) return;
      on_its_way_ = take_waiting();
      if (!on_its_way_.empty()) ledger_.group().store_later(on_its_way_);
    }
    /// When refresh() has something to do next, where that is known.
    std::optional<time_point> next_due() const { return waiting_.empty() && on_its_way_.empty() ? std::nullopt : due_; }

    /// Commits all that was handled and waits for the answer; true where all of it is stored. What was refused is sent again, as from
    /// refresh(): by a generation that is over, though the partition stays, or it is lost() next. The consumer calls it before
    /// partitions are given back, in drain and in close.
    bool flush(time_point by) {
      if (!ledger_.usable()) return false;
      if (!on_its_way_.empty()) {
        std::string failed;
        if (!ledger_.quiet(by, failed)) return false;
        arrived(failed);
      }
      auto const set = take_waiting();
      if (set.empty()) return true;
      auto const outcomes = ledger_.commit(set, by);
      std::string error;
      for (std::size_t i = 0; i < outcomes.size(); ++i) {
        if (outcomes[i] == outcome::applied) continue;
        error = ledger::reason(outcomes[i]);
        if (outcomes[i] != outcome::unknown) waiting_.insert(set[i].of);
      }
      tell(set, error);
      return error.empty();
    }

    std::optional<std::string> local_id() const { return std::nullopt; }
    bool mirror() const { return false; }
  };
  using runtime = basic_runtime<void>;

  template <class Context = context>
  static detail::late<runtime, Context> open(periodic_kafka_offsets const& self, Context const&) {
    if (self.interval <= std::chrono::milliseconds{0}) {
      throw error(errc::bad_configuration,
                  "periodic_kafka_offsets::interval must be longer than 0 ms; to commit "
                  "after every batch use kafka_offsets");
    }
    return detail::late<runtime, Context>{self};
  }
};

}}  // namespace sluice::v0
