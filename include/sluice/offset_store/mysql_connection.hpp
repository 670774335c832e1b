/// \file offset_store/mysql_connection.hpp  A session with MariaDB: every call has a deadline, errors say what they mean, and no secret is in them.
#pragma once
#include <sluice/detail/secret.hpp>
#include <sluice/detail/socket_wait.hpp>
#include <sluice/offset_store/mysql_errors.hpp>
#include <sluice/offset_store/mysql_text.hpp>

#include <sys/socket.h>

#if __has_include(<mysql.h>)
#include <mysql.h>
#else
#include <mariadb/mysql.h>
#endif

#include <map>
#include <memory>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail::mysql {

/// What the policy says about sessions.
struct session_options {
  std::string who{};  // the policy, for errors
  std::string host{};
  int port = 0;
  std::string user{};
  secret password{};
  std::string database{};
  std::string tls_ca{};
  bool assume_durable = false;
  bool counts_found = true;  // an update's rows that it finds; otherwise those that it changes
  std::chrono::milliseconds connect_timeout{};
  std::chrono::milliseconds statement_timeout{};
  std::chrono::seconds lock_timeout{};
  std::chrono::seconds idle_transaction_timeout{};
};

/// The policy's fields of these names.
template <class Policy>
session_options options_of(char const* who, Policy const& p) {
  session_options o{.who = who,
                    .host = p.host,
                    .port = p.port,
                    .user = p.user,
                    .password = {p.password, p.password_file, p.password_variable},
                    .database = p.database,
                    .tls_ca = p.tls_ca,
                    .assume_durable = p.assume_durable,
                    .connect_timeout = p.connect_timeout,
                    .statement_timeout = p.statement_timeout,
                    .lock_timeout = p.lock_timeout,
                    .idle_transaction_timeout = std::chrono::ceil<std::chrono::seconds>(p.statement_timeout)};
  if constexpr (requires { p.idle_transaction_timeout; }) o.idle_transaction_timeout = p.idle_transaction_timeout;
  return o;
}

/// The answer to one statement.
class answer {
  struct free_rows {
    void operator()(MYSQL_RES* r) const { mysql_free_result(r); }
  };
  std::unique_ptr<MYSQL_RES, free_rows> rows_;
  std::vector<MYSQL_ROW> all_{};
  std::vector<unsigned long> lengths_{};
  std::size_t columns_ = 0;
  std::uint64_t changed_ = 0;

 public:
  answer(MYSQL_RES* rows, std::uint64_t changed) : rows_(rows), changed_(changed) {
    if (!rows) return;
    columns_ = mysql_num_fields(rows);
    while (auto const row = mysql_fetch_row(rows)) {
      all_.push_back(row);
      auto const* l = mysql_fetch_lengths(rows);
      lengths_.insert(lengths_.end(), l, l + columns_);
    }
  }
  std::size_t rows() const { return all_.size(); }
  std::uint64_t changed() const { return changed_; }
  bool null(std::size_t row, std::size_t column) const { return !all_[row][column]; }
  std::string text(std::size_t row, std::size_t column) const {
    return null(row, column) ? std::string{} : std::string{all_[row][column], lengths_[row * columns_ + column]};
  }
  std::int64_t number(std::size_t row, std::size_t column) const {
    return null(row, column) ? 0 : std::strtoll(all_[row][column], nullptr, 10);
  }
};

/// The answers to several statements, up to the first that was refused.
struct answers {
  std::vector<answer> all{};
  refusal failed{};  // code 0: none was

  bool good() const { return failed.code == 0; }
  answer const& operator[](std::size_t i) const { return all.at(i); }
};

/// One session at a time, for one thread. After a failure of the session the next call of ready() makes a new one.
class connection {
  struct close {
    void operator()(MYSQL* c) const {
      // What waits to be sent must not be waited for.
      if (auto const fd = mysql_get_socket(c); fd >= 0) ::shutdown(fd, SHUT_RDWR);
      mysql_close(c);
    }
  };
  struct session {
    std::string id{};    // the server's number of it
    std::string host{};  // our end, as the server sees it
  };

  session_options options_;
  std::unique_ptr<MYSQL, close> c_{};
  session now_{};
  std::vector<session> doubtful_{};  // may still be at work on what they were asked
  std::string secret_{};             // the password, so that no text has it
  std::string database_{};
  std::size_t most_bytes_ = 0;
  unsigned sessions_ = 0;
  bool in_transaction_ = false;

  static constexpr std::size_t stack = 262'144;  // of the library's waiting calls

 public:
  explicit connection(session_options o) : options_(std::move(o)) { check_configuration(); }

