/// \file offset_store/file.hpp  Offsets, values and text results in a folder of numbered files, without any database.
#pragma once
#include <sluice/detail/letter_json.hpp>
#include <sluice/detail/network_file_system.hpp>
#include <sluice/offset_store/file_claims.hpp>
#include <sluice/offset_store/file_text.hpp>
#include <sluice/offset_store/file_transaction.hpp>

#include <map>
#include <optional>
#include <tuple>

namespace sluice { inline namespace v0 {

struct file_offsets;
struct file_kind;
template <class Files, class Kind = file_kind>
class basic_file_store;

/// Keeps offsets in `directory`, which must be there, on a local file system (a network file system is refused where the
/// kernel tells), and serves all members of a group on this host. Each advance is one new file: two syncs, whatever the
/// number of partitions.
///
/// The newest file alone counts. A damaged one is an error that names it and the remedy; the one before it is kept, but
/// never read in its place, since that would lose what was acknowledged. Files have mode 0600.
///
/// Calls on files can't be given a time limit, so `by` bounds only how often a conflict with other members is tried again.
/// Each claim under which text was appended leaves one text file and about 80 bytes in every numbered file.
struct file_offsets {
  using slot = offset_store_slot;
  using must_be_configured = void;
  using transaction = file_transaction;
  static constexpr bool records_skips = true;  ///< as lines of JSON in the text file `skipped`
  static constexpr bool keeps_files = true;
  static constexpr bool is_local = true;

  std::string directory{};
  bool mirror = true;  ///< the consumer also tells the source's group how far it is

  using runtime = basic_file_store<detail::posix_files>;
  template <class Context = context>
  static detail::late<runtime, Context> open(file_offsets const& self, Context const& with);
};

namespace detail {

/// What a store keeps beside the numbered files, and has to do with it at each step. file_offsets: nothing.
struct nothing_beside {
  /// Once, before anything else is read; and once the first numbered file is there.
  template <class Folder, class Policy>
  nothing_beside(Folder&, Policy const&) {}
  template <class Folder>
  void open(Folder&) {}
  /// What is in memory is not what the next edit is made on: it is read anew.
  void forget() {}
  template <class Folder, class Transaction>
  void begin(Folder&, Transaction&) {}
  /// The transaction's part of an edit; false: it doesn't fit any more. Called again where the edit is.
  template <class State, class Transaction>
  bool apply(State&, Transaction&, std::uint64_t) {
    return true;
  }
  /// Whether what the newest state names has the transaction's part already.
  template <class Folder, class Transaction>
  bool has(Folder&, Transaction const&) {
    return true;
  }
  /// The edit may stay in memory.
  bool waits() { return false; }
  /// Edits have stayed in memory; they should be published now.
  bool has_waiting() const { return false; }
  bool overdue() const { return false; }
  /// The state is about to be published. False: nobody knows whether what it names is durable.
  template <class State>
  bool before_publishing(State&) {
    return true;
  }
  template <class Folder>
  void published(Folder&) {}
  /// Anything but what not_published() says may have become of it from here on.
  void publishing() {}
  void not_published() {}
  /// A transaction has come to an end.
  void done(bool /*applied*/) noexcept {}
};

}  // namespace detail

struct file_kind {
  using policy = file_offsets;
  using state = file_generation;
  using transaction = file_transaction;
  template <class Files>
  using beside = detail::nothing_beside;
};

/// The store on any model of detail/files.hpp; `Kind` says which.
template <class Files, class Kind>
class basic_file_store {
  using generation = detail::late<typename Kind::state, Files>;
  using folder = detail::generation_folder<Files, generation>;
  using policy = typename Kind::policy;
  using bits = detail::late<std::vector<bool>, Files>;
  using lines_aside = detail::late<std::map<std::tuple<std::string, topic_partition, offset>, std::string>, Files>;
  using text_key = typename generation::text_key;

 public:
  using transaction = detail::late<typename Kind::transaction, Files>;

 private:
  folder folder_;
  detail::late<typename Kind::template beside<Files>, Files> beside_;
  detail::text_writer<Files> texts_{};
  bool mirror_;
  detail::known_groups<generation> groups_;
  detail::late<std::vector<outcome>, Files> outcomes_{};
  transaction transaction_{};
  bool open_ = false;      // a transaction is
  bool in_doubt_ = false;  // the newest file can be read, but its name may not be on the disk
  bool transaction_in_doubt_ = false;
  lines_aside aside_{};  // for the next advance

