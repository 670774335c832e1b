/// \file postgres.hpp  A PostgreSQL server of a test's own: its data in a folder, reached by loopback, with a random password.
#pragma once
#include <algorithm>
#include <filesystem>
#include <random>

#include "process.hpp"

namespace servers {

/// Ends with the object. Not for two threads, but restart() may run beside clients.
class postgres {
  std::filesystem::path folder_;
  std::filesystem::path programs_;
  std::string password_;
  int port_ = free_port();
  process server_{};

 public:
  postgres() {
    auto pattern = (std::filesystem::temp_directory_path() / "sluice-postgres-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("no temporary folder");
    folder_ = pattern;
    programs_ = newest_programs();
    std::random_device random;
    password_ = "CANARY" + std::to_string(random()) + std::to_string(random());
    std::ofstream{folder_ / "password"} << password_ << '\n';
    give_to("postgres", {folder_, folder_ / "password"});
    run(as_user("postgres", {programs_ / "initdb", "-D", folder_ / "data", "-A", "scram-sha-256", "-U", "owner", "-E",
                             "UTF8", "--locale=C", "--no-sync", "--pwfile", folder_ / "password"}),
        folder_ / "initdb.log");
    start();
  }
  postgres(postgres const&) = delete;
  postgres& operator=(postgres const&) = delete;
  ~postgres() {
    stop();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  int port() const { return port_; }
  std::string const& password() const { return password_; }
  /// How to connect, by another port where one is given.
  std::string connection(int port = 0) const {
    return "host=127.0.0.1 port=" + std::to_string(port ? port : port_) +
           " user=owner dbname=postgres password=" + password_;
  }
  std::string log() const { return server_.log(); }

  /// Its processes are stopped, or go on.
  void freeze(bool on) const {
    if (on) ::kill(server_.pid(), SIGSTOP);  // first, so that it makes no more children
    for (auto const pid : children()) {
      ::kill(pid, on ? SIGSTOP : SIGCONT);
      while (on && lives(pid) && status_of(pid).first != 'T') std::this_thread::sleep_for(1ms);
    }
    if (!on) ::kill(server_.pid(), SIGCONT);
  }
  /// Killed as a whole, and started on the same data.
  void restart() {
    stop();
    start();
  }

 private:
  static std::filesystem::path newest_programs() {
    std::filesystem::path newest;
    int version = 0;
    std::error_code none;
    for (auto const& entry : std::filesystem::directory_iterator{"/usr/lib/postgresql", none}) {
      auto const v = std::atoi(entry.path().filename().c_str());
      if (v > version && std::filesystem::exists(entry.path() / "bin/postgres")) {
        version = v;
        newest = entry.path() / "bin";
      }
    }
    if (version == 0) throw std::runtime_error("no PostgreSQL server here: install the package postgresql");
    return newest;
  }
  void start() {
    auto const ready = [this] { return server_.log().find("ready to accept connections") != std::string::npos; };
    std::filesystem::remove(folder_ / "server.log");
    server_ =
        process{as_user("postgres", {programs_ / "postgres", "-D", folder_ / "data", "-p", std::to_string(port_), "-k",
                                     folder_, "-c", "listen_addresses=127.0.0.1", "-c", "shared_buffers=16MB", "-c",
                                     "max_connections=40", "-c", "autovacuum=off", "-c", "restart_after_crash=off"}),
                folder_ / "server.log"};
    server_.wait_until([&] { return ready() && listens(port_); });
  }
  void stop() {
    auto const all = children();
    server_.end(SIGKILL);
    for (auto const pid : all) ::kill(pid, SIGKILL);
    for (auto const pid : all)
      while (lives(pid)) std::this_thread::sleep_for(1ms);
  }
  /// Its state and its parent's id.
  static std::pair<char, pid_t> status_of(pid_t pid) {
    std::ifstream file{"/proc/" + std::to_string(pid) + "/stat"};
    std::string const text{std::istreambuf_iterator<char>{file}, {}};
    auto const behind_name = text.rfind(')');
    if (behind_name == std::string::npos || behind_name + 4 > text.size()) return {'X', 0};
    return {text[behind_name + 2], std::atoi(text.c_str() + behind_name + 4)};
  }
  static bool lives(pid_t pid) {
    auto const state = status_of(pid).first;
    return state != 'X' && state != 'Z';
  }
  /// Each is the leader of a process group of its own.
  std::vector<pid_t> children() const {
    std::vector<pid_t> all;
    for (auto const& entry : std::filesystem::directory_iterator{"/proc"}) {
      auto const pid = static_cast<pid_t>(std::atoi(entry.path().filename().c_str()));
      if (pid > 0 && status_of(pid).second == server_.pid()) all.push_back(pid);
    }
    return all;
  }
};

}  // namespace servers
