/// \file offset_store/hosted_files.hpp  Files on a server, for what is otherwise kept on a local disk: the operations of detail/files.hpp.
///
/// A file is written here (spool.hpp) and goes to the server as a whole when it is synced; it never changes under its name. What
/// was acknowledged is durable; where the server renames, a name that can be seen may not be yet (confirm). Files that begin with `temporary.` get their name by publish(), which fails where it is taken. Of a file that is
/// read, what was fetched once stays here as long as it is open. Nothing can be locked there: whoever relies on that asks `hosted`.
///
/// Errors that say for certain that nothing was done are thrown, with the server's name; EIO means that nobody knows.
#pragma once
#include <sluice/detail/file_names.hpp>
#include <sluice/detail/spool.hpp>
#include <sluice/offset.hpp>
#include <sluice/offset_store/file_folder.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>

namespace sluice { inline namespace v0 { namespace detail {

/// What became of a request that gives something a name.
enum class naming {
  done,
  taken,   ///< the name is another's
  gone,    ///< what was to be named is not there
  unknown  ///< no answer
};

/// A server on which files are. list: the names in a folder, absent where it is not there. size: in bytes, absent likewise.
/// create: a new file with that content, whole or not at all once it has its name. `renames`: a file that is there can get
/// another name (rename), what create() makes may be seen before it is whole, and names before they are durable; touch changes
/// the time of a file or a folder. path_of: of a folder's name as people see it.
/// All throw store_error; `remove` where it is not certain that nothing is there.
template <class S>
concept file_server = requires(S& s, std::string const& path, std::string_view content, time_point by) {
  { S::renames } -> std::convertible_to<bool>;
  { s.list(path, by) } -> std::same_as<std::optional<std::vector<std::string>>>;
  { s.size(path, by) } -> std::same_as<std::optional<std::uint64_t>>;
  { s.fetch(path, std::uint64_t{}, std::size_t{}, by) } -> std::same_as<std::string>;
  { s.create(path, content, by) } -> std::same_as<naming>;
  { s.rename(path, path, by) } -> std::same_as<naming>;
  { s.remove(path, by) };
  requires !S::renames || requires {
    { s.touch(path, by) } -> std::same_as<naming>;
  };
  { s.path_of(path) } -> std::convertible_to<std::string>;
  { s.timeout() } -> std::convertible_to<std::chrono::milliseconds>;
};

/// These have no locks, and syncing a folder says nothing new.
template <class Files>
concept hosted = requires { requires Files::is_hosted; };

template <file_server Server>
class hosted_files {
  static constexpr std::size_t piece = std::size_t{1} << 20;
  static constexpr std::size_t most_fresh = 64;

  /// A file as it is known here: written, or fetched in pieces.
  struct copy {
    spool bytes{};
    std::vector<bool> there{};  // pieces; empty: all of it
    std::uint64_t size = 0;     // of a file on the server
    bool sent = false;
  };
  struct shared {
    Server server;
    time_point by{};
    std::set<std::string> made{};                          // folders
    std::set<std::string> unsent{};                        // files that the server has not heard of
    std::map<std::string, std::shared_ptr<copy>> fresh{};  // sent from here, not opened yet
    std::map<std::string, std::shared_ptr<copy>> kept{};   // temporary, where the server does not rename
  };
  std::shared_ptr<shared> s_;

  time_point by() const {
    return s_->by == time_point{} ? std::chrono::steady_clock::now() + s_->server.timeout() : s_->by;
  }
  /// A mebibyte a second is allowed for, whatever the deadline.
  time_point by(std::uint64_t bytes) const {
    return by() + std::chrono::milliseconds{static_cast<std::int64_t>(bytes >> 10)};
  }
  static int code_of(naming n) {
    switch (n) {
      case naming::done:
        return 0;
      case naming::taken:
        return EEXIST;
      case naming::gone:
        return ENOENT;
      case naming::unknown:
        break;
    }
    return EIO;
  }
  void remember(std::string const& path, std::shared_ptr<copy> data) {
    if (s_->fresh.size() >= most_fresh) s_->fresh.clear();
    data->size = data->bytes.size();
    s_->fresh[path] = std::move(data);
  }

 public:
  static constexpr bool is_hosted = true;

  class handle {
    friend hosted_files;
    std::string path_{};
    bool temporary_ = false;  // it, or what it lies in
    std::shared_ptr<copy> data_{};

   public:
    handle() = default;
    explicit operator bool() const { return !path_.empty(); }
  };

  explicit hosted_files(Server server) : s_(std::make_shared<shared>(shared{std::move(server)})) {}

  Server& server() { return s_->server; }
  /// Until when requests may take that are made from now on; the value-initialised one: as long as the server's time-out each.
  void limit(time_point until) { s_->by = until; }