  /// Nothing to do with a published state but to try again on top of it, for a while.
  void lost_a_race(unsigned& races, time_point by) const {
    if (++races > 16 && std::chrono::steady_clock::now() > by)
      throw store_error{errc::store_unavailable,
                        "other consumers kept storing in " + folder_.path() + " all the time; nothing was stored"};
  }

  detail::publication publish() {
    beside_.publishing();
    try {
      auto const how = folder_.publish();
      if (how == detail::publication::taken) beside_.not_published();
      return how;
    } catch (store_error const&) {
      beside_.not_published();
      throw;
    }
  }

  /// Edits the newest state and publishes, again while others are quicker. `edit(state)` says whether it changed it, and
  /// is called anew on each state that turns out to be the newest; absent: it gave up half-way. Answers yes or unknown.
  template <class Edit>
  detail::publication change(time_point by, Edit edit, bool may_wait = false) {
    folder_.limit(by);
    for (unsigned races = 0;;) {
      if (!folder_.current()) beside_.forget();
      auto& state = folder_.newest();
      folder_.doubt();
      std::optional<bool> const changed = edit(state);
      if (!changed) return detail::publication::unknown;
      if (!*changed || (may_wait && beside_.waits())) {
        folder_.unchanged();
        return detail::publication::yes;
      }
      if (!beside_.before_publishing(state)) return detail::publication::unknown;
      auto const how = publish();
      if (how == detail::publication::yes) beside_.published(folder_);
      if (how == detail::publication::taken) lost_a_race(races, by);
      if (how == detail::publication::taken || how == detail::publication::overtaken) continue;
      in_doubt_ = how == detail::publication::unknown;
      return how;
    }
  }

  void publish_what_waits() {
    if (beside_.has_waiting()) change({}, [](generation&) -> std::optional<bool> { return true; });
  }

  void forget_aside(topic_partition const& of) {
    std::erase_if(aside_, [&](auto const& one) { return std::get<1>(one.first) == of; });
  }

  static std::uint64_t valid_of(generation const& state, text_key const& key) {
    auto const at = state.texts.find(key);
    return at == state.texts.end() ? 0 : at->second;
  }
  bool append(generation& state, text_key const& key, std::string_view text) {
    auto const valid = valid_of(state, key);
    if (!texts_.append(folder_, state, key, valid, text)) return false;
    state.texts.insert_or_assign(key, valid + text.size());
    return true;
  }

  /// The lines set aside for what these moves have just advanced over. False: nobody knows whether they are there.
  bool append_aside(generation& state, std::span<move const> moves, bits const& moved) {
    std::map<text_key, std::string> lines;
    for (auto const& [key, line] : aside_)
      for (std::size_t i = 0; i < moves.size(); ++i)
        if (auto const& m = moves[i]; moved[i] && m.of == std::get<1>(key))
          lines[{std::get<0>(key), groups_.of(state, m), m.of, m.mine.turn, m.mine.nonce}] += line;
    for (auto const& [key, text] : lines)
      if (!append(state, key, text)) return false;
    return true;
  }

  std::span<outcome const> store(std::span<move const> moves, time_point by, bool state_again) {
    detail::file_moves<generation> moving{groups_, moves, outcomes_};
    auto const how = change(
        by,
        [&](generation& state) -> std::optional<bool> {
          bool const changed = moving(state);
          if (changed && !aside_.empty() && !append_aside(state, moves, moving.moved)) return {};
          return changed || ((state_again || in_doubt_) && moving.holds);
        },
        !state_again && !in_doubt_);
    for (std::size_t i = 0; i < moves.size(); ++i) {
      if (how == detail::publication::unknown && outcomes_[i] == outcome::applied) outcomes_[i] = outcome::unknown;
      if (!aside_.empty() && outcomes_[i] != outcome::unknown) forget_aside(moves[i].of);
    }
    return outcomes_;
  }

