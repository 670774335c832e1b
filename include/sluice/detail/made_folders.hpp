/// \file detail/made_folders.hpp  Folders below a folder, made where they aren't there, and durable before they are used.
#pragma once
#include <sluice/detail/files.hpp>
#include <sluice/detail/late.hpp>

#include <set>

namespace sluice { inline namespace v0 { namespace detail {

/// `code` as the library tells it: store_full or store_unavailable.
[[noreturn]] inline void throw_file_error(int code, std::string const& doing, std::string const& path) {
  auto const what = "can't " + doing + " in " + path + ": " + errno_text(code);
  if (is_full(code)) throw store_error{errc::store_full, what + "; make room there"};
  throw store_error{errc::store_unavailable, what};
}

template <class Files>
class made_folders {
  late<std::set<std::string>, Files> synced_{};
  late<std::set<std::string>, Files> unsure_{};  // a sync failed, and so did taking it back

  /// A folder that holds something is another's too, who has synced it.
  static int taken_back(typename Files::handle const& in, std::string const& name, Files& files) {
    int const e = files.remove_directory(in, name);
    return e == ENOENT || e == ENOTEMPTY || e == EEXIST ? 0 : e;
  }
  static void check(int code, char const* doing, std::string const& path) {
    if (code) throw_file_error(code, std::string{doing} + " a folder", path);
  }

 public:
  /// Opens root/names…; `path` is root's, for errors. Each name on the way is synced once by every process that needs it,
  /// since whoever made it may not have come to that. Throws store_error.
  typename Files::handle open(Files& files, typename Files::handle const& root, std::vector<std::string> const& names,
                              std::string const& path) {
    typename Files::handle outer;
    auto const* in = &root;
    std::string way;
    for (auto const& name : names) {
      way += "/" + name;
      if (unsure_.contains(way)) {
        check(taken_back(*in, name, files), "remove", path);
        unsure_.erase(way);
      }
      int const made = files.make_directory(*in, name);
      if (made != EEXIST) check(made, "make", path);
      if (!synced_.contains(way)) {
        if (int const e = files.sync(*in)) {
          if (taken_back(*in, name, files)) unsure_.insert(way);
          check(e, "sync", path);
        }
        synced_.insert(way);
      }
      typename Files::handle inner;
      check(files.open_directory(*in, name, inner), "open", path);
      outer = std::move(inner);
      in = &outer;
    }
    return outer;
  }
};

}}}  // namespace sluice::v0::detail
