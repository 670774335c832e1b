/// \file offset_store/file.hpp  Offsets, values and text results in a folder of numbered files, without any database.
#pragma once
#include <sluice/detail/letter_json.hpp>
#include <sluice/detail/network_file_system.hpp>
#include <sluice/offset_store/file_changes.hpp>

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
  using changes = detail::file_changes<Files, Kind>;
  using generation = typename changes::generation;
  using policy = typename Kind::policy;
  using bits = detail::late<std::vector<bool>, Files>;
  using lines_aside = detail::late<std::map<std::tuple<std::string, topic_partition, offset>, std::string>, Files>;
  using text_key = typename changes::text_key;

 public:
  using transaction = typename changes::transaction;

 private:
  changes disk_;
  bool mirror_;
  detail::known_groups<generation> groups_;
  detail::late<std::vector<outcome>, Files> outcomes_{};
  transaction transaction_{};
  bool open_ = false;  // a transaction is
  bool transaction_in_doubt_ = false;
  lines_aside aside_{};  // for the next advance

  void forget_aside(topic_partition const& of) {
    std::erase_if(aside_, [&](auto const& one) { return std::get<1>(one.first) == of; });
  }

  /// The lines set aside for what these moves have just advanced over. False: nobody knows whether they are there.
  bool append_aside(generation& state, std::span<move const> moves, bits const& moved) {
    std::map<text_key, std::string> lines;
    for (auto const& [key, line] : aside_)
      for (std::size_t i = 0; i < moves.size(); ++i)
        if (auto const& m = moves[i]; moved[i] && m.of == std::get<1>(key))
          lines[{std::get<0>(key), groups_.of(state, m), m.of, m.mine.turn, m.mine.nonce}] += line;
    for (auto const& [key, text] : lines)
      if (!disk_.append(state, key, text)) return false;
    return true;
  }

  std::span<outcome const> store(std::span<move const> moves, time_point by, bool state_again) {
    detail::file_moves<generation> moving{groups_, moves, outcomes_};
    auto const how = disk_.change(
        by,
        [&](generation& state) -> std::optional<bool> {
          bool const changed = moving(state);
          if (changed && !aside_.empty() && !append_aside(state, moves, moving.moved)) return {};
          return changed || ((state_again || disk_.in_doubt()) && moving.holds);
        },
        !state_again && !disk_.in_doubt());
    for (std::size_t i = 0; i < moves.size(); ++i) {
      if (how == detail::publication::unknown && outcomes_[i] == outcome::applied) outcomes_[i] = outcome::unknown;
      if (!aside_.empty() && outcomes_[i] != outcome::unknown) forget_aside(moves[i].of);
    }
    return outcomes_;
  }

  std::span<outcome const> settle_transaction(std::span<move const> moves, time_point by) {
    auto const how = disk_.change(by, [&](generation& state) -> std::optional<bool> {
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
      : disk_(std::move(files), with), mirror_(with.mirror), groups_(std::move(group)) {}
  basic_file_store(basic_file_store const&) = delete;
  basic_file_store& operator=(basic_file_store const&) = delete;

  bool mirror() const { return mirror_; }
  std::optional<std::string> local_id() {
    auto const& id = disk_.folder().seen().id;
    return detail::hex16(id[0]) + detail::hex16(id[1]);
  }

  std::vector<claimed> claim(std::string const& group, std::vector<topic_partition> const& set, start_resolver& resolve,
                             time_point by) {
    groups_.add(group);
    disk_.publish_what_waits();
    detail::file_claim<generation> claim{group, set, resolve, by};
    if (disk_.change(by, std::ref(claim)) == detail::publication::yes) return std::move(claim.answers);
    return claim.failed("a file could not be synced, or not be read again, in " + disk_.folder().path() +
                        "; whether the claim holds is not known");
  }

  std::span<outcome const> advance(std::span<move const> moves, time_point by) { return store(moves, by, false); }

  /// After `unknown` (a sync failed, so the system's memory of the files proves nothing): reads the newest file anew, tries
  /// again what isn't there, and answers `applied` only once a new file that says so is published and synced. For moves
  /// of a transaction nothing is tried again: what isn't there is refused. Never throws store_error: what can't be read stays
  /// unknown, and the next claim tells why.
  std::span<outcome const> settle(std::span<move const> moves, time_point by) {
    disk_.folder().doubt();
    try {
      return transaction_in_doubt_ ? settle_transaction(moves, by) : store(moves, by, true);
    } catch (store_error const&) {
      disk_.folder().doubt();
      outcomes_.assign(moves.size(), outcome::unknown);
      return outcomes_;
    }
  }

  std::vector<claimed> record(std::vector<rewind> const& rewinds, time_point by) {
    detail::file_rewind<generation> rewinding{groups_, rewinds};
    if (disk_.change(by, std::ref(rewinding)) == detail::publication::yes) return std::move(rewinding.answers);
    return rewinding.failed("a file could not be synced, or not be read again, in " + disk_.folder().path() +
                            "; whether it was recorded is not known");
  }

  /// Nobody owns them then: an advance under the old fence is refused.
  void release(std::vector<claimed> const& claims, time_point by) {
    try {
      disk_.change(by, detail::file_release<generation>{groups_, claims});
    } catch (store_error const&) { disk_.folder().doubt(); }
  }

  transaction& begin(std::span<move const> moves, time_point by) {
    end();
    auto const& state = disk_.newest(by);
    transaction_.begin(state, disk_.folder().files().native(disk_.folder().handle()),
                       moves.empty() ? groups_.latest() : groups_.of(state, moves.front()), moves);
    disk_.beside().begin(disk_.folder(), transaction_);
    open_ = true;
    return transaction_;
  }

  /// What was applied before is refused here: its results are there already.
  std::span<outcome const> advance(transaction& tx, std::span<move const> moves, time_point) {
    outcomes_.clear();
    for (auto const& m : moves) {
      auto const fit = detail::check_move(groups_.find(disk_.folder().seen(), m), m);
      bool const fits = fit == detail::cas::fits || (fit == detail::cas::already && m.from == m.until);
      outcomes_.push_back(fits ? outcome::applied : outcome::refused);
    }
    tx.moves_.insert(tx.moves_.end(), moves.begin(), moves.end());
    return outcomes_;
  }

  outcome commit(transaction& tx, time_point by) {
    bool refused = false, tried = false, nothing_tells = false;
    detail::publication how{};
    try {
      how = disk_.change(
          by,
          [&](generation& state) -> std::optional<bool> {
            if (tried) {
              auto const there = disk_.has(state, tx, groups_);
              if (there && *there) return false;
              nothing_tells = disk_.overtaken() && !there;
            }
            auto fits = disk_.apply(state, tx, groups_);
            tried = true;
            refused = fits.has_value() && !*fits;
            if (refused) fits.reset();
            return fits;
          },
          !disk_.in_doubt());
    } catch (...) {
      disk_.beside().done(false);
      end();
      throw;
    }
    disk_.beside().done(!refused && how == detail::publication::yes);
    end();
    if (refused && !nothing_tells) return outcome::refused;
    if (!refused && how == detail::publication::yes) return outcome::applied;
    transaction_in_doubt_ = true;
    return outcome::unknown;
  }

  void rollback(transaction&) noexcept { end(); }

  /// Between batches. What fails here shows in the next advance, which is refused.
  void tend() {
    if (!disk_.beside().overdue()) return;
    try {
      disk_.publish_what_waits();
    } catch (store_error const&) { disk_.folder().doubt(); }
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
