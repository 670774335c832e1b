/// \file offset_store/group_claims.hpp  Claims from a Kafka group's committed offsets, where nothing can be created if absent.
#pragma once
#include <sluice/offset_store/group_ledger.hpp>

#include <set>

namespace sluice { inline namespace v0 { namespace detail {

/// One claim, from the question to the ledger:
/// - only the owner of partition 0 makes a topic's first claim, one commit for all partitions; the others are `busy`;
/// - the known number of partitions stands in partition 0's note, and only its owner raises it;
/// - a partition beyond that number is `added`, one below it without a position is `missing`.
/// Where partitions are assigned by hand, nobody need have partition 0, and the others of the topic may be another
/// process's, whose progress must not be written over: there each makes the first claim of its own partitions, one commit
/// for them and no other, while none of them has a position; where one has, another one without is `missing`.
/// Offsets that a stranger committed are resumed from. At most two reads and one commit, however many partitions.
template <class Ledger>
class group_claim {
  struct topic_view {
    bool owner = false;           // partition 0 is in this claim, or all are assigned by hand
    bool held = false;            // it is, or was claimed before and is ours still
    bool first = false;           // nothing is stored, and we are to make the first claim
    bool unsure = false;          // not every question about it was answered
    std::int32_t partitions = 0;  // 0: not known
    std::vector<offset> starts{};
  };
  static constexpr std::int32_t probe_ahead = 16;

  Ledger& ledger_;
  start_resolver& resolve_;
  time_point by_;
  std::map<std::string, topic_view> topics_{};
  late<std::map<topic_partition, group_position>, Ledger> found_{};
  late<std::map<topic_partition, std::optional<group_note>>, Ledger> notes_{};  // of those that are there

 public:
  group_claim(Ledger& ledger, start_resolver& resolve, time_point by) : ledger_(ledger), resolve_(resolve), by_(by) {}

  std::vector<claimed> operator()(std::vector<topic_partition> const& set) {
    late<std::vector<claimed>, Ledger> answers;
    answers.reserve(set.size());
    if (!ledger_.usable()) {
      for (auto const& of : set) answers.push_back({.of = of, .why = "its Kafka client is being replaced"});
      return answers;
    }
    look_up(set);
    look_around();
    for (auto const& of : set) answers.push_back(decide(of));
    raise_known_number(answers);
    make_durable(answers);
    for (auto const& a : answers) enter(a);
    return answers;
  }

 private:
  void read(std::vector<topic_partition> const& set) {
    if (set.empty()) return;
    for (auto& p : ledger_.group().read(set, by_)) {
      auto const of = p.of;
      if (p.there) {
        if (is_newer_note(p.note)) {
          throw store_error(errc::store_newer,
                            "the committed offset of " + to_string(of) +
                                " was written by a later version of sluice; run that version, or reset the group's "
                                "offsets with kafka-consumer-groups");
        }
        notes_[of] = read_note(p.note);
      }
      found_[of] = std::move(p);
    }
  }

  void look_up(std::vector<topic_partition> const& set) {
    late<std::set<topic_partition>, Ledger> wanted{set.begin(), set.end()};
    ledger_.ask_for(set);
    for (auto const& of : set) {
      auto& topic = topics_[of.topic];
      topic.owner |= ledger_.by_hand() || of.partition == 0;
      topic.held = topic.owner || ledger_.find({of.topic, 0});
      if (!ledger_.by_hand()) wanted.insert({of.topic, 0});
    }
    for (auto const& of : ledger_.asked_for())
      if (ledger_.by_hand() && topics_.contains(of.topic)) wanted.insert(of);
    read({wanted.begin(), wanted.end()});
  }

  bool is_there(topic_partition const& of) const {
    auto const at = found_.find(of);
    return at != found_.end() && at->second.there;
  }
  bool unanswered(topic_partition const& of) const {
    auto const at = found_.find(of);
    return at == found_.end() || at->second.failed;
  }
  std::optional<group_note> note_of(topic_partition const& of) const {
    auto const at = notes_.find(of);
    return at == notes_.end() ? std::nullopt : at->second;
  }

  /// The known number of partitions; where partition 0 is ours, what else the group holds of the topic.
  void look_around() {
    late<std::vector<topic_partition>, Ledger> more;
    for (auto& [name, topic] : topics_) {
      topic_partition const zero{name, 0};
      auto const note = note_of(zero);
      topic.partitions = note ? note->partitions : 0;
      if (ledger_.by_hand()) {
        topic.first = !ledger_.has_of(name);
        continue;
      }
      if (!topic.held || unanswered(zero)) continue;
      auto begin = topic.partitions, end = topic.partitions + probe_ahead;
      if (topic.partitions == 0) {
        topic.starts = resolve_.start_of(name, by_).starts;
        begin = 0, end = topic.partitions = static_cast<std::int32_t>(topic.starts.size());
        topic.first = topic.owner && !is_there(zero) && end > 0;
      }
      for (auto p = begin; p < end; ++p) {
        if (!found_.contains({name, p})) more.push_back({name, p});
      }
    }
    read(more);
    for (auto const& [of, position] : found_) {
      topics_[of.topic].first &= !position.there;
      topics_[of.topic].unsure |= position.failed;
    }
    for (auto& [name, topic] : topics_)
      if (ledger_.by_hand() && topic.first && !topic.unsure) {
        topic.starts = resolve_.start_of(name, by_).starts;
        topic.partitions = static_cast<std::int32_t>(topic.starts.size());
      }
  }

