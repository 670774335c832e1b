#include "changing.hpp"

#include <sluice/offset_store/group_note.hpp>

#include <fmt/format.h>

#include <thread>

namespace offsets_tool {

namespace {

using positions = std::vector<sl::kept_position>;

/// One change of one group in one store.
class changing {
  circumstances const& c_;
  store& store_;
  positions const& stored_;
  origin const& from_;
  std::optional<brokers> brokers_{};
  std::vector<change> plan_{};
  std::vector<change> open_{};  // of the plan, without what is so already

  brokers* asked() { return brokers_ ? &*brokers_ : nullptr; }

  /// Of the store, where it is a local one that is there already.
  std::string here() const { return stored_.empty() || store_.is_kafka() ? std::string{} : stored_.front().store_id; }

  static void must_be_equal(positions const& before, positions const& after, std::string const& where) {
    for (auto const& a : after)
      for (auto const& b : before)
        if (a.of == b.of && a.next != b.next)
          throw refusal{
              fmt::format("{} moved from {} to {} in {}: a consumer is alive. Stop it, or say "
                          "--group-may-be-alive",
                          to_string(a.of), b.next.value(), a.next.value(), where)};
  }

  std::vector<sl::group_member> members_of(brokers const& group) const {
    try {
      return group.members(c_.by());
    } catch (sl::error const& e) {
      if (e.code() != sl::errc::client_failed) throw;
      throw refusal{std::string(said_by(e)) + ". See to it that nobody is, and say --group-may-be-alive"};
    }
  }
  static void must_have_no_members(std::string const& group, std::vector<sl::group_member> const& members,
                                   std::string const& advice) {
    if (!members.empty())
      throw refusal{fmt::format("group {} has {} member{} now ({} at {}). {}", group, members.size(),
                                members.size() == 1 ? "" : "s", members.front().client_id, members.front().host,
                                advice)};
  }

  /// Throws where the brokers, or a fence that nobody gave back, say that somebody may be at work.
  void must_be_empty() {
    auto const advice = store_.is_kafka()
                            ? std::string{"Stop them: Kafka takes no offsets from outside while a group has members"}
                            : std::string{
                                  "Stop them, or say --group-may-be-alive: then they are refused when they store "
                                  "next, and go on from what is set here"};
    if (brokers_) {
      must_have_no_members(c_.group, members_of(*brokers_), advice);
      if (from_.read_from && from_.group != c_.group) {
        brokers const other{c_.brokers, from_.group, c_.properties};
        must_have_no_members(from_.group, members_of(other), advice);
      }
      return;
    }
    for (auto const* all : {&stored_, &from_.positions})
      for (auto const& p : *all)
        if (p.held && c_.wants(p.of.topic))
          throw refusal{to_string(p.of) +
                        " is held by a consumer, which is alive or was killed. Give --brokers, so that they "
                        "can be asked; or say --group-may-be-alive"};
  }

  void must_stand_still() {
    std::this_thread::sleep_for(c_.sample_for);
    must_be_equal(stored_, store_.read(c_.group, c_.by()), store_.name());
    if (from_.read_from) must_be_equal(from_.positions, from_.read_from->read(from_.group, c_.by()), from_.name);
  }

  /// The group's notes in Kafka name the local store that it is kept in: only from there it may go elsewhere. Answers those
  /// that must be told so.
  std::vector<sl::group_position> homes() {
    std::vector<sl::group_position> elsewhere;
    if (!brokers_) return elsewhere;
    std::vector<sl::topic_partition> set;
    for (auto const& c : plan_) set.push_back(c.of);
    for (auto& p : brokers_->notes(set, c_.by())) {
      auto const note = p.there ? sl::read_note(p.note) : std::nullopt;
      if (!note || note->store_id.empty() || note->store_id == here()) continue;
      if (note->store_id != from_.store_id)
        throw failure{
            fmt::format("group {} keeps {} in another local store ({}): its positions are there. Take them from that "
                        "store, or reset the group's offsets with kafka-consumer-groups; nothing was changed",
                        c_.group, to_string(p.of), note->store_id)};
      elsewhere.push_back(std::move(p));
    }
    return elsewhere;
  }
  void leave(std::vector<sl::group_position> set) {
    for (auto& p : set) {
      auto note = sl::read_note(p.note).value_or(sl::group_note{});
      note.store_id.clear();
      p.note = sl::to_text(note);
    }
    if (!brokers_->keep(set, c_.by()))
      throw failure{"the group in Kafka did not take note that its local store is left: run the same command again"};
  }
  /// `left` are kept in the store of this id from now on, unless they could not be changed.
  void settle_in(std::vector<sl::group_position> left, std::string const& id, receipt const& done) {
    for (std::size_t i = 0; i < done.why.size(); ++i)
      if (!done.why[i].empty()) std::erase_if(left, [&](auto const& p) { return p.of == open_[i].of; });
    for (auto& p : left) {
      for (auto const& c : plan_)
        if (c.of == p.of) p.next = c.after;
      p.note = sl::to_text(sl::group_note{.store_id = id});
    }
    if (!brokers_->keep(left, c_.by()))
      throw failure{
          "the positions are stored, but the group in Kafka did not take note of the store: consumers may be "
          "refused there until the same command is run again"};
  }

