/// \file offset_store/file_changes.hpp  Changes of a folder's newest state: made on top of it, published, and again while others are quicker.
#pragma once
#include <sluice/offset_store/file_claims.hpp>
#include <sluice/offset_store/file_text.hpp>
#include <sluice/offset_store/file_transaction.hpp>

#include <optional>

namespace sluice { inline namespace v0 { namespace detail {

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

/// The folder, and what `Kind` keeps beside it. Throws store_error.
template <class Files, class Kind>
class file_changes {
 public:
  using generation = late<typename Kind::state, Files>;
  using transaction = late<typename Kind::transaction, Files>;
  using text_key = typename generation::text_key;

 private:
  generation_folder<Files, generation> folder_;
  late<typename Kind::template beside<Files>, Files> beside_;
  text_writer<Files> texts_{};
  bool in_doubt_ = false;  // the newest file can be read, but its name may not be on the disk
  bool overtaken_ = false;

  /// Nothing to do with a published state but to try again on top of it, for a while.
  void lost_a_race(unsigned& races, time_point by) const {
    if (++races > 16 && std::chrono::steady_clock::now() > by)
      throw store_error{errc::store_unavailable,
                        "other consumers kept storing in " + folder_.path() + " all the time; nothing was stored"};
  }

  publication publish() {
    beside_.publishing();
    try {
      auto const how = folder_.publish();
      if (how == publication::taken) beside_.not_published();
      return how;
    } catch (store_error const&) {
      beside_.not_published();
      throw;
    }
  }

  void make_first() {
    try {
      auto const made = change({}, [&](generation&) -> std::optional<bool> { return folder_.number() == 0; });
      if (made == publication::yes) return;
    } catch (store_error const& e) {
      if (e.code() != errc::store_unavailable || requires { Files::is_hosted; }) throw;
      throw error{errc::bad_configuration, std::string{generation::kept_by} + ".directory: '" + folder_.path() +
                                               "' can't be written to; name a folder that can (" + e.what() + ")"};
    }
    throw store_error{errc::store_unavailable,
                      "a file could not be synced, or not be read again, in " + folder_.path()};
  }

  static std::uint64_t valid_of(generation const& state, text_key const& key) {
    auto const at = state.texts.find(key);
    return at == state.texts.end() ? 0 : at->second;
  }

 public:
  /// As basic_file_store's constructor.
  file_changes(Files files, typename Kind::policy const& with)
      : folder_(std::move(files), with.directory), beside_(folder_, with) {
    folder_.remove_leftovers();
    folder_.newest();
    if (folder_.number() == 0) make_first();
    beside_.open(folder_);
  }

  auto& folder() { return folder_; }
  auto& beside() { return beside_; }
  bool in_doubt() const { return in_doubt_; }
  /// The last change was published, and another one over it: that may have been built on it, or not.
  bool overtaken() const { return overtaken_; }

  /// The newest state, to be looked at.
  generation const& newest(time_point by) {
    folder_.limit(by);
    if (!folder_.current()) beside_.forget();
    return folder_.newest();
  }

  /// Edits the newest state and publishes, again while others are quicker. `edit(state)` says whether it changed it, and
  /// is called anew on each state that turns out to be the newest; absent: it gave up half-way. Answers yes or unknown, and
  /// throws store_error only where nothing was published.
  template <class Edit>
  publication change(time_point by, Edit edit, bool may_wait = false) {
    folder_.limit(by);
    overtaken_ = false;
    try {
      for (unsigned races = 0;;) {
        if (!folder_.current()) beside_.forget();
        auto& state = folder_.newest();
        folder_.doubt();
        std::optional<bool> const changed = edit(state);
        if (!changed) return publication::unknown;
        if (!*changed || (may_wait && beside_.waits())) {
          folder_.unchanged();
          return publication::yes;
        }
        if (!beside_.before_publishing(state)) return publication::unknown;
        auto const how = publish();
        if (how == publication::yes) beside_.published(folder_);
        if (how == publication::taken) lost_a_race(races, by);
        overtaken_ = overtaken_ || how == publication::overtaken;
        if (how == publication::taken || how == publication::overtaken) continue;
        in_doubt_ = how == publication::unknown;
        return how;
      }
    } catch (store_error const&) {
      if (!overtaken_) throw;
      in_doubt_ = true;
      return publication::unknown;
    }
  }

  void publish_what_waits() {
    if (beside_.has_waiting()) change({}, [](generation&) -> std::optional<bool> { return true; });
  }

  /// To a text file. False: nobody knows whether it is there.
  bool append(generation& state, text_key const& key, std::string_view text) {
    auto const valid = valid_of(state, key);
    if (!texts_.append(folder_, state, key, valid, text)) return false;
    state.texts.insert_or_assign(key, valid + text.size());
    return true;
  }

  /// Whether the newest state has it all, where this very commit may have brought it. Who has taken over one of its partitions
  /// since has not undone it. Absent: nothing tells.
  std::optional<bool> has(generation const& state, transaction const& tx, known_groups<generation>& groups) {
    bool taken_over = false;
    for (auto const& m : tx.moves_) {
      auto const fit = check_move(groups.find(state, m), m);
      taken_over = taken_over || fit == cas::refused;
      if (m.from == m.until) continue;  // it stands where it wants to, whoever was there
      // None but us, under this fence, moves it.
      if (fit != cas::refused) return fit == cas::already;
    }
    for (auto const& t : tx.texts_)
      if (!t.added.empty()) return valid_of(state, t.key) >= t.was + t.added.size();  // likewise
    if (taken_over) return {};
    for (auto const& [name, v] : tx.values_) {
      auto const at = state.values.find(name);
      if (v.written && (at == state.values.end() ? !!v.content : v.content != at->second.content)) return false;
    }
    return beside_.has(folder_, tx);
  }

  /// The transaction on top of `state`. Absent: unknown; false: it doesn't fit any more.
  std::optional<bool> apply(generation& state, transaction& tx, known_groups<generation>& groups) {
    for (auto const& [name, v] : tx.values_) {
      auto const at = state.values.find(name);
      if ((at == state.values.end() ? 0 : at->second.since) != v.since) return false;
    }
    for (auto const& m : tx.moves_) {
      auto* const p = groups.find(state, m);
      auto const fit = check_move(p, m);
      if (fit == cas::refused || (fit == cas::already && m.from != m.until)) return false;
      apply_move(*p, m);
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
};

}}}  // namespace sluice::v0::detail
