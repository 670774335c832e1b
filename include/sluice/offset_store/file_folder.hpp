/// \file offset_store/file_folder.hpp  A folder of numbered files, each a whole state: read the newest, publish the next.
///
/// Publishing N: a temporary file, written and synced; renamed to N, which fails where N is taken; the folder synced;
/// the folder listed. With a number above N in it, ours was the late work of a sleeper and what counts is the highest,
/// which may or may not have been built on ours. The highest is never removed, the one before it is kept.
#pragma once
#include <sluice/detail/crash_point.hpp>
#include <sluice/detail/file_names.hpp>
#include <sluice/detail/late.hpp>
#include <sluice/detail/made_folders.hpp>
#include <sluice/offset_store/file_generation.hpp>

#include <algorithm>
#include <chrono>
#include <optional>

namespace sluice { inline namespace v0 { namespace detail {

inline constexpr std::string_view generation_prefix = "generation.";
inline constexpr std::string_view temporary_prefix = "temporary.";

inline constexpr std::string_view highest_number =
    "has a file with the highest number that there is, which this library has not made: remove it, and the one before "
    "it counts";

inline std::string generation_name(std::uint64_t number) { return std::string{generation_prefix} + padded(number); }

/// The numbers among the names of a folder, ascending.
template <class Names>
std::vector<std::uint64_t> generation_numbers(Names const& names) {
  late<std::vector<std::uint64_t>, Names> numbers;
  for (std::string_view const name : names)
    if (name.starts_with(generation_prefix))
      if (auto const n = padded_number(name.substr(generation_prefix.size()))) numbers.push_back(*n);
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

template <class Files, class State = file_generation>
class generation_folder {
  using state = late<State, Files>;

  [[no_unique_address]] Files files_;
  std::string path_;
  typename Files::handle folder_{};
  std::uint64_t number_ = 0;  // of state_; 0: nothing was published yet
  bool current_ = false;      // state_ is what file number_ says
  state state_{};
  std::string bytes_{};
  late<std::vector<std::string>, Files> names_{};

  std::vector<std::uint64_t> numbers() {
    if (int const e = files_.list(folder_, names_)) throw_file_error(e, "list the files", path_);
    return generation_numbers(names_);
  }

  /// False: removed in the meantime, since there is a newer one.
  bool load(std::uint64_t number) {
    auto const name = generation_name(number);
    auto const file = path_ + "/" + name;
    typename Files::handle from;
    std::uint64_t size = 0;
    int e = files_.open_to_read(folder_, name, from);
    if (e == ENOENT) return false;
    if (!e) e = files_.size(from, size);
    if (!e && size > generation_header + generation_cap)
      throw store_error{errc::store_damaged,
                        file + " is damaged: longer than any file of offsets; put it back from a backup"};
    if (!e) e = files_.read(from, 0, static_cast<std::size_t>(size), bytes_);
    if (e) throw_file_error(e, "read " + name, path_);
    state_ = parse_generation<state>(bytes_, file);
    number_ = number;
    return true;
  }

  bool looked_again() {
    try {
      return files_.sync(folder_) == 0 && files_.list(folder_, names_) == 0;
    } catch (store_error const&) { return false; }
  }
  void clean_up(std::vector<std::uint64_t> const& there) {
    for (auto const n : there)
      if (n + 1 < there.back()) files_.remove(folder_, generation_name(n));
  }

 public:
  generation_folder(Files files, std::string path) : files_(std::move(files)), path_(std::move(path)) {
    if (int const e = files_.open_directory(path_, folder_))
      throw error{errc::bad_configuration, std::string{State::kept_by} + ".directory: can't open the folder '" + path_ +
                                               "' (" + errno_text(e) +
                                               "); name a folder that is there and may be written to"};
  }

  Files& files() { return files_; }
  typename Files::handle const& handle() const { return folder_; }
  std::string const& path() const { return path_; }
  std::uint64_t number() const { return number_; }
  std::string name_of(std::uint64_t number) const { return path_ + "/" + generation_name(number); }

  /// Until when what follows may take, where that can be said.
  void limit(std::chrono::steady_clock::time_point by) {
    if constexpr (requires { files_.limit(by); }) files_.limit(by);
  }

  /// Temporary files whose writer is dead: a living one holds a lock on its own.
  void remove_leftovers() {
    numbers();
    for (auto const& name : names_) {
      typename Files::handle file;
      if (name.starts_with(temporary_prefix) && files_.open_to_write(folder_, name, file) == 0 && files_.lock(file))
        files_.remove(folder_, name);
    }
  }

  /// The newest state, read again only where another one published. Whoever changes it says doubt() first.
  state& newest() {
    for (;;) {
      auto const there = numbers();
      if (there.empty()) {
        if (number_ > 0)
          throw store_error{errc::store_unavailable, "the files of " + std::string{State::kept_by} + " in " + path_ +
                                                         " are gone; put them back"};
        if (!current_) {
          state_ = state{};
          state_.id = {random_bits(), random_bits()};
        }
        current_ = true;
        return state_;
      }
      if (current_ && there.back() == number_) return state_;
      current_ = false;
      if (load(there.back())) {
        current_ = true;
        return state_;
      }
    }
  }
  state const& seen() const { return state_; }
  /// Nobody said doubt() since it was read or published.
  bool current() const { return current_; }
  /// What is in memory may differ from the disk: read again next time.
  void doubt() { current_ = false; }
  /// It doesn't, after all.
  void unchanged() { current_ = true; }

  /// Gives all numbered files other names, that nothing reads.
  void set_all_aside() {
    for (auto const n : numbers()) files_.publish(folder_, generation_name(n), "damaged." + generation_name(n));
    if (int const e = files_.sync(folder_)) throw_file_error(e, "sync the files", path_);
    doubt();
  }

  /// Makes the state in memory the next generation. Throws store_error where it is certain that nothing was published.
  publication publish() {
    current_ = false;
    auto const number = number_ + 1;
    if (number == 0) throw store_error{errc::store_damaged, path_ + " " + std::string{highest_number}};
    encode(state_, bytes_);
    if (bytes_.size() > generation_header + generation_cap)
      throw store_error{errc::store_full, "the values kept in " + path_ + " are more than 256 MiB in all; keep less"};
    auto const temporary = std::string{temporary_prefix} + hex16(random_bits());
    typename Files::handle file;
    if (int const e = files_.create(folder_, temporary, file)) throw_file_error(e, "make a file", path_);
    files_.lock(file);
    SLUICE_CRASH_POINT("file made");
    if (int const e = files_.write(file, bytes_, 0)) {
      files_.remove(folder_, temporary);
      throw_file_error(e, "write a file", path_);
    }
    SLUICE_CRASH_POINT("file written");
    if (int const e = files_.sync(file)) {
      files_.remove(folder_, temporary);
      if (is_full(e)) throw_file_error(e, "sync a file", path_);
      return publication::unknown;
    }
    SLUICE_CRASH_POINT("file synced");
    if (int const e = files_.publish(folder_, temporary, generation_name(number))) {
      files_.remove(folder_, temporary);
      if (e == EEXIST || e == ENOENT) return publication::taken;
      if (is_full(e)) throw_file_error(e, "name a file", path_);
      return publication::unknown;
    }
    SLUICE_CRASH_POINT("file named");
    if (!looked_again()) return publication::unknown;
    auto const there = generation_numbers(names_);
    if (there.empty()) return publication::unknown;
    SLUICE_CRASH_POINT("folder synced");
    clean_up(there);
    SLUICE_CRASH_POINT("old files removed");
    if (there.back() != number) return publication::overtaken;
    number_ = number;
    current_ = true;
    return publication::yes;
  }
};

}}}  // namespace sluice::v0::detail