  void tell(receipt const& done) const {
    std::size_t failed = 0;
    for (std::size_t i = 0; i < open_.size(); ++i) {
      if (done.why[i].empty()) continue;
      ++failed;
      fmt::print("NOT CHANGED: {}: {}\n", to_string(open_[i].of), done.why[i]);
    }
    auto const n = open_.size() - failed;
    fmt::print("{} of {} position{} changed in {}, group {}", n, plan_.size(), plan_.size() == 1 ? "" : "s",
               store_.name(), c_.group);
    if (plan_.size() > open_.size()) fmt::print("; {} stood there already", plan_.size() - open_.size());
    fmt::print(".\n");
    if (failed) throw failure{fmt::format("{} position{} could not be changed", failed, failed == 1 ? "" : "s")};
    if (!store_.is_foreign() && n > 0)
      fmt::print(
          "What was set has no fingerprint: the next consumer starts there without comparing the last record.\n");
    if (done.local_id && !brokers_ && stored_.empty())
      fmt::print(
          "This store is one host's: if the group was kept in another one, run this again with --brokers, so that the "
          "group knows.\n");
    if (from_.read_from) fmt::print("{} is as it was: start no consumer on it.\n", from_.name);
  }

 public:
  changing(circumstances const& c, store& s, positions const& stored, origin const& from)
      : c_(c), store_(s), stored_(stored), from_(from) {
    if (!c.brokers.empty()) brokers_.emplace(c.brokers, c.group, c.properties);
  }

  void run(std::vector<sl::position> const& wanted, std::string const& command) {
    plan_ = planned(stored_, wanted);
    if (brokers_) check_ends(plan_, from_.name, *brokers_, c_.by());
    if (!store_.is_foreign()) fill_gaps(plan_, stored_, asked(), c_.by());
    std::copy_if(plan_.begin(), plan_.end(), std::back_inserter(open_), [](auto const& c) { return !c.same(); });
    fmt::print("{}", as_table(plan_));
    if (!brokers_) fmt::print("Kafka was not asked about logs and members: no --brokers were given.\n");
    std::fflush(stdout);

    auto const left = homes();
    if (open_.empty() && left.empty()) {
      fmt::print("Nothing to change in {}, group {}.\n", store_.name(), c_.group);
      return;
    }
    if (!left.empty()) fmt::print("The group's note in Kafka, which names its local store, is changed too.\n");
    if (c_.dry_run) {
      if (!c_.may_be_alive) try {
          must_be_empty();
        } catch (refusal const& e) { fmt::print("It would be refused: {}\n", e.what()); }
      fmt::print("Dry run: nothing was changed in {}, group {}.\n", store_.name(), c_.group);
      return;
    }
    if (!c_.may_be_alive) {
      must_be_empty();
      must_stand_still();
    }
    if (store_.is_kafka() && !left.empty()) leave(left);
    planned_starts starts{plan_, asked()};
    auto done = open_.empty() ? receipt{}
                              : store_.write({.group = c_.group,
                                              .changes = open_,
                                              .cause = "sluice-offsets " + command,
                                              .may_be_alive = c_.may_be_alive,
                                              .starts = &starts},
                                             c_.by());
    if (!here().empty()) done.local_id = here();
    if (!left.empty() && done.local_id) settle_in(left, *done.local_id, done);
    if (!left.empty() && !done.local_id && !store_.is_kafka()) leave(left);
    tell(done);
  }
};

}  // namespace

void change_positions(circumstances const& c, store& s, positions const& stored,
                      std::vector<sl::position> const& wanted, origin const& from, std::string const& command) {
  changing{c, s, stored, from}.run(wanted, command);
}

}  // namespace offsets_tool