  claimed decide(topic_partition const& of) {
    claimed answer{.of = of};
    auto const& topic = topics_.at(of.topic);
    topic_partition const zero{of.topic, 0};
    if (unanswered(of) || (!ledger_.by_hand() && unanswered(zero)) || (topic.unsure && !is_there(of))) {
      answer.why = "Kafka did not tell its committed offset";
      return answer;
    }
    auto const note = note_of(of);
    if (note && !note->store_id.empty()) {
      answer.what = claimed::foreign;
      answer.why = "last kept in the local store " + note->store_id +
                   "; to leave that store for good, reset the group's offsets with kafka-consumer-groups";
      return answer;
    }
    if (!is_there(of) && !is_there(zero) && !topic.owner) {
      answer.what = claimed::busy;
      answer.why = "the owner of " + to_string(zero) + " makes the topic's first claim";
      return answer;
    }
    auto const* before = ledger_.find(of);
    answer.mine = ledger_.new_fence(std::max(note ? note->mine.turn : 0, before ? before->mine.turn : 0));
    answer.log = note ? note->log : log_state{.incarnation = Ledger::wall_ms()};
    if (is_there(of)) {
      answer.what = claimed::stored;
      answer.next = found_.at(of).next;
    } else if (topic.partitions > 0 && of.partition >= topic.partitions) {
      answer.what = claimed::added;
      answer.next = resolve_.earliest(of, by_);
    } else if (topic.first) {
      answer.what = claimed::first;
      answer.next = topic.starts[static_cast<std::size_t>(of.partition)];
    } else {
      answer.what = claimed::missing;
    }
    return answer;
  }

  /// What stands behind the known number without a hole is known from now on, once partition 0's note says so.
  void raise_known_number(std::vector<claimed> const& answers) {
    late<std::set<topic_partition>, Ledger> beyond;
    for (auto const& a : answers) {
      if (a.what == claimed::added) beyond.insert(a.of);
    }
    for (auto& [name, topic] : topics_) {
      if (!topic.held || topic.partitions == 0) continue;
      while (is_there({name, topic.partitions}) || beyond.contains({name, topic.partitions})) ++topic.partitions;
      if (topic.owner) continue;
      auto zero = *ledger_.find({name, 0});
      zero.partitions = topic.partitions;  // goes with its next advance
      ledger_.put({name, 0}, zero);
    }
  }
  std::int32_t count_for(topic_partition const& of) const {
    return of.partition == 0 ? topics_.at(of.topic).partitions : 0;
  }

  /// One commit for all that is new: the starts of first claims, partitions added since, and the incarnations under which positions
  /// are read that somebody else has stored.
  void make_durable(std::vector<claimed>& answers) {
    std::map<topic_partition, typename Ledger::place> fresh;
    for (auto const& [name, topic] : topics_) {
      for (std::size_t p = 0; topic.first && !topic.unsure && p < topic.starts.size(); ++p) {
        topic_partition const of{name, static_cast<std::int32_t>(p)};
        if (ledger_.by_hand() && !ledger_.asked_for().contains(of)) continue;
        fresh[of] = {.next = topic.starts[p], .log = {.incarnation = Ledger::wall_ms()}, .partitions = count_for(of)};
      }
    }
    for (auto const& a : answers) {
      auto const note = note_of(a.of);
      bool const raised =
          a.what == claimed::stored && note && note->partitions > 0 && note->partitions < count_for(a.of);
      bool const strangers = a.what == claimed::stored && !note;
      if (a.what == claimed::first || a.what == claimed::added || raised || strangers) {
        fresh[a.of] = {.next = a.next, .log = a.log, .mine = a.mine, .partitions = count_for(a.of)};
      }
    }

    late<std::vector<group_position>, Ledger> set;
    set.reserve(fresh.size());
    for (auto const& [of, at] : fresh) set.push_back(Ledger::position_of(of, at));
    auto const outcomes = ledger_.commit(set, by_);
    late<std::map<topic_partition, outcome>, Ledger> bad;
    late<std::map<std::string, outcome>, Ledger> bad_first;  // one topic's starts hold together, or not at all
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      if (outcomes[i] == outcome::applied) continue;
      bad[set[i].of] = outcomes[i];
      if (topics_.at(set[i].of.topic).first) bad_first[set[i].of.topic] = outcomes[i];
    }
    for (auto& a : answers) {
      auto what = outcome::applied;
      if (auto const at = bad.find(a.of); at != bad.end()) what = at->second;
      if (auto const at = bad_first.find(a.of.topic); at != bad_first.end()) what = at->second;
      if (ledger_.abandoned()) what = outcome::unknown;
      if (what != outcome::applied) a = {.of = a.of, .why = Ledger::reason(what)};
    }
  }

  void enter(claimed const& a) {
    bool const there = a.what == claimed::stored || a.what == claimed::first || a.what == claimed::added;
    if (there || a.what == claimed::missing) {
      ledger_.put(a.of, {a.next, a.log, a.mine, count_for(a.of), there, {}});
    } else {
      ledger_.drop(a.of);
    }
  }
};

}}}  // namespace sluice::v0::detail
