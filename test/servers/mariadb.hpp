/// \file mariadb.hpp  A MariaDB server of a test's own: its data in a folder, reached by loopback, with a random password.
#pragma once
#if __has_include(<mysql.h>)
#include <mysql.h>
#else
#include <mariadb/mysql.h>
#endif

#include <memory>
#include <random>

#include "detail/temporary_folder.hpp"
#include "process.hpp"

namespace servers {

/// Ends with the object. Not for two threads, but restart() may run beside clients.
class mariadb {
  temporary_folder folder_{roomy()};
  std::string password_ = "CANARY" + std::to_string(std::random_device{}()) + std::to_string(std::random_device{}());
  std::vector<std::string> more_;
  int port_ = free_port();
  process server_{};

 public:
  /// `more`: arguments behind ours, such as {"--log-bin", "--sync-binlog=0"}.
  explicit mariadb(std::vector<std::string> more = {}) : more_(std::move(more)) {
    std::filesystem::permissions(folder_.path, std::filesystem::perms::all);
    // Whoever owns the file of a server's first words need not be the server.
    write_file(folder_.path / "init.sql",
               "create or replace user owner identified by '" + password_ + "';\n" +
                   "grant all on *.* to owner with grant option;\ndrop user if exists root@localhost;\n");
    give_to("mysql", {folder_.path, folder_.path / "init.sql"});
    run(as_user("mysql", {"mariadb-install-db", "--no-defaults", "--datadir=" + data(), tmpdir(), "--skip-test-db",
                          "--auth-root-authentication-method=normal", "--skip-name-resolve",
                          "--innodb-log-file-size=8M", "--innodb-flush-method=nosync"}),
        folder_.name() + "/install.log");
    start();
  }

  int port() const { return port_; }
  std::string const& password() const { return password_; }
  std::string socket() const { return folder_.name() + "/socket"; }
  std::string log() const { return server_.log(); }

  void freeze(bool on) const { server_.freeze(on); }
  /// Killed without a warning, and started on the same data, with other arguments behind ours where some are given.
  void restart() {
    server_.end(SIGKILL);
    start();
  }
  void restart(std::vector<std::string> more) {
    more_ = std::move(more);
    restart();
  }

 private:
  /// In memory, where there is room: what tests kill is the process, not its host, and a disk may take 10 s for a new server.
  static std::filesystem::path roomy() {
    std::error_code none;
    auto const memory = std::filesystem::space("/dev/shm", none);
    return !none && memory.available > (512u << 20) ? "/dev/shm" : std::filesystem::temp_directory_path();
  }
  std::string data() const { return folder_.name() + "/data"; }
  /// A server that starts removes what others have there.
  std::string tmpdir() const { return "--tmpdir=" + folder_.name(); }
  void start() {
    std::vector<std::string> command{std::filesystem::exists("/usr/sbin/mariadbd") ? "/usr/sbin/mariadbd" : "mariadbd",
                                     "--no-defaults",
                                     "--datadir=" + data(),
                                     tmpdir(),
                                     "--port=" + std::to_string(port_),
                                     "--bind-address=127.0.0.1",
                                     "--socket=" + socket(),
                                     "--pid-file=" + folder_.name() + "/pid",
                                     "--init-file=" + folder_.name() + "/init.sql",
                                     "--skip-networking=0",
                                     "--skip-name-resolve",
                                     "--innodb-buffer-pool-size=32M",
                                     "--innodb-log-file-size=8M",
                                     "--character-set-server=latin1"};
    command.insert(command.end(), more_.begin(), more_.end());
    std::filesystem::remove(folder_.path / "server.log");
    server_ = process{as_user("mysql", command), folder_.name() + "/server.log"};
    server_.wait_until([&] { return server_.log().find("ready for connections") != std::string::npos; });
  }
};

}  // namespace servers
