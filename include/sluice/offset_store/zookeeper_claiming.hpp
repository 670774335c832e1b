/// \file offset_store/zookeeper_claiming.hpp  A claim in ZooKeeper: what is asked of the source, what others wrote and is taken over, and new fences as sets.
#pragma once
#include <sluice/offset_store/zookeeper_nodes.hpp>

#include <functional>

namespace sluice { inline namespace v0 { namespace detail::zookeeper {

struct limits {
  std::size_t request = 0;  ///< the most bytes of one request
  bool create = true;       ///< make the nodes that all groups share
};

/// Fills in `answers`, of which only `of` is set. Each pass looks, and changes what it can under the versions that it saw; what
/// somebody else changed meanwhile, or what had no answer, is looked at again. Its nonces stay the same, so a claim of its own
/// that was carried out without an answer is known.
class claiming {
  struct topic {
    std::string name{};
    topic_paths at{};
    std::vector<std::size_t> open{};  // which of the answers
    std::int32_t needed = 0;          // partitions
    // Asked of the source, once:
    std::optional<std::vector<offset>> starts{};
    std::map<std::int32_t, offset> earliest{};
    std::map<std::int32_t, claimed::what_t> made_as{};  // by this claim
    // As last looked at:
    bool there = false;
    std::int32_t version = 0;
    topic_record record{};
    std::map<std::int32_t, fence> names{};
    bool complete() const { return there && record.to_make.empty() && record.made >= needed; }
  };
  struct piece {
    std::size_t i;
    operations ops;
    claimed answer;
    held now;
  };

  session& session_;
  node_reader reader_{session_};
  group_paths const& paths_;
  limits limits_;
  memory& memory_;
  std::function<void(int, std::string_view)> const& log_;
  std::vector<claimed>& answers_;
  std::vector<std::uint64_t> nonces_{};
  std::vector<topic> topics_{};

 public:
  claiming(session& s, group_paths const& paths, limits l, memory& m,
           std::function<void(int, std::string_view)> const& log, std::vector<claimed>& answers)
      : session_(s), paths_(paths), limits_(l), memory_(m), log_(log), answers_(answers) {
    for (std::size_t i = 0; i < answers.size(); ++i) {
      auto const& of = answers[i].of;
      memory_.erase(of);
      nonces_.push_back(random_64());
      auto& t = topic_of(of.topic);
      t.open.push_back(i);
      t.needed = std::max(t.needed, of.partition + 1);
    }
  }

  /// Throws store_error; `lost` where no answer came by `by`.
  void run(start_resolver& resolve, time_point by) {
    while (!done()) session::patiently(by, [&] { pass(resolve, by); });
  }

 private:
  topic& topic_of(std::string const& name) {
    for (auto& t : topics_)
      if (t.name == name) return t;
    return topics_.emplace_back(topic{.name = name, .at = paths_.topic(name)});
  }
  bool done() const {
    return std::all_of(topics_.begin(), topics_.end(), [](topic const& t) { return t.open.empty(); });
  }

  void pass(start_resolver& resolve, time_point by) {
    look(by);
    for (auto& t : topics_)
      if (!t.open.empty() && !t.complete()) t.there ? extend(t, resolve, by) : begin(t, resolve, by);
    std::vector<piece> pieces;
    take_all(pieces, by);
    store(pieces, by);
  }

  /// Which topics are known, and the names of their partitions' states.
  void look(time_point by) {
    std::vector<question> questions;
    for (auto const& t : topics_)
      if (!t.open.empty()) {
        questions.push_back({t.at.state, false});
        questions.push_back({t.at.state, true});
      }
    auto const answers = session_.read(questions, by);
    std::size_t next = 0;
    for (auto& t : topics_) {
      if (t.open.empty()) continue;
      auto const &record = answers[next], &names = answers[next + 1];
      next += 2;
      t.there = reader_.there(record, t.at.state) && reader_.there(names, t.at.state);
      if (!t.there) continue;
      t.version = record.stat.version;
      t.record = reader_.take_record(record, t.at.state);
      t.names = reader_.take_names(names, t.at.state);
    }
  }

  // ---- partitions that were not there