  MYSQL* get() const { return c_.get(); }
  std::string const& who() const { return options_.who; }
  session_options const& options() const { return options_; }
  /// The one that statements without a database's name mean.
  std::string const& database() const { return database_; }
  /// How much one statement's values may hold: what is more, the server does not read but ends the session.
  std::size_t most_bytes() const { return most_bytes_; }
  bool takes(std::size_t bytes) const { return bytes + 65'536 <= most_bytes_; }
  /// How many sessions there have been: what was prepared in an earlier one is gone.
  unsigned sessions() const { return sessions_; }
  time_point own_limit() const {
    return std::chrono::steady_clock::now() + options_.statement_timeout + std::chrono::seconds{1};
  }
  std::string at() const { return who() + ": " + place() + ": "; }

  bool alive() const { return c_ != nullptr; }
  bool in_transaction() const { return c_ && in_transaction_; }

  /// A session outside of transactions. Throws store_error.
  void ready(time_point by) {
    if (alive() && socket_wait(mysql_get_socket(c_.get()), POLLIN, time_point{})) lose_quietly(in_transaction());
    if (!alive()) connect(by);
    if (in_transaction()) must("rollback", "rollback", by);
  }

  /// One round trip: statements of the library's own, between semicolons, up to the first that is refused. Throws lost.
  answers ask(std::string const& sql, time_point by) {
    must_be_alive();
    if (most_bytes_ > 0 && !takes(sql.size()))
      throw store_error(errc::store_unavailable,
                        at() + "a statement of " + std::to_string(sql.size()) +
                            " bytes, for all partitions at once, is more than the server's max_allowed_packet of " +
                            std::to_string(most_bytes_) + ": raise that");
    answers a;
    int refused = 0;
    drive(
        by, [&] { return mysql_real_query_start(&refused, c_.get(), sql.data(), sql.size()); },
        [&](int ready) { return mysql_real_query_cont(&refused, c_.get(), ready); });
    for (;;) {
      MYSQL_RES* rows = nullptr;
      if (!refused)
        drive(
            by, [&] { return mysql_store_result_start(&rows, c_.get()); },
            [&](int ready) { return mysql_store_result_cont(&rows, c_.get(), ready); });
      if (refused || (!rows && mysql_field_count(c_.get()) > 0)) {
        a.failed = {mysql_errno(c_.get()), mysql_error(c_.get()), mysql_sqlstate(c_.get())};
        met(a.failed);
        return a;
      }
      a.all.emplace_back(rows, mysql_affected_rows(c_.get()));
      note_state();
      if (!mysql_more_results(c_.get())) return a;
      drive(
          by, [&] { return mysql_next_result_start(&refused, c_.get()); },
          [&](int ready) { return mysql_next_result_cont(&refused, c_.get(), ready); });
    }
  }
  /// The same, where none may be refused: see fail(). `doing` names it for errors.
  answers must(std::string const& sql, char const* doing, time_point by) {
    auto a = ask(sql, by);
    if (!a.good()) fail(a.failed, doing);
    return a;
  }

  /// A call of the client library, in its parts: start() and go_on(events) answer what they wait for. Throws lost.
  template <class Start, class GoOn>
  void drive(time_point by, Start start, GoOn go_on) {
    for (int waits = start(); waits != 0;) {
      auto const came = wait(waits, by);
      if (!came) {
        give_up(waits, go_on);
        lose("no answer in time");
      }
      waits = go_on(came);
    }
  }
  /// What is known after an answer: whether a transaction is open.
  void note_state() { in_transaction_ = (c_->server_status & SERVER_STATUS_IN_TRANS) != 0; }
  /// What follows from a refusal for the session. Throws lost.
  void met(refusal const& r) {
    if (ends_session(r.code)) lose(r.message);
    if (is_read_only(r.code)) lose_quietly(in_transaction());  // the next one may find the primary
  }

  /// Never throws: a session that can't be rolled back at once is thrown away, and its server rolls it back. Answers whether
  /// something was written that can't be rolled back, into a table that knows no transactions.
  bool rollback() noexcept {
    if (!in_transaction()) return false;
    try {
      auto const a = ask("rollback", std::chrono::steady_clock::now() + std::chrono::seconds{1});
      if (a.good()) return mysql_warning_count(c_.get()) > 0;
      lose_quietly();
    } catch (...) {}
    return false;
  }

  /// Throws what the refusal of a statement of the library's own means.
  [[noreturn]] void fail(refusal const& r, std::string const& doing) const { mysql::fail(r, at() + doing + ": "); }

  /// Throws the session away; what it was asked last is in doubt.
  [[noreturn]] void lose(std::string const& why) {
    auto const what = at() + without_secrets(why);
    lose_quietly();
    throw lost(errc::store_unavailable, what);
  }
  void must_be_alive() {
    if (!alive()) lose("there is no session");
  }

 private:
  std::string place() const {
    return options_.host + (options_.host.starts_with('/') ? "" : ":" + std::to_string(options_.port));
  }
  void check_configuration() const {
    auto const& o = options_;
    auto const bad = [&](char const* key, char const* why) {
      throw error(errc::bad_configuration, who() + "." + key + " " + why);
    };
    if (o.host.empty()) bad("host", "is empty: give a name, an address, or the path of a Unix socket");
    if (o.port < 1 || o.port > 65535) bad("port", "must be 1 to 65535; MariaDB's own is 3306");
    if (o.database.empty()) bad("database", "is empty: name the one that holds the tables");
    check_secret(o.password, who() + ".password");
    for (std::chrono::milliseconds const t :
         {o.connect_timeout, o.statement_timeout, std::chrono::milliseconds{o.lock_timeout},
          std::chrono::milliseconds{o.idle_transaction_timeout}})
      if (t.count() <= 0 || t > std::chrono::hours{24})
        bad("…_timeout",
            "must be more than 0 and at most a day: without one a stopped server, or a stopped process that holds"
            " locks, is waited for without end");
  }

  void connect(time_point by) {
    lose_quietly();
    by = std::min(by, std::chrono::steady_clock::now() + options_.connect_timeout);
    secret_ = read_secret(options_.password, who() + ".password");
    c_.reset(mysql_init(nullptr));
    if (!c_) throw std::bad_alloc();
    bool const by_path = options_.host.starts_with('/');
    unsigned const no_files = 0, protocol = by_path ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
    mysql_options(c_.get(), MYSQL_OPT_NONBLOCK, &stack);
    mysql_options(c_.get(), MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_options(c_.get(), MYSQL_OPT_LOCAL_INFILE, &no_files);
    mysql_options(c_.get(), MYSQL_OPT_PROTOCOL, &protocol);
    if (!options_.tls_ca.empty()) {
      my_bool const yes = 1;
      mysql_options(c_.get(), MYSQL_OPT_SSL_CA, options_.tls_ca.c_str());
      mysql_options(c_.get(), MYSQL_OPT_SSL_ENFORCE, &yes);
      mysql_options(c_.get(), MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
    }
    try {
      MYSQL* made = nullptr;
      drive(
          by,
          [&] {
            return mysql_real_connect_start(
                &made, c_.get(), by_path ? nullptr : options_.host.c_str(), options_.user.c_str(), secret_.c_str(),
                options_.database.c_str(), static_cast<unsigned>(options_.port),
                by_path ? options_.host.c_str() : nullptr,
                CLIENT_MULTI_STATEMENTS | (options_.counts_found ? CLIENT_FOUND_ROWS : 0UL));
          },
          [&](int ready) { return mysql_real_connect_cont(&made, c_.get(), ready); });
      if (!made) lose(mysql_error(c_.get()));
    } catch (lost const& e) {
      throw store_error(errc::store_unavailable,
                        std::string(e.what()).substr(std::string_view{"sluice: "}.size()) +
                            "; check .host, .port, .user, its password, .database, and that a MariaDB server"
                            " listens there");
    }
    try {
      set_up(by);
    } catch (...) {
      c_.reset();
      throw;
    }
    ++sessions_;
  }

  /// Time-outs, isolation and strictness of the session; whether the server is one to be trusted; the ends of those sessions
  /// that this one follows.
  void set_up(time_point by) {
    if (!mariadb_connection(c_.get()))
      unfit("is no MariaDB but says " + std::string(mysql_get_server_info(c_.get())) +
            ": without MariaDB's idle_transaction_timeout a stopped process would keep its locks");
    auto const seconds = [](auto t) { return std::to_string(t.count()); };
    auto const idle = seconds(options_.idle_transaction_timeout), wait = seconds(options_.lock_timeout);
    std::string const sql =
        "set session transaction isolation level read committed, read write; set autocommit = 1, completion_type = 0,"
        " sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', sql_select_limit = default,"
        " foreign_key_checks = 1, unique_checks = 1, innodb_lock_wait_timeout = " +
        wait + ", lock_wait_timeout = " + wait + ", idle_transaction_timeout = " + idle +
        ", net_read_timeout = " + idle + ", net_write_timeout = " + idle +
        ", max_statement_time = " + number_text(static_cast<double>(options_.statement_timeout.count()) / 1000) +
        ", innodb_snapshot_isolation = 1; select connection_id(), host, database(), @@max_allowed_packet from"
        " information_schema.processlist where id = connection_id(); show global variables where variable_name in"
        " ('read_only', 'innodb_read_only', 'innodb_flush_log_at_trx_commit', 'innodb_doublewrite',"
        " 'innodb_flush_method', 'log_bin', 'sync_binlog', 'binlog_format'); " +
        which_still_live();
    auto const a = ask(sql, by);
    if (a.failed.code == 1193)
      unfit("is too old: 10.6.18, 10.11.8, 11.4.2 or later is needed (" + a.failed.message + ")");
    if (!a.good()) fail(a.failed, "settings of the session");
    if (a[2].rows() != 1) unfit("does not tell this session's number");
    std::map<std::string, std::string> settings;
    for (std::size_t i = 0; i < a[3].rows(); ++i) settings[a[3].text(i, 0)] = a[3].text(i, 1);
    check(settings);
    for (std::size_t i = 0; i < a[4].rows(); ++i) ask("kill connection " + a[4].text(i, 0), by);
    now_ = {a[2].text(0, 0), a[2].text(0, 1)};
    database_ = a[2].text(0, 2);
    most_bytes_ = static_cast<std::size_t>(a[2].number(0, 3));
    doubtful_.clear();
  }
  std::string which_still_live() const {
    std::string sql =
        "select id from information_schema.processlist where user = substring_index(user(), '@', 1) and (0";
    for (auto const& d : doubtful_) sql += " or (id = " + d.id + " and host = " + literal(d.host) + ")";
    return sql + ")";
  }
  [[noreturn]] void unfit(std::string const& why) const {
    throw store_error(errc::store_unavailable, who() + ": " + place() + " " + why);
  }
  void check(std::map<std::string, std::string>& settings) const {
    for (auto const* name : {"read_only", "innodb_read_only"})
      if (settings[name] != "OFF")
        unfit(std::string("is read-only (") + name + " = " + settings[name] + "): connect to the primary");
    if (options_.assume_durable) return;
    auto const loses = [&](std::string const& name, char const* remedy) {
      unfit("may lose or damage what was committed when its host crashes: its " + name + " is " + settings[name] +
            "; " + remedy + ", or set .assume_durable where the storage makes up for it");
    };
    auto const& flush = settings["innodb_flush_log_at_trx_commit"];
    if (flush != "1" && flush != "3")
      loses("innodb_flush_log_at_trx_commit", "set global innodb_flush_log_at_trx_commit = 1");
    if (settings["innodb_doublewrite"] == "OFF") loses("innodb_doublewrite", "start it with innodb_doublewrite = ON");
    if (settings["innodb_flush_method"] == "nosync" || settings["innodb_flush_method"] == "littlesync")
      loses("innodb_flush_method", "start it with innodb_flush_method = O_DIRECT");
    if (settings["log_bin"] != "ON") return;
    if (settings["sync_binlog"] != "1") loses("sync_binlog", "set global sync_binlog = 1");
    if (settings["binlog_format"] == "STATEMENT")
      unfit("has binlog_format = STATEMENT, which can't carry these transactions: set global binlog_format = MIXED");
  }

  /// `at_work`: the server may still be about something that was asked.
  void lose_quietly(bool at_work = true) {
    in_transaction_ = false;
    if (!c_) return;
    if (auto const mine = std::exchange(now_, {}); at_work && !mine.id.empty()) doubtful_.push_back(mine);
    if (doubtful_.size() > 16) doubtful_.erase(doubtful_.begin());
    c_.reset();
  }

  int wait(int waits, time_point by) const {
    int const events = (waits & MYSQL_WAIT_READ ? POLLIN : 0) | (waits & MYSQL_WAIT_WRITE ? POLLOUT : 0) |
                       (waits & MYSQL_WAIT_EXCEPT ? POLLPRI : 0);
    auto const came = socket_wait(mysql_get_socket(c_.get()), events, by);
    return (came & POLLIN ? MYSQL_WAIT_READ : 0) | (came & POLLOUT ? MYSQL_WAIT_WRITE : 0) |
           (came & POLLPRI ? MYSQL_WAIT_EXCEPT : 0);
  }
  /// Lets a call that waits end by itself, so that it gives back what it holds.
  template <class GoOn>
  void give_up(int waits, GoOn go_on) {
    if (auto const fd = mysql_get_socket(c_.get()); fd >= 0) ::shutdown(fd, SHUT_RDWR);
    for (int i = 0; waits != 0 && i < 1000; ++i) waits = go_on(MYSQL_WAIT_TIMEOUT);
  }
  /// What the library or the server says, in one line and without the password.
  std::string without_secrets(std::string text) const {
    for (auto i = secret_.empty() ? text.npos : text.find(secret_); i != text.npos; i = text.find(secret_, i + 3))
      text.replace(i, secret_.size(), "***");
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text.empty() ? "the session has ended" : text;
  }
};

}}}  // namespace sluice::v0::detail::mysql
