/// \file offset_store/file_transaction.hpp  What a handler gets with file_offsets: named values, and text files to append to.
#pragma once
#include <sluice/detail/file_names.hpp>
#include <sluice/detail/late.hpp>
#include <sluice/offset_store/file_generation.hpp>
#include <sluice/record.hpp>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice { inline namespace v0 {

namespace detail {
template <class Files, class Kind>
class file_changes;
}

/// Results that become durable with the offsets, in one numbered file, or not at all. All is kept in memory until the
/// commit. One thread, only while the handler runs.
///
/// Values are shared by all that use the folder, of every group. They are rewritten with every commit, so they suit
/// counters and small tables (256 MiB in all at most); what grows belongs into text files. A value that this transaction
/// read or wrote, and that another member changed meanwhile: the batch is rolled back and handled again.
///
/// A name is any text, not empty; of a text file no longer than 200 bytes, percent-encoded. Errors of the caller throw
/// error(bad_statement).
template <class Late>
class basic_file_transaction {
  using state = basic_file_generation<Late>;

  struct slot {
    std::uint64_t since = 0;  // of the value as it was found; 0: none was there
    bool written = false;
    std::optional<std::string> content{};  // where written: absent is erased
  };
  struct text {
    typename state::text_key key{};
    std::string added{};
    std::uint64_t was = 0;  // how long it was when it was tried to commit this
  };
  using slots = std::map<std::string, slot, std::less<>>;
  struct undo {
    typename slots::iterator value{};
    bool was_written = false;
    std::optional<std::string> was{};
  };
  using lengths = detail::late<std::vector<std::pair<std::size_t, std::size_t>>, Late>;
  struct part {
    topic_partition of{};
    fence mine{};
  };

  state const* base_ = nullptr;
  int directory_ = -1;
  std::string const* group_ = nullptr;
  std::vector<part> parts_{};
  detail::late<std::vector<move>, Late> moves_{};
  slots values_{};
  std::vector<text> texts_{};
  std::size_t last_text_ = 0;
  bool saved_ = false;
  std::vector<undo> undo_{};
  lengths lengths_{};  // of texts, before what came behind the savepoint

  template <class Files, class Kind>
  friend class basic_file_store;
  template <class Files, class Kind>
  friend class detail::file_changes;

 protected:
  basic_file_transaction() = default;

  void begin(state const& base, int directory, std::string const& group, std::span<move const> moves) {
    base_ = &base;
    directory_ = directory;
    group_ = &group;
    clear();
    for (auto const& m : moves) parts_.push_back({m.of, m.mine});
  }
  void clear() {
    parts_.clear();
    moves_.clear();
    values_.clear();
    texts_.clear();
    release_savepoint();
  }
  std::string const& group() const { return *group_; }
  state const& base() const { return *base_; }
  std::span<move const> moves() const { return moves_; }

 private:
  auto found(std::string_view name) {
    if (name.empty()) throw error{errc::bad_statement, "a value needs a name, this one is empty"};
    if (auto const at = values_.find(name); at != values_.end()) return at;
    auto const there = base_->values.find(name);
    return values_.emplace(std::string{name}, slot{.since = there == base_->values.end() ? 0 : there->second.since})
        .first;
  }
  void write(std::string_view name, std::optional<std::string> content) {
    auto const at = found(name);
    if (saved_) undo_.push_back({at, at->second.written, std::move(at->second.content)});
    at->second.written = true;
    at->second.content = std::move(content);
  }

  std::size_t text_of(std::string_view name, std::string_view topic, std::int32_t partition) {
    auto const fits = [&](text const& t) {
      return t.key.of.partition == partition && t.key.name == name && t.key.of.topic == topic;
    };
    if (last_text_ < texts_.size() && fits(texts_[last_text_])) return last_text_;
    for (std::size_t i = texts_.size(); i-- > 0;)
      if (fits(texts_[i])) return last_text_ = i;
    if (name.empty() || detail::file_name(name).size() > detail::longest_file_name)
      throw error{errc::bad_statement, "a text file's name has 1 to 200 bytes, percent-encoded; this one has " +
                                           std::to_string(name.size())};
    for (auto const& p : parts_) {
      if (p.of.partition != partition || p.of.topic != topic) continue;
      texts_.push_back({{std::string{name}, *group_, p.of, p.mine.turn, p.mine.nonce}});
      return last_text_ = texts_.size() - 1;
    }
    throw error{errc::bad_statement, "append for " + std::string{topic} + "/" + std::to_string(partition) +
                                         ", which has no records in this batch; name the partition of a record in it"};
  }
  void append_to(std::size_t index, std::string_view added) {
    auto& to = texts_[index].added;
    if (saved_ && (lengths_.empty() || lengths_.back().first != index)) lengths_.emplace_back(index, to.size());
    to += added;
  }

 public:
  basic_file_transaction(basic_file_transaction const&) = delete;
  basic_file_transaction& operator=(basic_file_transaction const&) = delete;

  /// The value of that name is `content` from this commit on.
  void put(std::string_view name, bytes content) { write(name, std::string{as_text(content)}); }
  void put(std::string_view name, std::string_view content) { write(name, std::string{content}); }
  void erase(std::string_view name) { write(name, std::nullopt); }
  /// As put by this transaction, or as last committed. The bytes live until this name is written to, rolled back, or the
  /// handler returns.
  std::optional<bytes> get(std::string_view name) {
    if (auto const s = get_text(name)) return as_bytes(*s);
    return {};
  }
  std::optional<std::string_view> get_text(std::string_view name) {
    auto const& s = found(name)->second;
    if (s.written) return s.content ? std::optional<std::string_view>{*s.content} : std::nullopt;
    if (s.since == 0) return {};
    return base_->values.find(name)->second.content;
  }

  /// Adds `added` as it is (no line feed is added) to the text file of that name: to the part of it that belongs to the
  /// record's partition. read_text(directory, name) joins the parts.
  void append(std::string_view name, record const& r, std::string_view added) {
    append_to(text_of(name, r.topic(), r.partition()), added);
  }
  void append(std::string_view name, topic_partition const& of, std::string_view added) {
    append_to(text_of(name, of.topic, of.partition), added);
  }

  /// A descriptor of the store's folder, open for reading. It stays the store's.
  int native_handle() const { return directory_; }

  /// What was done behind the savepoint can be undone, once; one savepoint at a time.
  void savepoint() {
    release_savepoint();
    saved_ = true;
  }
  void rollback_to_savepoint() {
    for (; !undo_.empty(); undo_.pop_back()) {
      auto& last = undo_.back();
      last.value->second.written = last.was_written;
      last.value->second.content = std::move(last.was);
    }
    for (; !lengths_.empty(); lengths_.pop_back()) texts_[lengths_.back().first].added.resize(lengths_.back().second);
  }
  void release_savepoint() {
    saved_ = false;
    undo_.clear();
    lengths_.clear();
  }
};
using file_transaction = basic_file_transaction<void>;

}}  // namespace sluice::v0