  /// The first claim: offsets that others wrote are taken as starts, the others are asked for.
  void begin(topic& t, start_resolver& resolve, time_point by) {
    auto const others = written_by_others(t, by);
    auto const known = others.empty() ? 0 : others.rbegin()->first + 1;
    std::vector<offset> starts;
    if (others.empty() || others.size() != static_cast<std::size_t>(known)) starts = starts_of(t, resolve, by);
    auto const count = others.empty() ? static_cast<std::int32_t>(starts.size()) : known;
    topic_record r;
    for (std::int32_t p = 0; p < count; ++p) {
      auto const other = others.find(p);
      auto const n = static_cast<std::size_t>(p);
      r.to_make.push_back(other != others.end() ? other->second
                          : n < starts.size()   ? starts[n]
                                                : earliest(t, p, resolve, by));
      t.made_as[p] = claimed::first;
    }
    auto const denied = make_parents(t, by);
    operations ops;
    ops.create(t.at.rewinds(), "");
    auto const o = make_partitions(t, r, ops, std::nullopt, by);
    if (o.code == ZNONODE && denied) session_.refuse(ZNOAUTH, "making " + *denied);
  }
  std::map<std::int32_t, offset> written_by_others(topic const& t, time_point by) {
    auto const listed = session_.read({{t.at.offsets, true}}, by);
    std::map<std::int32_t, offset> all;
    if (!reader_.there(listed[0], t.at.offsets)) return all;
    std::vector<std::int32_t> numbers;
    std::vector<question> questions;
    for (auto const& name : listed[0].names)
      if (auto const p = read_partition(name)) {
        numbers.push_back(*p);
        questions.push_back({t.at.offset_of(*p)});
      }
    auto const answers = session_.read(questions, by);
    for (std::size_t n = 0; n < numbers.size(); ++n) {
      partition_nodes there;
      reader_.take_plain(answers[n], questions[n].path, there);
      if (there.plain) all.emplace(numbers[n], *there.plain);
    }
    return all;
  }
  static std::vector<offset> const& starts_of(topic& t, start_resolver& resolve, time_point by) {
    if (!t.starts) t.starts = resolve.start_of(t.name, by).starts;
    return *t.starts;
  }

  /// New partitions, and those that the first claim had no room for.
  void extend(topic& t, start_resolver& resolve, time_point by) {
    auto r = t.record;
    for (auto p = r.made + static_cast<std::int32_t>(r.to_make.size()); p < t.needed; ++p) {
      r.to_make.push_back(earliest(t, p, resolve, by));
      t.made_as[p] = claimed::added;
    }
    make_partitions(t, r, {}, t.version, by);
  }
  static offset earliest(topic& t, std::int32_t p, start_resolver& resolve, time_point by) {
    auto at = t.earliest.find(p);
    if (at == t.earliest.end()) at = t.earliest.emplace(p, resolve.earliest({t.name, p}, by)).first;
    return at->second;
  }

  /// As many as one request holds. Without a version the topic's record is made too.
  session::outcome_of make_partitions(topic& t, topic_record r, operations more, std::optional<std::int32_t> version,
                                      time_point by) {
    std::vector<question> questions;
    questions.reserve(r.to_make.size());
    for (std::size_t n = 0; n < r.to_make.size(); ++n)
      questions.push_back({t.at.offset_of(r.made + static_cast<std::int32_t>(n))});
    auto const plains = session_.read(questions, by);
    std::size_t n = 0;
    auto const room = limits_.request - std::min(limits_.request, to_text(r).size() + t.at.state.size() + 256);
    for (auto const life = wall_ms(); n < r.to_make.size(); ++n) {
      auto const p = r.made + static_cast<std::int32_t>(n);
      auto const path = questions[n].path;
      partition_nodes there;
      reader_.take_plain(plains[n], path, there);
      auto const start = there.plain.value_or(r.to_make[n]);
      operations one;
      one.create(t.at.state_of(state_name(p, {})), position_words(start, {}, {.incarnation = life}));
      if (there.plain) {
        one.check(path, there.plain_version);
        t.made_as[p] = claimed::stored;
      } else {
        one.create(path, std::to_string(start.value()));
      }
      if (n > 0 && more.bytes() + one.bytes() > room) break;
      more.append(one);
    }
    r.to_make.erase(r.to_make.begin(), r.to_make.begin() + static_cast<std::ptrdiff_t>(n));
    r.made += static_cast<std::int32_t>(n);
    operations all;
    version ? all.set(t.at.state, to_text(r), *version) : all.create(t.at.state, to_text(r));
    auto const o = session_.change_all(all.append(more), by);
    return o;
  }