  /// Whether the newest state has it all, where this very commit may have brought it.
  bool has(generation const& state, transaction const& tx) {
    bool proves = false;  // a move that goes nowhere stands where it wants to, whoever was there
    for (auto const& m : tx.moves_) {
      if (detail::check_move(groups_.find(state, m), m) != detail::cas::already) return false;
      proves = proves || m.from != m.until;
    }
    for (auto const& t : tx.texts_) {
      if (proves || t.added.empty()) continue;
      // None but us, under this fence, makes it longer.
      if (valid_of(state, t.key) < t.was + t.added.size()) return false;
      proves = true;
    }
    for (auto const& [name, v] : tx.values_) {
      auto const at = state.values.find(name);
      if (v.written && !proves && (at == state.values.end() ? !!v.content : v.content != at->second.content))
        return false;
    }
    return proves || beside_.has(folder_, tx);
  }

  /// The transaction on top of `state`. Absent: unknown; false: it doesn't fit any more.
  std::optional<bool> apply(generation& state, transaction& tx) {
    for (auto const& [name, v] : tx.values_) {
      auto const at = state.values.find(name);
      if ((at == state.values.end() ? 0 : at->second.since) != v.since) return false;
    }
    for (auto const& m : tx.moves_) {
      auto* const p = groups_.find(state, m);
      auto const fit = detail::check_move(p, m);
      if (fit == detail::cas::refused || (fit == detail::cas::already && m.from != m.until)) return false;
      detail::apply_move(*p, m);
    }
    for (auto const& [name, v] : tx.values_) {
      if (!v.written) continue;
      if (v.content) {
        state.values.insert_or_assign(name, typename generation::value{folder_.number() + 1, *v.content});
      } else if (auto const at = state.values.find(name); at != state.values.end()) {
        state.values.erase(at);
      }
    }
    if (!beside_.apply(state, tx, folder_.number())) return false;
    for (auto& t : tx.texts_) {
      if (t.added.empty()) continue;
      t.was = valid_of(state, t.key);
      if (!append(state, t.key, t.added)) return {};
    }
    return true;
  }

  void make_first() {
    try {
      auto const made = change({}, [&](generation&) -> std::optional<bool> { return folder_.number() == 0; });
      if (made == detail::publication::yes) return;
    } catch (store_error const& e) {
      if (e.code() != errc::store_unavailable || requires { Files::is_hosted; }) throw;
      throw error{errc::bad_configuration, std::string{generation::kept_by} + ".directory: '" + folder_.path() +
                                               "' can't be written to; name a folder that can (" + e.what() + ")"};
    }
    throw store_error{errc::store_unavailable, "a file could not be synced in " + folder_.path()};
  }

  void end() {
    open_ = false;
    transaction_.clear();
  }

 public:
  static constexpr bool durable_at_advance = true;
  static constexpr sluice::fencing fencing = sluice::fencing::compare_and_set;

  /// Throws error(bad_configuration) where the folder isn't there or can't be written to, store_error where what it holds
  /// is damaged or newer. Makes the first numbered file.
  basic_file_store(Files files, policy const& with, std::string group)
      : folder_(std::move(files), with.directory),
        beside_(folder_, with),
        mirror_(with.mirror),
        groups_(std::move(group)) {
    folder_.remove_leftovers();
    folder_.newest();
    if (folder_.number() == 0) make_first();
    beside_.open(folder_);
  }
  basic_file_store(basic_file_store const&) = delete;
  basic_file_store& operator=(basic_file_store const&) = delete;

  bool mirror() const { return mirror_; }
  std::optional<std::string> local_id() {
    auto const& id = folder_.seen().id;
    return detail::hex16(id[0]) + detail::hex16(id[1]);
  }

  std::vector<claimed> claim(std::string const& group, std::vector<topic_partition> const& set, start_resolver& resolve,
                             time_point by) {
    groups_.add(group);
    publish_what_waits();
    detail::file_claim<generation> claim{group, set, resolve, by};
    if (change(by, std::ref(claim)) == detail::publication::yes) return std::move(claim.answers);
    return claim.failed("a file could not be synced in " + folder_.path() + "; whether the claim holds is not known");
  }

  std::span<outcome const> advance(std::span<move const> moves, time_point by) { return store(moves, by, false); }

