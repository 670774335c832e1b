/// \file offset_store/checkpoint_compaction.hpp  Segments of one size become one of the next size, a little with each batch.
///
/// A batch's segment has level 0; `segments_merged` neighbours of one level become one of the next. So a row is written once for each level
/// that it reaches, whatever else the state holds. A merge goes on by a few times what the batches bring, so it is done
/// before the next one of its level is due; one may run on each level.
#pragma once
#include <sluice/offset_store/checkpoint_rows.hpp>

namespace sluice { inline namespace v0 { namespace detail {

inline constexpr std::size_t segments_merged = 16;

/// One merge under way.
class segment_merge {
  std::vector<std::shared_ptr<segment_reader const>> from_;  // the oldest first
  bool drops_removed_;
  std::unique_ptr<segment_sink> to_;
  segment_writer writer_;
  std::vector<table_key> tables_{};
  std::size_t next_table_ = 0;
  std::optional<merged_rows> rows_{};
  std::optional<segment_ref> done_{};
  bool offered_ = false;

  bool next_table() {
    if (next_table_ == tables_.size()) return false;
    auto const& key = tables_[next_table_++];
    rows_.emplace();
    for (auto s = from_.rbegin(); s != from_.rend(); ++s)
      if (auto const* t = (*s)->find_table(key))
        rows_->add(std::make_unique<segment_cursor>(*s, *t, std::string_view{}, false));
    rows_->start();
    writer_.begin(key);
    return true;
  }

 public:
  /// `drops_removed`: nothing older is left that a removed row would have to hide.
  segment_merge(segment_place& place, std::vector<std::shared_ptr<segment_reader const>> from, bool drops_removed)
      : from_(std::move(from)), drops_removed_(drops_removed), to_(place.create()), writer_(*to_) {
    for (auto const& s : from_)
      for (auto const& t : s->tables()) tables_.push_back(t.key);
    std::sort(tables_.begin(), tables_.end());
    tables_.erase(std::unique(tables_.begin(), tables_.end()), tables_.end());
  }

  std::uint8_t level() const { return from_.front()->ref().level; }
  std::uint64_t id() const { return to_->id(); }
  /// Its file may be named by a numbered file.
  bool offered() const { return offered_; }
  bool is_done() const { return done_.has_value(); }
  /// Goes on until about so many bytes more were written. False: its file could not be synced.
  bool work(std::uint64_t bytes) {
    auto const until = writer_.bytes() + bytes;
    std::uint64_t dropped = 0;
    while (writer_.bytes() + dropped < until) {
      if (!rows_ || !rows_->good()) {
        if (next_table()) continue;
        done_ = writer_.finish(static_cast<std::uint8_t>(std::min(level() + 1, 255)));
        return done_.has_value();
      }
      if (rows_->row().there || !drops_removed_)
        writer_.add(rows_->row());
      else
        dropped += rows_->row().key.size();
      rows_->next();
    }
    return true;
  }

  /// Puts the new segment into the place of those that it was made of, and these into `gone`. False: they are not there any more.
  bool replace(std::vector<segment_ref>& in, std::vector<segment_ref>& gone) {
    auto const at = std::search(in.begin(), in.end(), from_.begin(), from_.end(),
                                [](segment_ref const& ref, auto const& s) { return ref == s->ref(); });
    if (at == in.end() || (drops_removed_ && at != in.begin())) return false;
    offered_ = true;
    auto const end = at + static_cast<std::ptrdiff_t>(from_.size());
    gone.insert(gone.end(), at, end);
    auto const rest = in.erase(at, end);
    if (done_ && done_->rows > 0) in.insert(rest, *done_);
    return true;
  }
};

/// The merges under way.
class compaction {
  segment_place& place_;
  std::vector<std::unique_ptr<segment_merge>> running_{};

  bool runs(std::uint8_t level) const {
    return std::any_of(running_.begin(), running_.end(), [&](auto const& m) { return m->level() == level; });
  }

 public:
  explicit compaction(segment_place& place) : place_(place) {}

  static bool wanted(std::vector<segment_ref> const& refs) {
    for (std::size_t i = 0, run = 0; i < refs.size(); ++i) {
      run = i > 0 && refs[i].level == refs[i - 1].level ? run + 1 : 1;
      if (run == segments_merged) return true;
    }
    return false;
  }
  bool idle() const { return running_.empty(); }

  void start(open_segments const& open) {
    auto const& all = open.all();
    for (std::size_t i = 0, first = 0; i < all.size(); ++i) {
      if (all[i]->ref().level != all[first]->ref().level) first = i;
      if (i + 1 - first < segments_merged || runs(all[i]->ref().level)) continue;
      auto const begin = all.begin() + static_cast<std::ptrdiff_t>(first);
      running_.push_back(std::make_unique<segment_merge>(
          place_, std::vector(begin, begin + static_cast<std::ptrdiff_t>(segments_merged)), first == 0));
    }
  }
  /// Up to so many bytes on each level.
  void work(std::uint64_t bytes) {
    for (auto& m : running_)
      if (!m->is_done() && !m->work(bytes)) {
        place_.remove(m->id());
        m.reset();
      }
    std::erase(running_, nullptr);
  }
  /// Those that are done take the place of what they were made of.
  void replace(std::vector<segment_ref>& in, std::vector<segment_ref>& gone) {
    for (auto const& m : running_)
      if (m->is_done()) m->replace(in, gone);
  }
  /// Those that are done and of which `gone(id)` says so have come to an end.
  template <class Gone>
  void drop(Gone gone) {
    std::erase_if(running_, [&](auto const& m) { return m->is_done() && gone(m->id()); });
  }
  /// After `now` was published: those that are in it, and those that can't be any more, have come to an end.
  void published(std::vector<segment_ref> const& now) {
    for (auto& m : running_) {
      if (!m->is_done()) continue;
      if (std::none_of(now.begin(), now.end(), [&](auto const& ref) { return ref.id == m->id(); }))
        place_.remove(m->id());
      m.reset();
    }
    std::erase(running_, nullptr);
  }
  /// What may be named is left to the next one who looks for what nobody needs.
  void stop() noexcept {
    for (auto const& m : running_)
      if (!m->offered()) place_.remove(m->id());
    running_.clear();
  }
};

}}}  // namespace sluice::v0::detail
