/// \file source/directory_journal.hpp  Which files a directory source has seen, and where each begins in its numbering: one small file, replaced whole.
///
/// A file gets its place in the numbering once, and that is on the disk before any line of it is handed over. So the offset
/// alone says how far all files were read, and the offset is what every store keeps in one transaction with the results.
#pragma once
#include <sluice/detail/file_names.hpp>
#include <sluice/detail/kept_text.hpp>
#include <sluice/detail/own_folder.hpp>
#include <sluice/source/log_format.hpp>

#include <algorithm>
#include <charconv>
#include <limits>

namespace sluice { inline namespace v0 { namespace detail {

/// A file's identity, and where its bytes stand: its line at byte b has the offset first + b.
struct seen_file {
  std::uint64_t first = 0;
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t modified_ns = 0;
  std::string name{};
  std::uint64_t end() const { return first + size; }
};

struct journal_state {
  log_id id{};
  std::uint64_t low = 0;  ///< what lies before it was read, and is forgotten
  std::uint64_t end = 0;
  std::vector<seen_file> files{};  ///< ascending
  /// No file that was changed then or before is new: it may have been read. Whatever the clock says.
  std::int64_t forgotten_ns = nothing_forgotten;

  static constexpr std::int64_t nothing_forgotten = std::numeric_limits<std::int64_t>::min();
};

inline constexpr std::string_view journal_family = "sluice directory ";

/// Version 2 has one number more: forgotten_ns.
inline std::string to_text(journal_state const& s) {
  bool const forgot = s.forgotten_ns != journal_state::nothing_forgotten;
  auto text = std::string{journal_family} + (forgot ? "2\n" : "1\n") + hex16(s.id[0]) + " " + hex16(s.id[1]) + " " +
              std::to_string(s.low) + " " + std::to_string(s.end) +
              (forgot ? " " + std::to_string(s.forgotten_ns) : "") + "\n";
  for (auto const& f : s.files)
    text += std::to_string(f.first) + " " + std::to_string(f.device) + " " + std::to_string(f.inode) + " " +
            std::to_string(f.size) + " " + std::to_string(f.modified_ns) + " " + file_name(f.name) + "\n";
  return sealed(std::move(text));
}

template <class N>
bool take_word(std::string_view& line, N& out, int base = 10) {
  auto const [end, wrong] = std::from_chars(line.data(), line.data() + line.size(), out, base);
  if (wrong != std::errc{}) return false;
  line.remove_prefix(static_cast<std::size_t>(end - line.data()));
  if (line.starts_with(' ')) line.remove_prefix(1);
  return true;
}

/// None: damaged.
inline std::optional<journal_state> read_journal(std::string_view text) {
  auto const whole = unsealed(text);
  if (!whole) return {};
  text = *whole;
  auto const line = [&] {
    auto const feed = text.find('\n');
    auto const one = text.substr(0, feed);
    text.remove_prefix(feed == text.npos ? text.size() : feed + 1);
    return one;
  };
  auto const first = line();
  bool const forgot = first == std::string{journal_family} + "2";
  if (!forgot && first != std::string{journal_family} + "1") return {};
  journal_state s;
  auto head = line();
  if (!take_word(head, s.id[0], 16) || !take_word(head, s.id[1], 16) || !take_word(head, s.low) ||
      !take_word(head, s.end) || (forgot && !take_word(head, s.forgotten_ns)) || !head.empty())
    return {};
  while (!text.empty()) {
    seen_file f;
    auto one = line();
    if (!take_word(one, f.first) || !take_word(one, f.device) || !take_word(one, f.inode) || !take_word(one, f.size) ||
        !take_word(one, f.modified_ns))
      return {};
    auto const name = text_of_file_name(one);
    if (!name || f.first > s.end || f.size > s.end - f.first || (!s.files.empty() && f.first < s.files.back().end()))
      return {};
    f.name = *name;
    s.files.push_back(std::move(f));
  }
  return s;
}

template <class Files>
class directory_journal {
  Files files_;
  std::string path_{};
  own_folder<Files> folder_{};
  kept_text<Files> kept_{"journal"};

 public:
  journal_state state{};

  explicit directory_journal(Files files = {}) : files_(std::move(files)) {}

  /// The folder is made where it is not there; its parent must be. Throws error(bad_configuration), store_error.
  void open(std::string const& path) {
    path_ = path;
    folder_.open(files_, path_, "directory_source.journal");
    auto const text = kept_.load(files_, folder_.handle(), path_);
    if (!text) {
      state = {.id = {random_bits(), random_bits()}};
      return;
    }
    if (text->starts_with(journal_family) && !text->starts_with(std::string{journal_family} + "1\n") &&
        !text->starts_with(std::string{journal_family} + "2\n"))
      throw store_error(errc::store_newer,
                        path_ + "/" + kept_.name() + " was written by a later version: use that one");
    auto const found = read_journal(*text);
    if (!found)
      throw store_error(errc::store_damaged,
                        path_ + "/" + kept_.name() +
                            " is damaged; put it back from a backup, or move the folder away: then "
                            "every file is new");
    state = *found;
  }

  /// What is in `state` is on the disk, or store_error.
  void keep() { kept_.keep(files_, folder_.handle(), path_, to_text(state)); }
};

}}}  // namespace sluice::v0::detail