  /// After `unknown` (a sync failed, so the system's memory of the files proves nothing): reads the newest file anew, tries
  /// again what isn't there, and answers `applied` only once a new file that says so is published and synced. For moves
  /// of a transaction nothing is tried again: what isn't there is refused.
  std::span<outcome const> settle(std::span<move const> moves, time_point by) {
    folder_.doubt();
    if (!transaction_in_doubt_) return store(moves, by, true);
    auto const how = change(by, [&](generation& state) -> std::optional<bool> {
      bool holds = false;
      outcomes_.assign(moves.size(), outcome::refused);
      for (std::size_t i = 0; i < moves.size(); ++i) {
        if (detail::check_move(groups_.find(state, moves[i]), moves[i]) != detail::cas::already) continue;
        outcomes_[i] = outcome::applied;
        holds = true;
      }
      return holds;
    });
    if (how == detail::publication::unknown) {
      for (auto& o : outcomes_)
        if (o == outcome::applied) o = outcome::unknown;
    } else {
      transaction_in_doubt_ = false;
    }
    return outcomes_;
  }

  std::vector<claimed> record(std::vector<rewind> const& rewinds, time_point by) {
    detail::file_rewind<generation> rewinding{groups_, rewinds};
    if (change(by, std::ref(rewinding)) == detail::publication::yes) return std::move(rewinding.answers);
    return rewinding.failed("a file could not be synced in " + folder_.path() +
                            "; whether it was recorded is not known");
  }

  /// Nobody owns them then: an advance under the old fence is refused.
  void release(std::vector<claimed> const& claims, time_point by) {
    try {
      change(by, detail::file_release<generation>{groups_, claims});
    } catch (store_error const&) { folder_.doubt(); }
  }

  transaction& begin(std::span<move const> moves, time_point by) {
    end();
    folder_.limit(by);
    if (!folder_.current()) beside_.forget();
    auto const& state = folder_.newest();
    transaction_.begin(state, folder_.files().native(folder_.handle()),
                       moves.empty() ? groups_.latest() : groups_.of(state, moves.front()), moves);
    beside_.begin(folder_, transaction_);
    open_ = true;
    return transaction_;
  }

  /// What was applied before is refused here: its results are there already.
  std::span<outcome const> advance(transaction& tx, std::span<move const> moves, time_point) {
    outcomes_.clear();
    for (auto const& m : moves) {
      auto const fit = detail::check_move(groups_.find(folder_.seen(), m), m);
      bool const fits = fit == detail::cas::fits || (fit == detail::cas::already && m.from == m.until);
      outcomes_.push_back(fits ? outcome::applied : outcome::refused);
    }
    tx.moves_.insert(tx.moves_.end(), moves.begin(), moves.end());
    return outcomes_;
  }

  outcome commit(transaction& tx, time_point by) {
    bool refused = false, tried = false;
    detail::publication how{};
    try {
      how = change(
          by,
          [&](generation& state) -> std::optional<bool> {
            if (tried && has(state, tx)) return false;
            auto fits = apply(state, tx);
            tried = true;
            refused = fits.has_value() && !*fits;
            if (refused) fits.reset();
            return fits;
          },
          !in_doubt_);
    } catch (...) {
      beside_.done(false);
      end();
      throw;
    }
    beside_.done(!refused && how == detail::publication::yes);
    end();
    if (refused) return outcome::refused;
    if (how == detail::publication::yes) return outcome::applied;
    transaction_in_doubt_ = true;
    return outcome::unknown;
  }

  void rollback(transaction&) noexcept { end(); }

  /// Between batches. What fails here shows in the next advance, which is refused.
  void tend() {
    if (!beside_.overdue()) return;
    try {
      publish_what_waits();
    } catch (store_error const&) { folder_.doubt(); }
  }

  /// One line of JSON in the text file named `table`; empty: `skipped`.
  void set_aside(std::string const& table, dead_letter const& letter) {
    auto const& name = table.empty() ? std::string{"skipped"} : table;
    if (open_) return transaction_.append(name, letter.what, detail::json_line(letter));
    topic_partition const of{std::string{letter.what.topic()}, letter.what.partition()};
    aside_.insert_or_assign({name, of, letter.what.offset()}, detail::json_line(letter));
  }
};

template <class Context>
detail::late<file_offsets::runtime, Context> file_offsets::open(file_offsets const& self, Context const& with) {
  if (self.directory.empty())
    throw error{errc::bad_configuration,
                "file_offsets.directory is empty; name a folder, such as \"/var/lib/billing\""};
  if (auto const network = detail::network_file_system(self.directory); !network.empty())
    throw error{errc::bad_configuration, "file_offsets.directory: '" + self.directory +
                                             "' lies on a network file system (" + network +
                                             "), which does not keep what this store needs; name a local folder"};
  return detail::late<runtime, Context>{{}, self, with.group};
}

}}  // namespace sluice::v0
