/// \file simulated_files.hpp  A file system in memory that forgets at a crash what was not synced, and fails when told.
///
/// Models what detail/files.hpp asks for. A crash leaves, of what was done since the last sync, nothing, all, or any
/// part: a file's bytes are old, new, new up to half, or zeros in their place; each change of a folder is there or not, by
/// itself. every_choice goes through all of these, one after the other.
#pragma once
#include <sluice/record.hpp>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace simulated {

struct node;
using node_ptr = std::shared_ptr<node>;

struct node {
  bool directory = false;
  bool removed = false;  // a directory: nothing is made in it any more
  std::string data{}, durable{};
  std::vector<std::pair<std::size_t, std::size_t>> dirty{};  // from, size: written since the last sync
  std::map<std::string, node_ptr> names{}, durable_names{};
  struct change {
    std::string removed{}, added{};  // empty: none
    node_ptr what{};
  };
  std::vector<change> changes{};  // since the last sync
};

struct crash {};

enum class survives { nothing, everything, any };

/// Which of n possibilities a crash leaves: 0 is the old, n - 1 the new.
using chooser = std::function<unsigned(unsigned n)>;

/// All sequences of choices, as an odometer: each round of `for (every_choice c; c.another();)` has others.
class every_choice {
  struct wheel {
    unsigned shows, of;
  };
  std::vector<wheel> wheels_{};
  std::size_t at_ = 0;
  bool first_ = true;

 public:
  bool another() {
    at_ = 0;
    if (std::exchange(first_, false)) return true;
    while (!wheels_.empty() && wheels_.back().shows + 1 >= wheels_.back().of) wheels_.pop_back();
    if (wheels_.empty()) return false;
    ++wheels_.back().shows;
    return true;
  }
  unsigned operator()(unsigned n) {
    if (at_ == wheels_.size()) wheels_.push_back({0, n});
    return std::min(wheels_[at_++].shows, n - 1);
  }
};

struct disk {
  node_ptr root = std::make_shared<node>(node{.directory = true});
  long operations = 0;  // so far
  long crash_at = -1;   // the operation that does not happen any more
  bool forgets_file_syncs = false, forgets_folder_syncs = false;
  std::function<int(std::string const& operation, std::string const& name)> fail{};

  static void lose(node& n, chooser const& choose, std::vector<node*>& seen) {
    if (std::find(seen.begin(), seen.end(), &n) != seen.end()) return;
    seen.push_back(&n);
    if (!n.directory) {
      auto const old = n.durable.size(), now = n.data.size();
      auto const left = n.data == n.durable ? 3 : now > old ? choose(4) : 3 * choose(2);
      if (left == 0) n.data = n.durable;
      if (left == 1) n.data.resize(old + (now - old) / 2);
      if (left == 2) n.data.replace(old, now - old, now - old, '\0');
      n.durable = n.data;
      n.dirty.clear();
      return;
    }
    auto names = n.durable_names;
    for (auto const& c : n.changes) {
      if (choose(2) == 0) continue;
      if (!c.removed.empty()) names.erase(c.removed);
      if (!c.added.empty()) names[c.added] = c.what;
    }
    n.names = n.durable_names = names;
    n.changes.clear();
    n.removed = false;
    for (auto& [name, inner] : n.names) lose(*inner, choose, seen);
  }
  void crashed(survives what, std::mt19937& random) {
    crashed([&](unsigned n) {
      return what == survives::nothing ? 0 : what == survives::everything ? n - 1 : static_cast<unsigned>(random() % n);
    });
  }
  void crashed(chooser const& choose) {
    std::vector<node*> seen;
    lose(*root, choose, seen);
    operations = 0;
    crash_at = -1;
    fail = {};
  }
};

struct files {
  using handle = node_ptr;
  std::shared_ptr<disk> on{};
  std::function<void(std::string const& operation, std::string const& name)> before{};  // this process is about to

  int step(std::string const& operation, std::string const& name = {}) {
    if (before) std::exchange(before, {})(operation, name);
    if (on->operations++ == on->crash_at) throw crash{};
    return on->fail ? on->fail(operation, name) : 0;
  }
  static void did(node& in, node::change c) {
    if (!c.removed.empty()) in.names.erase(c.removed);
    if (!c.added.empty()) in.names[c.added] = c.what;
    in.changes.push_back(std::move(c));
  }
  static int find(handle const& in, std::string const& name, bool directory, handle& out) {
    auto const at = in->names.find(name);
    if (at == in->names.end()) return ENOENT;
    if (at->second->directory != directory) return directory ? ENOTDIR : EISDIR;
    out = at->second;
    return 0;
  }