  /// What lies above the topic's nodes. Answers the first that this user may not make: it may be there all the same.
  std::optional<std::string> make_parents(topic const& t, time_point by) {
    auto const shared = paths_.shared();
    std::vector<std::string> paths;
    auto const add = [&](std::string const& path) {
      for (auto at = path.find('/', 1);; at = path.find('/', at + 1)) {
        auto const one = path.substr(0, at);
        if ((limits_.create || std::find(shared.begin(), shared.end(), one) == shared.end()) &&
            std::find(paths.begin(), paths.end(), one) == paths.end())
          paths.push_back(one);
        if (at == path.npos) break;
      }
    };
    add(t.at.offsets);
    add(t.at.state.substr(0, t.at.state.rfind('/')));
    auto const answers = session_.make(paths, by);
    std::optional<std::string> denied;
    for (std::size_t i = 0; i < paths.size(); ++i) {
      auto const code = answers[i].code;
      if (code == ZOK || code == ZNODEEXISTS) continue;
      if (code == ZNOAUTH) {
        if (!denied) denied = paths[i];
      } else if (code != ZNONODE || !denied) {
        if (code == ZNONODE && !limits_.create) throw_missing(shared);
        session_.refuse(code, "making " + paths[i]);
      }
    }
    return denied;
  }
  [[noreturn]] void throw_missing(std::vector<std::string> const& shared) const {
    std::string commands;
    for (auto const& path : shared) commands += (commands.empty() ? "create " : ", create ") + path;
    throw store_error(
        errc::bad_configuration,
        session_.where() + " lacks nodes that zookeeper_offsets.create = false forbids to make. In zkCli: " + commands);
  }

  // ---- partitions that are there

  void take_all(std::vector<piece>& pieces, time_point by) {
    std::vector<question> questions;
    for (auto const& t : topics_) {
      if (!t.complete()) continue;
      for (auto const i : t.open) {
        auto const p = answers_[i].of.partition;
        auto const name = t.names.find(p);
        questions.push_back({t.at.offset_of(p)});
        if (name != t.names.end()) questions.push_back({t.at.state_of(state_name(p, name->second))});
      }
    }
    if (questions.empty()) return;
    auto const answers = session_.read(questions, by);
    std::size_t next = 0;
    for (auto& t : topics_) {
      if (!t.complete()) continue;
      std::vector<std::pair<std::size_t, partition_nodes>> odd;
      for (auto const i : std::vector<std::size_t>{t.open}) {
        auto const p = answers_[i].of.partition;
        partition_nodes nodes;
        auto const name = t.names.find(p);
        reader_.take_plain(answers[next], questions[next].path, nodes);
        ++next;
        if (name != t.names.end()) {
          reader_.take_state(answers[next], questions[next].path, name->second, nodes);
          ++next;
          if (!nodes.state) continue;  // somebody claims it at this moment
        }
        if (nodes.state && nodes.state->mine.nonce == nonces_[i])
          answer_for(
              i, *nodes.state, nodes.missing ? claimed::missing : claimed::stored,
              {nodes.state->mine, nodes.state->next, nodes.state->log, nodes.state_version, nodes.plain_version});
        else if (nodes.state && nodes.agree())
          pieces.push_back(piece_for(t, i, nodes, nodes.state->next, nodes.state->log));
        else
          odd.emplace_back(i, nodes);
      }
      if (!odd.empty()) take_odd(t, odd, by);
    }
  }

