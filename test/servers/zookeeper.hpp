/// \file zookeeper.hpp  A ZooKeeper of a test's own: in a folder of its own, on a free port; and its nodes, looked at and changed by a plain client.
#pragma once
#ifndef THREADED
#define THREADED
#endif
#include <zookeeper/zookeeper.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <random>

#include "detail/temporary_folder.hpp"
#include "process.hpp"

namespace servers {

class zookeeper {
  temporary_folder folder_{};
  int port_ = free_port();
  std::string password_ = "canary" + std::to_string(std::random_device{}());
  std::vector<std::string> more_;
  process process_{};

  struct close_handle {
    void operator()(zhandle_t* z) const { zookeeper_close(z); }
  };
  using handle = std::unique_ptr<zhandle_t, close_handle>;
  handle admin_{};

 public:
  /// `more`: lines of the configuration behind ours.
  explicit zookeeper(std::vector<std::string> more = {}) : more_(std::move(more)) { start(); }
  zookeeper(zookeeper const&) = delete;
  zookeeper& operator=(zookeeper const&) = delete;
  ~zookeeper() {
    process_.signal(SIGCONT);
    admin_.reset();
  }

  int port() const { return port_; }
  /// Of nobody in particular: users are who says so first.
  std::string const& password() const { return password_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  void start() {
    std::string text =
        "tickTime=500\nclientPortAddress=127.0.0.1\nmaxClientCnxns=0\nadmin.enableServer=false\n"
        "4lw.commands.whitelist=ruok,srvr\nforceSync=yes\ndataDir=" +
        folder_.name() + "/data\nclientPort=" + std::to_string(port_) + "\n";
    for (auto const& line : more_) text += line + "\n";
    write_file(folder_.path / "zoo.cfg", text);
    process_ = process{{"java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp",
                        folder_.name() + ":/usr/share/java/zookeeper.jar",
                        "org.apache.zookeeper.server.quorum.QuorumPeerMain", folder_.name() + "/zoo.cfg"},
                       folder_.name() + "/log"};
    process_.wait_until([&] { return four_letters("srvr").find("Mode:") != std::string::npos; });
  }
  void kill() { process_.end(SIGKILL); }
  void restart() {
    kill();
    start();
  }
  void freeze(bool on) const { process_.freeze(on); }

  /// What the server answers to a command of four letters; nothing within `limit`: empty.
  std::string four_letters(std::string const& word, std::chrono::milliseconds limit = 2s) const {
    descriptor const s{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    auto const a = loopback(port_);
    timeval const t{limit.count() / 1000, limit.count() % 1000 * 1000};
    ::setsockopt(s.fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    if (::connect(s.fd, reinterpret_cast<sockaddr const*>(&a), sizeof a) != 0) return {};
    if (::send(s.fd, word.data(), word.size(), MSG_NOSIGNAL) < 0) return {};
    char answer[4096];
    auto const n = ::recv(s.fd, answer, sizeof answer, 0);
    return {answer, static_cast<std::size_t>(std::max<ssize_t>(n, 0))};
  }

  // ---- what another program does there; each throws what ZooKeeper's refusal is called

  /// Without a value: there is no such node.
  std::optional<std::string> get(std::string const& path) {
    std::string text(1 << 20, '\0');
    int size = static_cast<int>(text.size());
    auto const rc = zoo_get(admin(), path.c_str(), 0, text.data(), &size, nullptr);
    if (rc == ZNONODE) return {};
    check(rc, path);
    text.resize(static_cast<std::size_t>(std::max(size, 0)));
    return text;
  }
  Stat stat(std::string const& path) {
    Stat s{};
    check(zoo_exists(admin(), path.c_str(), 0, &s), path);
    return s;
  }
  std::vector<std::string> children(std::string const& path) {
    String_vector found{};
    check(zoo_get_children(admin(), path.c_str(), 0, &found), path);
    std::vector<std::string> names(found.data, found.data + found.count);
    deallocate_String_vector(&found);
    std::sort(names.begin(), names.end());
    return names;
  }
  /// Makes what lies above too.
  void put(std::string const& path, std::string const& data, int flags = 0) {
    for (auto at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
      auto const rc = create(path.substr(0, at), "", 0);
      if (rc != ZNODEEXISTS) check(rc, path);
    }
    auto rc = create(path, data, flags);
    if (rc == ZNODEEXISTS) rc = zoo_set(admin(), path.c_str(), data.data(), static_cast<int>(data.size()), -1);
    check(rc, path);
  }
  /// With all that is below it; where there is none, nothing.
  void remove(std::string const& path) {
    String_vector found{};
    auto const rc = zoo_get_children(admin(), path.c_str(), 0, &found);
    if (rc == ZNONODE) return;
    check(rc, path);
    std::vector<std::string> names(found.data, found.data + found.count);
    deallocate_String_vector(&found);
    for (auto const& n : names) remove((path == "/" ? "" : path) + "/" + n);
    check(zoo_delete(admin(), path.c_str(), -1), path);
  }
  /// Who may do what: "world:anyone:31", "digest:NAME:HASH:PERMISSIONS".
  std::string acl(std::string const& path) {
    ACL_vector found{};
    check(zoo_get_acl(admin(), path.c_str(), &found, nullptr), path);
    std::string text;
    for (int i = 0; i < found.count; ++i)
      text += std::string{found.data[i].id.scheme} + ":" + found.data[i].id.id + ":" +
              std::to_string(found.data[i].perms) + " ";
    deallocate_ACL_vector(&found);
    return text;
  }
  void set_acl(std::string const& path, int permissions) {
    char scheme[] = "world", id[] = "anyone";
    ACL one{permissions, {scheme, id}};
    ACL_vector const all{1, &one};
    check(zoo_set_acl(admin(), path.c_str(), -1, &all), path);
  }
  /// Speaks for this user from now on.
  void be(std::string const& user, std::string const& password) {
    auto const words = user + ":" + password;
    struct waiting {
      std::mutex m{};
      bool done = false;
    } w;
    auto const rc = zoo_add_auth(
        admin(), "digest", words.data(), static_cast<int>(words.size()),
        [](int, void const* p) {
          auto* to = static_cast<waiting*>(const_cast<void*>(p));
          std::lock_guard const lock{to->m};
          to->done = true;
        },
        &w);
    check(rc, "auth");
    for (;; std::this_thread::sleep_for(1ms))
      if (std::lock_guard const lock{w.m}; w.done) return;
  }
  /// As if nobody had ever heard of this client again.
  void expire(clientid_t const& session) {
    handle const twin{zookeeper_init2(address().c_str(), nullptr, 10'000, &session, nullptr, 0, silent)};
    for (auto const give_up = std::chrono::steady_clock::now() + 10s; zoo_state(twin.get()) != ZOO_CONNECTED_STATE;
         std::this_thread::sleep_for(1ms)) {
      if (zoo_state(twin.get()) == ZOO_EXPIRED_SESSION_STATE) return;
      if (std::chrono::steady_clock::now() > give_up) throw std::runtime_error("can't take the session over");
    }
  }

 private:
  static void silent(char const*) {}
  static void check(int rc, std::string const& what) {
    if (rc != ZOK) throw std::runtime_error(what + ": " + zerror(rc));
  }
  int create(std::string const& path, std::string const& data, int flags) {
    return zoo_create(admin(), path.c_str(), data.data(), static_cast<int>(data.size()), &ZOO_OPEN_ACL_UNSAFE, flags,
                      nullptr, 0);
  }
  zhandle_t* admin() {
    auto const good = [&] { return admin_ && zoo_state(admin_.get()) == ZOO_CONNECTED_STATE; };
    if (good()) return admin_.get();
    admin_.reset(zookeeper_init2(address().c_str(), nullptr, 10'000, nullptr, nullptr, 0, silent));
    for (auto const give_up = std::chrono::steady_clock::now() + 10s; !good(); std::this_thread::sleep_for(1ms))
      if (std::chrono::steady_clock::now() > give_up) throw std::runtime_error("no ZooKeeper");
    return admin_.get();
  }
};

}  // namespace servers