  int open_directory(std::string const&, handle& out) {
    out = on->root;
    return 0;
  }
  int open_directory(handle const& in, std::string const& name, handle& out) { return find(in, name, true, out); }
  int make_directory(handle const& in, std::string const& name) {
    if (int const e = step("make_directory", name)) return e;
    if (in->removed) return ENOENT;
    if (in->names.contains(name)) return EEXIST;
    did(*in, {{}, name, std::make_shared<node>(node{.directory = true})});
    return 0;
  }
  int list(handle const& in, std::vector<std::string>& out) {
    if (int const e = step("list")) return e;
    out.clear();
    for (auto const& [name, what] : in->names) out.push_back(name);
    return 0;
  }
  int create(handle const& in, std::string const& name, handle& out) {
    if (int const e = step("create", name)) return e;
    if (in->removed) return ENOENT;
    if (in->names.contains(name)) return EEXIST;
    out = std::make_shared<node>();
    did(*in, {{}, name, out});
    return 0;
  }
  int open_to_write(handle const& in, std::string const& name, handle& out) { return find(in, name, false, out); }
  int open_to_read(handle const& in, std::string const& name, handle& out) {
    if (int const e = step("open", name)) return e;
    return find(in, name, false, out);
  }
  int write(handle const& to, std::string_view text, std::uint64_t at) {
    if (int const e = step("write")) {
      to->data.resize(static_cast<std::size_t>(at));
      to->data += text.substr(0, text.size() / 2);
      to->dirty.emplace_back(at, text.size() / 2);
      return e;
    }
    to->dirty.emplace_back(at, text.size());
    if (to->data.size() < at + text.size()) to->data.resize(static_cast<std::size_t>(at) + text.size());
    to->data.replace(static_cast<std::size_t>(at), text.size(), text);
    return 0;
  }
  int read(handle const& from, std::uint64_t at, std::size_t count, std::string& out) {
    if (int const e = step("read")) return e;
    out = at < from->data.size() ? from->data.substr(static_cast<std::size_t>(at), count) : "";
    return 0;
  }
  int size(handle const& of, std::uint64_t& out) {
    out = of->data.size();
    return 0;
  }
  int truncate(handle const& of, std::uint64_t size) {
    if (int const e = step("truncate")) return e;
    of->data.resize(static_cast<std::size_t>(size));
    return 0;
  }
  /// After a failure what was not synced never will be, unless it is written again; but it can be read until the crash.
  int sync(handle const& of) {
    if (int const e = step(of->directory ? "sync_folder" : "sync")) {
      of->changes.clear();
      of->dirty.clear();
      return e;
    }
    if (of->directory && !on->forgets_folder_syncs) {
      for (auto& c : std::exchange(of->changes, {})) {
        if (!c.removed.empty()) of->durable_names.erase(c.removed);
        if (!c.added.empty()) of->durable_names[c.added] = c.what;
      }
    }
    if (!of->directory && !on->forgets_file_syncs) {
      of->durable.resize(of->data.size(), '?');
      for (auto const& [from, size] : std::exchange(of->dirty, {}))
        if (from < of->data.size()) of->durable.replace(from, size, of->data.substr(from, size));
    }
    return 0;
  }
  int publish(handle const& in, std::string const& from, std::string const& to) {
    if (int const e = step("publish", to)) return e;
    if (!in->names.contains(from)) return ENOENT;
    if (in->names.contains(to)) return EEXIST;
    did(*in, {from, to, in->names.at(from)});
    return 0;
  }
  int publish_directory(handle const& in, std::string const& from, std::string const& to) {
    return publish(in, from, to);
  }
  int remove(handle const& in, std::string const& name) {
    if (int const e = step("remove", name)) return e;
    if (!in->names.contains(name)) return ENOENT;
    did(*in, {name, {}, {}});
    return 0;
  }
  int remove_directory(handle const& in, std::string const& name) {
    auto const at = in->names.find(name);
    if (at != in->names.end() && !at->second->names.empty()) return ENOTEMPTY;
    auto const what = at == in->names.end() ? nullptr : at->second;
    int const e = remove(in, name);
    if (!e && what) what->removed = true;
    return e;
  }
  /// Below the root, whatever the path.
  int open_or_make(std::string const& path, handle& out) {
    auto const name = path.substr(path.rfind('/') + 1);
    if (find(on->root, name, false, out) == 0) return 0;
    return create(on->root, name, out);
  }
  int sync_data(handle const& of) { return sync(of); }
  bool lock(handle const&) { return true; }
  void unlock(handle const&) {}
  bool share(handle const&) { return true; }
  int native(handle const&) const { return -1; }
};

}  // namespace simulated