  /// A new state in the place of the old one.
  piece piece_for(topic const& t, std::size_t i, partition_nodes const& nodes, std::optional<offset> next,
                  log_state const& log) const {
    auto const& of = answers_[i].of;
    auto const old = nodes.state ? nodes.state->mine : fence{};
    fence const mine{old.turn + 1, nonces_[i]};
    piece one{.i = i,
              .ops = {},
              .answer = {.of = of, .next = next.value_or(offset{}), .log = log, .mine = mine},
              .now = {mine, next.value_or(offset{}), log, 0, nodes.plain_version}};
    auto const made = t.made_as.find(of.partition);
    bool const never_claimed = made != t.made_as.end() && nodes.state && nodes.state->mine == fence{};
    one.answer.what = !next ? claimed::missing : never_claimed ? made->second : claimed::stored;
    if (nodes.state) one.ops.remove(t.at.state_of(state_name(of.partition, old)), nodes.state_version);
    one.ops.create(t.at.state_of(state_name(of.partition, mine)), position_words(next, mine, log));
    return one;
  }

  /// Those whose offset is gone, or was set by another program. One request for as many as it holds, and it changes the topic's
  /// record too: who makes a state where there was none must not be alone in thinking so.
  void take_odd(topic& t, std::vector<std::pair<std::size_t, partition_nodes>> const& odd, time_point by) {
    auto const read = session_.read({{t.at.rewinds()}}, by);
    if (!reader_.there(read[0], t.at.rewinds()))
      throw store_error(errc::store_damaged, session_.where() + ": " + t.at.rewinds() +
                                                 " is gone: make it anew, empty (zkCli: create " + t.at.rewinds() +
                                                 ")");
    rewinds_text rewinds{read[0].data};
    std::vector<piece> pieces;
    std::vector<std::string> news;
    operations ops;
    for (auto const& [i, nodes] : odd) {
      auto const& of = answers_[i].of;
      auto const known = nodes.state ? nodes.state->log.incarnation : 0;
      auto const life = std::max({wall_ms(), known + 1, rewinds.highest_incarnation(of.partition) + 1});
      auto const before = nodes.state && !nodes.missing ? std::optional{nodes.state->next} : std::nullopt;
      bool const was_missing = nodes.state && !nodes.plain;
      auto one = piece_for(t, i, nodes, nodes.plain, {.incarnation = was_missing ? known : life});
      if (nodes.plain) {
        one.answer.what = claimed::stored;
        one.ops.check(t.at.offset_of(of.partition), nodes.plain_version);
      }
      if (!pieces.empty() && ops.bytes() + one.ops.bytes() > limits_.request * 3 / 4 - t.at.state.size()) break;
      if (nodes.plain) {
        rewinds.add(of.partition, before, *nodes.plain, life, "set by another program");
        news.push_back(session_.where() + ": another program has set " + to_string(of) + " from " +
                       (before ? std::to_string(before->value()) : "nothing") + " to " +
                       std::to_string(nodes.plain->value()) + ": taken over as a rewind");
      }
      ops.append(one.ops);
      pieces.push_back(std::move(one));
    }
    operations all;
    all.set(t.at.state, to_text(t.record), t.version);
    all.set(t.at.rewinds(), rewinds.kept(limits_.request / 8), read[0].stat.version);
    all.append(ops);
    auto const o = session_.change_all(all, by);
    if (!o.done()) return;
    for (auto const& one : pieces) answer_for(one);
    for (auto const& text : news)
      if (log_) log_(4, text);
  }

  /// As few requests as hold them. Each is all or nothing: what was in one with a partition that somebody else claimed at the
  /// same moment is looked at again.
  void store(std::vector<piece>& pieces, time_point by) {
    for (std::size_t at = 0; at < pieces.size();) {
      operations ops;
      auto end = at;
      for (; end < pieces.size(); ++end) {
        if (end > at && ops.bytes() + pieces[end].ops.bytes() > limits_.request) break;
        ops.append(pieces[end].ops);
      }
      auto const o = session_.change_all(ops, by);
      for (; at < end; ++at)
        if (o.done()) answer_for(pieces[at]);
    }
  }

  void answer_for(piece const& one) { answer_for(one.i, one.answer, one.answer.what, one.now); }
  void answer_for(std::size_t i, claimed const& c, claimed::what_t what, held const& now) {
    auto const of = answers_[i].of;
    answers_[i] = c;
    answers_[i].of = of;
    answers_[i].what = what;
    if (what == claimed::missing)
      answers_[i].next = {};
    else
      memory_[of] = now;
    std::erase(topic_of(of.topic).open, i);
  }
};

}}}  // namespace sluice::v0::detail::zookeeper
