/// \file detail/made_folders.hpp  Folders below a folder, made where they aren't there, and durable before they are used.
#pragma once
#include <sluice/detail/files.hpp>
#include <sluice/detail/late.hpp>

#include <map>
#include <set>
#include <string>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail {

/// `code` as the library tells it: store_full or store_unavailable.
[[noreturn]] inline void throw_file_error(int code, std::string const& doing, std::string const& path) {
  auto const what = "can't " + doing + " in " + path + ": " + errno_text(code);
  if (is_full(code)) throw store_error{errc::store_full, what + "; make room there"};
  throw store_error{errc::store_unavailable, what};
}

/// Keeps them open: what is durable is this very folder. Where another process has taken it back, and perhaps made one of the same
/// name, nothing can be made in it any more, and forget() is due.
template <class Files>
class made_folders {
  using handle = typename Files::handle;

  static constexpr std::size_t most_open = 64;
  late<std::map<std::string, handle>, Files> open_{};
  late<std::set<std::string>, Files> unsure_{};  // a sync failed, and so did taking it back

  /// A folder that holds something is another's too, who has synced it.
  static int taken_back(handle const& in, std::string const& name, Files& files) {
    int const e = files.remove_directory(in, name);
    return e == ENOENT || e == ENOTEMPTY || e == EEXIST ? 0 : e;
  }
  static void check(int code, char const* doing, std::string const& path) {
    if (code) throw_file_error(code, std::string{doing} + " a folder", path);
  }
  static std::string way_of(std::vector<std::string> const& names) {
    std::string way;
    for (auto const& name : names) way += "/" + name;
    return way;
  }

 public:
  /// Opens root/names…, of which there is one at least; `path` is root's, for errors. Each name on the way is synced once by every
  /// process that needs it, since whoever made it may not have come to that. Throws store_error. What it answers lives until
  /// the next call.
  handle const& open(Files& files, handle const& root, std::vector<std::string> const& names, std::string const& path) {
    if (open_.size() >= most_open) forget();
    auto const* in = &root;
    std::string way;
    for (auto const& name : names) {
      way += "/" + name;
      auto at = open_.find(way);
      if (at == open_.end()) {
        if (unsure_.contains(way)) {
          check(taken_back(*in, name, files), "remove", path);
          unsure_.erase(way);
        }
        int const made = files.make_directory(*in, name);
        if (made != EEXIST) check(made, "make", path);
        handle inner;
        check(files.open_directory(*in, name, inner), "open", path);
        if (int const e = files.sync(*in)) {
          if (taken_back(*in, name, files)) unsure_.insert(way);
          check(e, "sync", path);
        }
        at = open_.emplace(way, std::move(inner)).first;
      }
      in = &at->second;
    }
    return *in;
  }
  /// The same for a caller that keeps it.
  handle take(Files& files, handle const& root, std::vector<std::string> const& names, std::string const& path) {
    open(files, root, names, path);
    return std::move(open_.extract(way_of(names)).mapped());
  }
  /// Something could not be made there.
  void forget() { open_.clear(); }
};

}}}  // namespace sluice::v0::detail
