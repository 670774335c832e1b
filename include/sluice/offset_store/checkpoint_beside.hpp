/// \file offset_store/checkpoint_beside.hpp  What a checkpoint does at each step of the store of numbered files: its segments.
#pragma once
#include <sluice/offset_store/checkpoint_compaction.hpp>
#include <sluice/offset_store/checkpoint_transaction.hpp>
#include <sluice/offset_store/checkpoint_unlocked.hpp>
#include <sluice/offset_store/file_folder.hpp>

#include <chrono>
#include <functional>

namespace sluice { inline namespace v0 { namespace detail {

/// Opens the segments that the newest numbered file names. One that is gone is named by an older file, or lost.
template <class Folder>
void follow_newest(Folder& in, open_segments& segments) {
  while (!segments.follow(in.seen().segments)) {
    auto const seen = in.number();
    in.doubt();
    in.newest();
    if (in.number() == seen) segments.missing(in.seen().segments, in.name_of(seen));
  }
}

/// Changed rows go into a segment that is durable before the numbered file that names it; files are removed one generation
/// after they were named last, so that the older numbered file that is kept is whole.
template <class Files>
class checkpoint_rows_beside {
  using folder = generation_folder<Files, checkpoint_generation>;
  using clock = std::chrono::steady_clock;

  local_segments<Files> place_;
  open_segments segments_;
  compaction compaction_;
  typename Files::handle owner_{};
  typename Files::handle compacts_{};  // only one process merges
  std::string program_, version_;
  std::chrono::milliseconds interval_;
  clock::time_point published_at_{};

  row_changes waiting_{};                 // committed in memory only
  checkpoint_transaction* tx_ = nullptr;  // its rows belong to the edit in hand
  bool has_waiting_ = false;              // rows, or positions alone
  std::optional<segment_ref> written_{};
  std::unique_ptr<segment_sink> holding_{};  // written_'s file, until it counts
  std::vector<segment_ref> to_remove_{};
  bool doubtful_ = false, was_doubtful_ = false;  // written_ may be named by a numbered file
  std::exception_ptr damage_{};                   // met by a merge
  unlocked_segments unlocked_{};

  static constexpr std::uint64_t least_work = 256 << 10;

  static void take_owner(Files& files, typename Files::handle const& root, bool alone, typename Files::handle& to,
                         std::string const& path) {
    std::string const name = "owner";
    int e = files.create(root, name, to);
    if (e == EEXIST) e = files.open_to_write(root, name, to);
    if (e)
      throw error{errc::bad_configuration, "checkpoint.directory: '" + path + "' can't be written to (" +
                                               errno_text(e) + "); name a folder that can"};
    if (!(alone ? files.lock(to) : files.share(to)))
      throw store_error{errc::store_unavailable,
                        "another process has the checkpoint in " + path +
                            " open, and with an .interval one process has it to itself; end it, or leave .interval out "
                            "in all of them"};
  }

 public:
  template <class Policy>
  checkpoint_rows_beside(folder& in, Policy const& with)
      : place_(in.files(), in.handle(), in.path()),
        segments_(place_, with.max_cache),
        compaction_(place_),
        program_(with.program),
        version_(with.version),
        interval_(with.interval) {
    if constexpr (!hosted<Files>) take_owner(in.files(), in.handle(), interval_.count() > 0, owner_, in.path());
  }
  checkpoint_rows_beside(checkpoint_rows_beside const&) = delete;
  checkpoint_rows_beside& operator=(checkpoint_rows_beside const&) = delete;
  ~checkpoint_rows_beside() { compaction_.stop(); }

  /// Throws error(bad_configuration) where the checkpoint is another program's, store_error where a segment is damaged, missing, or newer.
  void open(folder& in) {
    auto const& theirs = in.seen();
    if (!program_.empty() && !theirs.program.empty() && program_ != theirs.program)
      throw error{errc::bad_configuration, "checkpoint.directory: " + in.path() +
                                               " holds the checkpoint of the program '" + theirs.program +
                                               "' (version '" + theirs.version + "'), and .program is '" + program_ +
                                               "'; name another folder. It was left as it is"};
    follow_newest(in, segments_);
    published_at_ = clock::now();
    if constexpr (hosted<Files>) {
      unlocked_.open(place_);
      return;
    }
    place_.remove_left_behind([&] {
      in.doubt();
      auto const& now = in.newest();
      return [&now](std::uint64_t id) {
        auto const is = [&](auto const& ref) { return ref.id == id; };
        return std::any_of(now.segments.begin(), now.segments.end(), is) ||
               std::any_of(now.retired.begin(), now.retired.end(), is);
      };
    });
  }

  void forget() {
    has_waiting_ = false;
    if (waiting_.empty()) return;
    waiting_.clear();
    written_.reset();
    holding_.reset();
  }
  /// Throws store_error where a merge has met a damaged segment since.
  void begin(folder& in, checkpoint_transaction& tx) {
    if (damage_) std::rethrow_exception(std::exchange(damage_, nullptr));
    follow_newest(in, segments_);
    tx.rows_.begin(in.seen(), segments_, waiting_, tx.group());
  }