  int open_directory(std::string const& path, handle& out) {
    out = {};
    out.path_ = s_->server.path_of(path);
    return 0;
  }
  /// Is not asked for: list() says ENOENT.
  int open_directory(handle const& in, std::string const& name, handle& out) {
    handle h;
    h.path_ = in.path_ + "/" + name;
    h.temporary_ = in.temporary_ || name.starts_with(temporary_prefix);
    out = std::move(h);
    return 0;
  }
  /// The server makes it for the first file in it.
  int make_directory(handle const& in, std::string const& name) {
    if (name.starts_with(temporary_prefix)) return 0;
    return s_->made.insert(in.path_ + "/" + name).second ? 0 : EEXIST;
  }
  template <class Names>
  int list(handle const& in, Names& out) {
    out.clear();
    auto names = s_->server.list(in.path_, by());
    if (!names && !s_->made.contains(in.path_)) return ENOENT;
    if (names) out.assign(names->begin(), names->end());
    return 0;
  }
  int create(handle const& in, std::string const& name, handle& out) {
    open_directory(in, name, out);
    out.data_ = std::make_shared<copy>();
    s_->unsent.insert(out.path_);
    return 0;
  }
  int open_to_write(handle const& in, std::string const& name, handle& out) { return open_directory(in, name, out); }
  int open_to_read(handle const& in, std::string const& name, handle& out) {
    open_directory(in, name, out);
    if (auto const at = s_->fresh.find(out.path_); at != s_->fresh.end()) {
      out.data_ = std::move(at->second);
      s_->fresh.erase(at);
      return 0;
    }
    auto const size = s_->server.size(out.path_, by());
    if (!size) return ENOENT;
    out.data_ = std::make_shared<copy>();
    out.data_->size = *size;
    out.data_->there.resize(static_cast<std::size_t>((*size + piece - 1) / piece));
    return 0;
  }
  /// Asks the server, whatever is known here.
  bool is_there(handle const& in, std::string const& name) {
    return s_->server.size(in.path_ + "/" + name, by()).has_value();
  }
  int write(handle const& to, std::string_view text, std::uint64_t at) {
    to.data_->bytes.write(text, at);
    return 0;
  }
  int read(handle const& from, std::uint64_t at, std::size_t count, std::string& out) {
    auto& c = *from.data_;
    auto const end = std::min<std::uint64_t>(c.size, at + count);
    for (auto i = at / piece; i * piece < end && !c.there.empty(); ++i) {
      if (c.there[static_cast<std::size_t>(i)]) continue;
      auto const first = i * piece;
      auto const size = static_cast<std::size_t>(std::min<std::uint64_t>(piece, c.size - first));
      auto const got =
          s_->server.fetch(from.path_, first, size, std::chrono::steady_clock::now() + s_->server.timeout());
      if (got.size() != size) return EIO;
      c.bytes.write(got, first);
      c.there[static_cast<std::size_t>(i)] = true;
    }
    c.bytes.read(at, at < end ? static_cast<std::size_t>(end - at) : 0, out);
    return 0;
  }
  int size(handle const& of, std::uint64_t& out) {
    out = of.data_->size;
    return 0;
  }
  int truncate(handle const&, std::uint64_t) { return ENOTSUP; }
  /// Sends a file that was written here.
  int sync(handle const& of) {
    if (!of.data_ || of.data_->sent) return 0;
    auto const& path = of.path_;
    spool::view const content{of.data_->bytes};
    auto const until = by(content.text().size());
    if constexpr (Server::renames) {
      auto const slash = path.rfind('/');
      auto const first =
          of.temporary_ ? path : path.substr(0, slash + 1) + std::string{temporary_prefix} + hex16(random_bits());
      if (auto const made = s_->server.create(first, content.text(), until); made != naming::done) return EIO;
      if (!of.temporary_)
        if (auto const named = s_->server.rename(first, path, until); named != naming::done) return code_of(named);
    } else if (of.temporary_) {
      s_->kept[path] = of.data_;
    } else if (auto const made = s_->server.create(path, content.text(), until); made != naming::done) {
      return code_of(made);
    }
    of.data_->sent = true;
    if (!of.temporary_) remember(path, of.data_);
    s_->unsent.erase(path);
    return 0;
  }
  int sync_data(handle const& of) { return sync(of); }
  /// Returns 0 once a name that could be seen is durable; ENOENT: it is not there any more. A change of that very thing: a server
  /// that renames keeps one journal, where what it acknowledges stands behind what the change needs. Of anything else it would prove
  /// nothing, since a server that takes over meanwhile may not have what was seen.
  int confirm(handle const& in, std::string const& name) {
    if constexpr (Server::renames)
      return code_of(s_->server.touch(in.path_ + "/" + name, by()));
    else
      return 0;
  }
  int publish(handle const& in, std::string const& from, std::string const& to) {
    auto const source = in.path_ + "/" + from, target = in.path_ + "/" + to;
    if (auto const at = s_->kept.find(source); at != s_->kept.end()) {
      auto const data = std::move(at->second);
      s_->kept.erase(at);
      spool::view const content{data->bytes};
      return code_of(s_->server.create(target, content.text(), by(content.text().size())));
    }
    return code_of(s_->server.rename(source, target, by()));
  }
  int publish_directory(handle const& in, std::string const& from, std::string const& to) {
    return code_of(s_->server.rename_folder(in.path_, from, to, by()));
  }
  /// 0 too where it was not there. Never throws.
  int remove(handle const& in, std::string const& name) {
    auto const path = in.path_ + "/" + name;
    s_->kept.erase(path);
    s_->fresh.erase(path);
    if (s_->unsent.erase(path) > 0) return 0;
    try {
      s_->server.remove(path, by());
      return 0;
    } catch (store_error const&) { return EIO; }
  }
  int remove_directory(handle const& in, std::string const& name) { return remove(in, name); }
  /// A folder and what is in it, in one step.
  int remove_tree(handle const& in, std::string const& name) { return remove(in, name); }

  bool lock(handle const&) { return true; }
  void unlock(handle const&) {}
  bool share(handle const&) { return true; }
  int native(handle const&) const { return -1; }
};

}}}  // namespace sluice::v0::detail
