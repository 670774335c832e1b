/// \file offset_store/webhdfs_folder.hpp  The state of a group as numbered files in a folder of HDFS: the newest is read, the next is published.
///
/// Publishing N is as in file_folder.hpp: a temporary file; renamed to N, which fails where N is taken; the folder listed.
/// With a number above N in it, ours was the late work of a sleeper and what counts is the highest. The highest is never
/// removed, the one before it is kept.
#pragma once
#include <sluice/offset_store/file_claims.hpp>
#include <sluice/offset_store/file_folder.hpp>
#include <sluice/offset_store/webhdfs_client.hpp>

namespace sluice { inline namespace v0 { namespace detail::webhdfs {

/// What a group's files are kept in, below the directory. A name that is too long is spread over several folders.
inline std::string group_path(std::string_view group) {
  std::string path;
  for (auto const& part : split_name(url_name(group), '~', '~')) path += "/" + part;
  return path;
}

class folder {
  client client_;
  std::string group_{};
  std::string path_{};
  std::uint64_t number_ = 0;        // of state_; 0: nothing was published yet
  std::uint64_t acknowledged_ = 0;  // the last that we know to be durable
  bool current_ = false;
  file_generation state_{};
  std::string bytes_{};

  struct listing {
    std::vector<std::uint64_t> numbers{};
    std::vector<std::string> names{};
  };
  listing list(time_point by) {
    auto names = client_.list(path_, by);
    if (!names) return {};
    return {generation_numbers(*names), std::move(*names)};
  }

  /// False: removed in the meantime, since there is a newer one.
  bool load(std::uint64_t number, time_point by) {
    auto const file = path_ + "/" + generation_name(number);
    auto const a = client_.ask_in_two_steps("GET", file, "OPEN", {}, by);
    if (client_.not_there(a)) return false;
    if (a.status != 200) client_.refuse(a);
    auto found = parse_generation<file_generation>(a.content, "webhdfs_offsets: " + file);
    for (auto const& [key, partitions] : found.topics)
      if (key.group != group_)
        throw store_error(errc::store_damaged, "webhdfs_offsets: " + file + " holds the offsets of the group '" +
                                                   key.group + "': it was copied here; " +
                                                   std::string{earlier_file_counts});
    state_ = std::move(found);
    number_ = number;
    return true;
  }

  /// Best effort: what stays is removed by the next one.
  void clean_up(listing const& there, time_point by) {
    try {
      for (auto const n : there.numbers)
        if (n + 1 < there.numbers.back()) client_.remove(path_ + "/" + generation_name(n), by);
      for (std::string_view const name : there.names)
        if (name.starts_with(temporary_prefix))
          if (auto const n = padded_number(name.substr(temporary_prefix.size(), 20)); n && *n < there.numbers.back())
            client_.remove(path_ + "/" + std::string{name}, by);
    } catch (store_error const&) { return; }
  }

 public:
  explicit folder(settings const& s) : client_(s) {}

  /// Throws store_error where the server can't be had, or the directory can't be written to.
  void probe(time_point by) { client_.probe(by); }

  std::string name() const { return "webhdfs_offsets: " + path_; }

  void select(std::string const& group) {
    if (group == group_ && !path_.empty()) return;
    group_ = group;
    path_ = client_.config().directory + group_path(group);
    number_ = acknowledged_ = 0;
    current_ = false;
  }

  file_generation& newest(time_point by) {
    while (!current_) {
      auto const there = list(by).numbers;
      if (there.empty()) {
        if (number_ > 0)
          throw store_error(errc::store_damaged,
                            name() + " is empty, and was not before: put its files back from a backup");
        state_ = file_generation{.id = {random_bits(), random_bits()}};
        current_ = true;
      } else {
        current_ = load(there.back(), by);
      }
    }
    return state_;
  }
  bool current() const { return current_; }
  void doubt() { current_ = false; }
  void unchanged() { current_ = true; }
  /// A name that can be seen may not be in the NameNode's journal yet; one that was acknowledged is.
  bool durable() const { return number_ == acknowledged_; }

  publication publish(time_point by) {
    current_ = false;
    auto const number = number_ + 1;
    if (number == 0) throw store_error(errc::store_damaged, name() + " " + std::string{highest_number});
    encode(state_, bytes_);
    auto const file = path_ + "/" + std::string{temporary_prefix} + padded(number) + "." + hex16(random_bits());
    client_.create(file, bytes_, by);
    switch (client_.rename(file, path_ + "/" + generation_name(number), by)) {
      case naming::done:
        break;
      case naming::taken:
      case naming::gone:
        return publication::taken;
      case naming::unknown:
        return publication::unknown;
    }
    listing there;
    try {
      there = list(by);
    } catch (store_error const&) { return publication::unknown; }
    if (there.numbers.empty()) return publication::unknown;
    clean_up(there, by);
    if (there.numbers.back() != number) return publication::overtaken;
    number_ = acknowledged_ = number;
    current_ = true;
    return publication::yes;
  }
};

}}}  // namespace sluice::v0::detail::webhdfs