  bool apply(checkpoint_generation& state, checkpoint_transaction& tx, std::uint64_t number) {
    auto const& moves = tx.moves();
    for (auto const& [key, since] : tx.rows_.touched()) {
      if (std::any_of(moves.begin(), moves.end(),
                      [&](move const& m) { return m.of.partition == key.partition && m.of.topic == key.topic; }))
        continue;
      // Nobody's fence guards it: it must be as it was when the transaction began.
      auto const at = state.shared.find(key);
      if ((at == state.shared.end() ? 0 : at->second) != since) return false;
      if (tx.rows_.changes().contains(key)) state.shared[key] = number + 1;
    }
    tx_ = &tx;
    return true;
  }

  bool has(folder& in, checkpoint_transaction const& tx) {
    follow_newest(in, segments_);
    row_view const there{segments_, {}};
    for (auto const& [key, table] : tx.rows_.changes())
      for (auto const& [row, change] : table) {
        auto const is = there.find(key, row);
        if (is.has_value() != change.there || (is && (is->value != change.value || is->due != change.due)))
          return false;
      }
    return true;
  }

  bool waits() {
    if (interval_.count() == 0 || clock::now() - published_at_ >= interval_) return false;
    if (tx_) merge_changes(waiting_, std::move(tx_->rows_.changes()));
    tx_ = nullptr;
    has_waiting_ = true;
    return true;
  }

  bool has_waiting() const { return has_waiting_; }
  bool overdue() const { return has_waiting_ && clock::now() - published_at_ >= interval_; }

  bool before_publishing(checkpoint_generation& state) {
    if constexpr (hosted<Files>) {
      auto const gone = [&](std::uint64_t id) { return unlocked_.gone(state, id, place_); };
      if (written_ && gone(written_->id)) {
        written_.reset();
        holding_.reset();
      }
      compaction_.drop(gone);
    }
    if (!written_) {
      doubtful_ = false;
      if (tx_ && !waiting_.empty()) merge_changes(waiting_, std::move(tx_->rows_.changes()));
      auto const& changes = !waiting_.empty() || !tx_ ? waiting_ : tx_->rows_.changes();
      if (std::any_of(changes.begin(), changes.end(), [](auto const& t) { return !t.second.empty(); })) {
        holding_ = place_.create();
        try {
          written_ = write_segment(*holding_, changes);
        } catch (store_error const&) {
          place_.remove(holding_->id());
          holding_.reset();
          throw;
        }
        if (!written_) {
          place_.remove(holding_->id());
          holding_.reset();
          return false;
        }
      }
    }
    if constexpr (hosted<Files>)
      unlocked_.retire(state, place_);
    else
      to_remove_ = std::exchange(state.retired, {});
    compaction_.replace(state.segments, state.retired);
    if (written_) state.segments.push_back(*written_);
    if (!program_.empty()) state.program = program_;
    if (!version_.empty()) state.version = version_;
    return true;
  }

  /// Durable. What follows is in nobody's way if it fails.
  void published(folder& in) {
    auto const added = written_ ? written_->size : 0;
    waiting_.clear();
    has_waiting_ = false;
    written_.reset();
    holding_.reset();
    published_at_ = clock::now();
    unlocked_.published();
    auto const& now = in.seen().segments;
    compaction_.published(now);
    for (auto const& ref : std::exchange(to_remove_, {})) place_.remove(ref.id);
    if (compaction_.idle() && !compaction::wanted(now)) {
      compacts_ = typename Files::handle{};
      return;
    }
    try {
      if (!may_compact(in) || !segments_.follow(now)) return;
      compaction_.start(segments_);
      compaction_.work(std::max(least_work, 4 * added));
    } catch (store_error const& e) {
      compaction_.stop();
      if (e.code() == errc::store_damaged) damage_ = std::current_exception();
    }
  }

  void publishing() { was_doubtful_ = std::exchange(doubtful_, true); }
  void not_published() { doubtful_ = was_doubtful_; }
  void done(bool applied) noexcept {
    if (written_ && !applied && !doubtful_) place_.remove(written_->id);
    tx_ = nullptr;
    written_.reset();
    holding_.reset();
  }

 private:
  bool may_compact(folder& in) {
    if (compacts_ || hosted<Files>) return true;
    std::string const name = "merging";
    typename Files::handle file;
    int e = in.files().create(place_.folder(), name, file);
    if (e == EEXIST) e = in.files().open_to_write(place_.folder(), name, file);
    if (e || !in.files().lock(file)) return false;
    compacts_ = std::move(file);
    return true;
  }
};

/// Reads all of a checkpoint; where something is damaged, gives its files other names, and says so.
template <class Files, class Policy, class Log>
void set_damaged_aside(Files files, Policy const& with, Log const& log) {
  generation_folder<Files, checkpoint_generation> folder{files, with.directory};
  local_segments<Files> place{folder.files(), folder.handle(), folder.path()};
  std::string why;
  try {
    folder.newest();
    open_segments all{place, 0};
    follow_newest(folder, all);
    for (auto const& s : all.all()) s->verify();
    return;
  } catch (store_error const& e) {
    if (e.code() != errc::store_damaged) throw;
    why = e.what();
  }
  place.set_all_aside();
  folder.set_all_aside();
  if (log)
    log(3, "checkpoint in " + folder.path() +
               " is damaged, and .on_damage is start_anew: all its files were renamed to " + std::string{aside_prefix} +
               "…, and positions and state begin anew. It was: " + why);
}

}}}  // namespace sluice::v0::detail
