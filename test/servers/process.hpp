/// \file process.hpp  Another program, for as long as the object lives: in a folder of its own, reached by loopback only.
#pragma once
#include <arpa/inet.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>
#include <cstdlib>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace servers {

using namespace std::chrono_literals;

struct descriptor {
  int fd = -1;
  explicit descriptor(int f) : fd(f) {
    if (fd < 0) throw std::runtime_error("no more descriptors");
  }
  descriptor(descriptor&& o) noexcept : fd(std::exchange(o.fd, -1)) {}
  descriptor& operator=(descriptor o) noexcept {
    std::swap(fd, o.fd);
    return *this;
  }
  ~descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

inline sockaddr_in loopback(int port) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(static_cast<std::uint16_t>(port));
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return a;
}

/// Bound to a port of 127.0.0.1 that nobody has, and its number.
inline std::pair<descriptor, int> bound_socket() {
  descriptor s{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  int const on = 1;
  ::setsockopt(s.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  auto a = loopback(0);
  socklen_t size = sizeof a;
  if (::bind(s.fd, reinterpret_cast<sockaddr*>(&a), size) ||
      ::getsockname(s.fd, reinterpret_cast<sockaddr*>(&a), &size))
    throw std::runtime_error("no free port");
  return {std::move(s), ntohs(a.sin_port)};
}

/// Below the ports that the system gives to clients, so that nobody takes it before the server does. Other tests do not get it while this
/// program lives: a UDP port of the same number says so.
inline int free_port() {
  static int next = 11000 + static_cast<int>(::getpid() % 1500) * 13;
  static std::vector<descriptor> taken;
  for (int tries = 0; tries < 2000; ++tries) {
    auto const port = 11000 + (next++ - 11000) % 21000;
    descriptor const s{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    descriptor claim{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    auto const a = loopback(port);
    auto const is_free = [&](descriptor const& d) {
      return ::bind(d.fd, reinterpret_cast<sockaddr const*>(&a), sizeof a) == 0;
    };
    if (!is_free(claim) || !is_free(s)) continue;
    taken.push_back(std::move(claim));
    return port;
  }
  throw std::runtime_error("no free port");
}

inline bool listens(int port) {
  descriptor const s{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  auto const a = loopback(port);
  return ::connect(s.fd, reinterpret_cast<sockaddr const*>(&a), sizeof a) == 0;
}

class process {
  std::string name_;
  std::string log_;
  pid_t pid_ = -1;

 public:
  process() = default;
  /// Starts `command`; what it prints goes behind the end of the file `log`. It dies with this process, however that ends.
  process(std::vector<std::string> command, std::string log, std::vector<std::string> environment = {},
          std::string const& folder = "/")
      : name_(command.front()), log_(std::move(log)) {
    std::vector<char*> argv;
    for (auto& c : command) argv.push_back(c.data());
    argv.push_back(nullptr);
    auto const parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("can't fork");
    if (pid_ > 0) {
      ::setpgid(pid_, pid_);  // here too: a signal may be sent before the child has come so far
      return;
    }
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(126);
    auto const in = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    auto const out = ::open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ::dup2(in, 0);
    ::dup2(out, 1);
    ::dup2(out, 2);
    for (auto& e : environment) ::putenv(e.data());
    if (::chdir(folder.c_str()) == 0) ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  process(process&& o) noexcept : name_(std::move(o.name_)), log_(std::move(o.log_)), pid_(std::exchange(o.pid_, -1)) {}
  process& operator=(process o) noexcept {
    std::swap(name_, o.name_);
    std::swap(log_, o.log_);
    std::swap(pid_, o.pid_);
    return *this;
  }
  ~process() {
    if (auto const status = stop(SIGKILL); crashed(status)) {
      std::cerr << crash(status);
      std::abort();
    }
  }

  pid_t pid() const { return pid_; }
  void signal(int number) const {
    if (pid_ > 0) ::kill(-pid_, number);
  }
  /// Stops it, and returns when all of its threads stand still; or lets it go on.
  void freeze(bool on) const {
    signal(on ? SIGSTOP : SIGCONT);
    siginfo_t stopped{};
    if (on && pid_ > 0) ::waitid(P_PID, static_cast<id_t>(pid_), &stopped, WSTOPPED | WEXITED | WNOWAIT);
  }
  /// Sends it to the whole process group and waits for the end; answers the wait status. Throws with the log's end where it has
  /// crashed.
  int end(int number) {
    auto const status = stop(number);
    if (crashed(status)) throw std::runtime_error(crash(status));
    return status;
  }
  /// Has it ended by itself? Throws with the log's end where it has crashed.
  bool ended() {
    int status = 0;
    if (pid_ <= 0 || ::waitpid(pid_, &status, WNOHANG) == 0) return pid_ <= 0;
    pid_ = -1;
    if (crashed(status)) throw std::runtime_error(crash(status));
    return true;
  }
  /// Until `ready()`; throws with the log's end where the program ends before that, or takes longer than `limit`.
  template <class Ready>
  void wait_until(Ready ready, std::chrono::seconds limit = 60s) {
    auto const give_up = std::chrono::steady_clock::now() + limit;
    while (!ready()) {
      bool const dead = ended();
      if (dead || std::chrono::steady_clock::now() > give_up)
        throw std::runtime_error(name_ + (dead ? " has ended" : " did not get ready in time") + ":\n" + last_words());
      std::this_thread::sleep_for(10ms);
    }
  }
  std::string log() const {
    std::ifstream f{log_};
    return {std::istreambuf_iterator<char>{f}, {}};
  }

 private:
  int stop(int number) {
    if (pid_ <= 0) return 0;
    ::kill(-pid_, number);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    ::kill(-pid_, SIGKILL);
    pid_ = -1;
    return status;
  }
  std::string crash(int status) const {
    return name_ + " has crashed by signal " + std::to_string(WTERMSIG(status)) + ":\n" + last_words();
  }
  static bool crashed(int status) {
    if (!WIFSIGNALED(status)) return false;
    auto const by = WTERMSIG(status);
    return by == SIGSEGV || by == SIGABRT || by == SIGBUS || by == SIGFPE || by == SIGILL;
  }
  std::string last_words() const {
    auto text = log();
    return text.size() > 3000 ? text.substr(text.size() - 3000) : text;
  }
};

/// Runs to the end; throws with what was printed unless the exit status is 0.
inline void run(std::vector<std::string> command, std::string const& log) {
  auto const name = command.front();
  process p{std::move(command), log};
  int status = 0;
  ::waitpid(p.pid(), &status, 0);
  auto const printed = p.log();
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) throw std::runtime_error(name + " failed:\n" + printed);
}

/// For servers that refuse to run as root: runs as `user` then, and still dies with this process.
inline std::vector<std::string> as_user(std::string const& user, std::vector<std::string> const& command) {
  if (::geteuid() != 0) return command;
  std::vector<std::string> all{"setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--pdeathsig", "KILL"};
  all.insert(all.end(), command.begin(), command.end());
  return all;
}
/// Where root runs the test, the files are `user`'s.
inline void give_to(char const* user, std::vector<std::filesystem::path> const& files) {
  auto const* owner = ::geteuid() == 0 ? ::getpwnam(user) : nullptr;
  for (auto const& path : files)
    if (owner && ::chown(path.c_str(), owner->pw_uid, owner->pw_gid) != 0)
      throw std::runtime_error(path.string() + " can't be given to " + user);
}

}  // namespace servers
