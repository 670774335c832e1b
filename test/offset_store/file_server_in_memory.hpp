/// \file file_server_in_memory.hpp  A server of files that loses requests and answers, carries some out late, and lets other processes in between.
#pragma once
#include <sluice/offset_store/hosted_files.hpp>

#include <functional>
#include <map>
#include <random>

namespace in_memory {

namespace sl = sluice;
using sl::detail::naming;

struct died {};

/// As a NameNode does, it shows a change before its journal has it: what was not acknowledged, and has nothing behind it that was,
/// may be gone when another one takes over.
struct world {
  std::string root{"/d"};  // is there from the beginning
  std::map<std::string, std::string> files{}, journal{};
  std::mt19937 random;
  unsigned trouble = 0;  // of 1,000 requests
  std::vector<std::function<void()>> late{};
  std::function<void()> meanwhile{};
  bool inside = false;

  explicit world(std::uint64_t seed) : random(static_cast<std::mt19937::result_type>(seed)) {}
  bool chance(unsigned of_1000) { return random() % 1000 < of_1000; }
  void acknowledge() { journal = files; }
  void take_over() { files = journal; }
  void deliver_one() {
    auto const at = late.begin() + static_cast<std::ptrdiff_t>(random() % late.size());
    auto const what = std::move(*at);
    late.erase(at);
    what();
  }
};

/// `Renames`: as HDFS does; otherwise as S3.
template <bool Renames>
class server {
  world* w_;
  std::shared_ptr<bool> dead_;

  /// False: no answer came.
  bool request(std::function<void()> const& what, bool edits = true) {
    if (*dead_) throw died{};
    if (w_->meanwhile && !w_->inside && w_->chance(60)) {
      w_->inside = true;
      w_->meanwhile();
      w_->inside = false;
    }
    if (!w_->late.empty() && w_->chance(100)) w_->deliver_one();
    if (!w_->chance(w_->trouble)) return what(), edits ? w_->acknowledge() : void(), true;
    switch (w_->random() % 4) {
      case 0:
        return false;
      case 1:
        return what(), false;
      case 2:
        return w_->late.push_back(what), false;
      default:
        if (w_->chance(500)) what();
        *dead_ = true;
        throw died{};
    }
  }
  [[noreturn]] static void lost() { throw sl::store_error{sl::errc::store_unavailable, "no answer"}; }
  static naming put(world& w, std::string const& path, std::string const& content) {
    return w.files.emplace(path, content).second ? naming::done : naming::taken;
  }
  static naming move(world& w, std::string const& from, std::string const& to) {
    auto const at = w.files.find(from);
    if (at == w.files.end()) return naming::gone;
    if (w.files.contains(to)) return naming::taken;
    auto content = std::move(at->second);
    w.files.erase(at);
    w.files[to] = std::move(content);
    return naming::done;
  }
  static naming move_folder(world& w, std::string const& from, std::string const& to) {
    auto const in = [](std::string const& folder) {
      return [&folder](auto const& one) { return one.first.starts_with(folder + "/"); };
    };
    if (std::none_of(w.files.begin(), w.files.end(), in(from))) return naming::gone;
    if (std::any_of(w.files.begin(), w.files.end(), in(to))) return naming::taken;
    std::map<std::string, std::string> now;
    for (auto& [name, content] : w.files)
      now[in(from)(std::pair{name, 0}) ? to + name.substr(from.size()) : name] = std::move(content);
    w.files = std::move(now);
    return naming::done;
  }
  naming named(std::function<naming()> const& what) {
    auto how = std::make_shared<naming>();
    return request([=] { *how = what(); }) ? *how : naming::unknown;
  }

 public:
  static constexpr bool renames = Renames;

  server(world& w, std::shared_ptr<bool> dead) : w_(&w), dead_(std::move(dead)) {}

  std::chrono::milliseconds timeout() const { return std::chrono::seconds{5}; }
  std::string path_of(std::string const& name) const { return name; }
  std::optional<std::vector<std::string>> list(std::string const& path, sl::time_point) {
    std::vector<std::string> names;
    auto const look = [&] {
      for (auto const& [name, content] : w_->files) {
        if (!name.starts_with(path + "/")) continue;
        auto const one = name.substr(path.size() + 1, name.find('/', path.size() + 1) - path.size() - 1);
        if (names.empty() || names.back() != one) names.push_back(one);
      }
    };
    if (!request([] {}, false)) lost();
    look();
    if (names.empty() && path != w_->root) return {};
    return names;
  }
  std::optional<std::uint64_t> size(std::string const& path, sl::time_point) {
    if (!request([] {}, false)) lost();
    auto const at = w_->files.find(path);
    if (at == w_->files.end()) return {};
    return at->second.size();
  }
  std::string fetch(std::string const& path, std::uint64_t at, std::size_t count, sl::time_point) {
    if (!request([] {}, false)) lost();
    auto const found = w_->files.find(path);
    if (found == w_->files.end()) lost();
    return found->second.substr(static_cast<std::size_t>(at), count);
  }
  naming create(std::string const& path, std::string_view content, sl::time_point) {
    auto const how = named([w = w_, path, text = std::string{content}] { return put(*w, path, text); });
    if (Renames && how != naming::done) lost();
    return how;
  }
  naming rename(std::string const& from, std::string const& to, sl::time_point) {
    return named([w = w_, from, to] { return move(*w, from, to); });
  }
  naming rename_folder(std::string const& in, std::string const& from, std::string const& to, sl::time_point) {
    auto const how = named([w = w_, a = in + "/" + from, b = in + "/" + to] { return move_folder(*w, a, b); });
    if (how == naming::unknown) lost();
    return how;
  }
  naming touch(std::string const& path, sl::time_point) {
    return named([w = w_, path] {
      auto const there = [&](auto const& one) { return one.first == path || one.first.starts_with(path + "/"); };
      return std::any_of(w->files.begin(), w->files.end(), there) ? naming::done : naming::gone;
    });
  }
  void remove(std::string const& path, sl::time_point) {
    auto const erase = [w = w_, path] {
      std::erase_if(w->files, [&](auto const& one) { return one.first == path || one.first.starts_with(path + "/"); });
    };
    if (!request(erase)) lost();
  }
};

}  // namespace in_memory
