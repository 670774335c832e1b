/// \file offset_store/postgres_connection.hpp  A session with PostgreSQL: every call has a deadline, errors say what they mean, and no secret is in them.
#pragma once
#include <sluice/detail/socket_wait.hpp>
#include <sluice/detail/sql_text.hpp>
#include <sluice/offset_store/postgres_result.hpp>
#include <sluice/offset_store/sql_sessions.hpp>

#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail::postgres {

/// What the policy says about sessions.
struct session_options {
  std::string who{};         // the policy, for errors
  std::string connection{};  // a libpq connection string or URI
  bool assume_durable = false;
  std::chrono::milliseconds connect_timeout{5000};
  std::chrono::milliseconds statement_timeout{30'000};
  std::chrono::milliseconds lock_timeout{5000};
  std::chrono::milliseconds idle_in_transaction_timeout{30'000};
};

/// One session at a time, for one thread. After a failure of the session the next call of ready() makes a new one.
class connection {
  struct finish {
    void operator()(PGconn* c) const { PQfinish(c); }
  };
  struct session {
    std::string pid{};
    std::string since{};
  };

  session_options options_;
  std::string place_{};  // host and port, for errors
  struct one_host {
    std::string host{}, address{}, port{};
  };
  std::vector<one_host> hosts_{};  // where there are several
  std::unique_ptr<PGconn, finish> c_{};
  session now_{};
  std::vector<session> doubtful_{};  // may still be at work on what they were asked
  std::string synchronous_commit_{};
  unsigned sessions_ = 0;

 public:
  explicit connection(session_options o) : options_(std::move(o)) { check_configuration(); }

  PGconn* get() const { return c_.get(); }
  std::string const& who() const { return options_.who; }
  std::string const& place() const { return place_; }
  session_options const& options() const { return options_; }
  /// How many sessions there have been: what was prepared in an earlier one is gone.
  unsigned sessions() const { return sessions_; }
  std::string const& synchronous_commit() const { return synchronous_commit_; }
  time_point own_limit() const {
    return std::chrono::steady_clock::now() + options_.statement_timeout + std::chrono::seconds{1};
  }

  bool alive() const { return c_ && PQstatus(c_.get()) == CONNECTION_OK; }
  bool in_transaction() const { return alive() && PQtransactionStatus(c_.get()) != PQTRANS_IDLE; }
  bool has_failed() const { return !alive() || PQtransactionStatus(c_.get()) != PQTRANS_INTRANS; }

  /// A session outside of transactions. Throws store_error.
  void ready(time_point by) {
    if (alive() && hung_up()) lose_quietly(in_transaction());
    if (!alive()) connect(by);
    if (in_transaction()) ask_one({"rollback"}, by);
  }

  /// One round trip: all of `what`, up to the first that fails. Throws lost.
  std::vector<result> ask(std::span<request const> what, time_point by) {
    must_be_alive();
    PQenterPipelineMode(c_.get());
    for (auto const& r : what) send(r);
    PQpipelineSync(c_.get());
    flush(by);
    std::vector<result> all;
    for (std::size_t nulls = 0;;) {
      result r{next(by)};
      if (!r.get()) {
        if (!alive() || ++nulls > what.size() + 2) lose_ended();
        continue;
      }
      auto const status = PQresultStatus(r.get());
      if (status == PGRES_PIPELINE_SYNC) break;
      if (status != PGRES_PIPELINE_ABORTED) all.push_back(std::move(r));
    }
    if (!alive() || !PQexitPipelineMode(c_.get())) lose_ended();
    return all;
  }
  /// The same, for statements that must not fail: see fail(). `doing` names it for errors.
  std::vector<result> must(std::span<request const> what, char const* doing, time_point by) {
    auto all = ask(what, by);
    for (auto const& r : all)
      if (!r.good()) fail(r, doing);
    return all;
  }
  result ask_one(request const& what, time_point by) {
    must_be_alive();
    send(what);
    return collect(by);
  }
  result must_one(request const& what, char const* doing, time_point by) {
    auto r = ask_one(what, by);
    if (!r.good()) fail(r, doing);
    return r;
  }
  /// Several statements without values, in one text; the last one's answer, or the first that failed.
  result ask_simply(std::string const& sql, time_point by) {
    must_be_alive();
    if (!PQsendQuery(c_.get(), sql.c_str())) lose(PQerrorMessage(c_.get()));
    return collect(by);
  }
  static bool is_copy(result const& r) {
    auto const s = PQresultStatus(r.get());
    return s == PGRES_COPY_IN || s == PGRES_COPY_OUT || s == PGRES_COPY_BOTH;
  }
  /// The last result of what was sent, or the first that failed. Throws lost.
  result collect(time_point by) {
    flush(by);
    result last;
    while (auto* r = next(by)) {
      if (result one{r}; !last.get() || last.good()) last = std::move(one);
      if (is_copy(last)) return last;
    }
    if (!alive() || !last.get()) lose_ended();
    return last;
  }
  /// Sends what is waiting to be sent.
  void flush(time_point by) {
    for (int left; (left = PQflush(c_.get())) != 0;) {
      if (left < 0) lose(PQerrorMessage(c_.get()));
      if (wait(POLLIN | POLLOUT, by) & POLLIN) consume();
    }
  }

  /// Never throws: a session that can't be rolled back at once is thrown away, and its server rolls it back.
  void rollback() noexcept {
    if (!in_transaction()) return;
    try {
      ask_one({"rollback"}, std::chrono::steady_clock::now() + std::chrono::seconds{1});
    } catch (...) {}
  }

  /// Throws what a failed statement of the library's own means.
  [[noreturn]] void fail(result const& r, std::string const& doing) const {
    auto const s = r.state();
    auto const what = at() + doing + ": ";
    auto const state = " (SQLSTATE " + std::string(s) + ")";
    if (is_conflict(s)) throw store_conflict(errc::conflict, what + "another transaction was in the way" + state);
    if (s == "55P03") throw locked(errc::store_unavailable, what + "another session holds the lock");
    if (s == "22P05")
      throw error(errc::bad_configuration, what +
                                               "a name has letters that the database's encoding lacks: use a database"
                                               " in UTF-8");
    if (s == "25006")
      throw store_error(errc::store_unavailable,
                        what +
                            "the session is read-only: connect to the primary, as a role that may write (in .connection"
                            " target_session_attrs=read-write looks for it)");
    if (s == "42501")
      throw store_error(errc::store_unavailable, what + "the role may not: " + message_of(r) +
                                                     "; grant it select, insert, update on the library's tables");
    if (s.starts_with("42"))
      throw store_error(errc::store_damaged,
                        what + "a table of this name is not one that the library made: " + message_of(r));
    if (s == "53100") throw store_error(errc::store_full, what + "the server's disk is full");
    if (is_damage(s)) throw store_error(errc::store_damaged, what + "the server finds its data damaged" + state);
    if (s == "57014")
      throw store_error(errc::store_unavailable, what + "took longer than statement_timeout, or was cancelled");
    throw store_error(errc::store_unavailable, what + "the server refused" + state);
  }
  static bool is_conflict(std::string_view s) { return s == "40001" || s == "40P01"; }
  static bool is_damage(std::string_view s) { return s == "XX001" || s == "XX002"; }
  /// Whether it is the server or the session that failed, not the statement. (XX000 is what functions of extensions give for
  /// values that they can't take.)
  static bool is_of_the_store(std::string_view s) {
    if (s == "08P01") return false;  // a statement was given another number of values than it has parameters
    for (auto const* c : {"", "08", "25006", "25P", "40", "53", "55P03", "57", "58"})
      if (*c ? s.starts_with(c) : s.empty()) return true;
    return is_damage(s);
  }
  static std::string message_of(result const& r) {
    auto const* m = PQresultErrorField(r.get(), PG_DIAG_MESSAGE_PRIMARY);
    return m ? m : "no more is known";
  }
  std::string at() const { return who() + ": " + place_ + ": "; }

  /// Throws the session away; what it was asked last is in doubt.
  [[noreturn]] void lose(std::string const& why) {
    auto const what = at() + in_one_line(why);
    lose_quietly();
    throw lost(errc::store_unavailable, what);
  }
  void must_be_alive() {
    if (!alive()) lose("there is no session");
  }

 private:
  void check_configuration() {
    auto const bad = [&](std::string const& why) { throw error(errc::bad_configuration, who() + why); };
    for (auto const t : {options_.connect_timeout, options_.statement_timeout, options_.lock_timeout,
                         options_.idle_in_transaction_timeout})
      if (t.count() <= 0 || t > std::chrono::hours{24})
        bad(": a time-out must be more than 0 and at most a day: without one a stopped server, or a stopped process"
            " that holds locks, is waited for without end");
    auto const& text = options_.connection;
    auto const begin = text.find("://");
    bool const uri = text.starts_with("postgres://") || text.starts_with("postgresql://");
    if (uri) {
      auto const authority = text.substr(begin + 3, text.find_first_of("/?", begin + 3) - begin - 3);
      if (std::count(text.begin(), text.end(), '@') > 1 ||
          (text.find('@') != text.npos && authority.find('@') == text.npos))
        bad(".connection: an @, / or ? inside of the user or password of a URI is written %40, %2F, %3F");
    }
    std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> const parsed{PQconninfoParse(text.c_str(), nullptr),
                                                                                PQconninfoFree};
    if (!parsed)  // what libpq says of it would cite it
      bad(".connection is neither a libpq connection string (\"host=… dbname=… user=…\") nor a postgresql:// URI");
    std::string host, address, port;
    for (auto const* o = parsed.get(); o->keyword; ++o) {
      if (!o->val) continue;
      std::string_view const key = o->keyword, value = o->val;  // blanks may be before it; errors name hosts
      if (key != "password" && value.find("password=") != value.npos)
        bad(".connection: " + std::string{key} + " has \"password=\" in its value: where it is empty, write ''");
      if (key == "host") host = value;
      if (key == "hostaddr") address = value;
      if (key == "port") port = value;
    }
    if (port.find_first_not_of("0123456789,") != port.npos) bad(".connection: the port is no number");
    auto const all = split(host), addresses = split(address), ports = split(port);
    for (std::size_t i = 0; i < std::max(all.size(), addresses.size()); ++i)
      hosts_.push_back({i < all.size() ? all[i] : "", i < addresses.size() ? addresses[i] : "",
                        ports.size() == 1  ? ports[0]
                        : i < ports.size() ? ports[i]
                                           : ""});
    place_ = (host.empty() ? std::string("the local server") : host) + (port.empty() ? "" : ":" + port);
  }

  static std::vector<std::string> split(std::string const& list) {
    std::vector<std::string> all(list.empty() ? 0 : 1);
    for (char const c : list)
      if (c == ',')
        all.emplace_back();
      else
        all.back() += c;
    return all;
  }

  /// To the first host that is fit. Each has its share of the time: left to itself libpq waits for one that does not answer
  /// as long as it may, and comes to no other.
  void connect(time_point by) {
    lose_quietly();
    by = std::min(by, std::chrono::steady_clock::now() + options_.connect_timeout);
    if (hosts_.size() < 2) return connect_to({}, by);
    for (std::size_t i = 0;; ++i) {
      auto const left = static_cast<int>(hosts_.size() - i);
      auto const now = std::chrono::steady_clock::now();
      try {
        return connect_to(hosts_[i], now + (by - now) / left);
      } catch (store_error const&) {
        if (left == 1) throw;
      }
    }
  }
  void connect_to(one_host const& which, time_point by) {
    auto const tcp = std::to_string(options_.statement_timeout.count());
    // What stands behind dbname wins over what is in it, where it is not empty.
    char const* const keys[] = {"fallback_application_name",
                                "tcp_user_timeout",
                                "dbname",
                                "client_encoding",
                                "host",
                                "hostaddr",
                                "port",
                                nullptr};
    char const* const values[] = {"sluice",           tcp.c_str(),           options_.connection.c_str(), "UTF8",
                                  which.host.c_str(), which.address.c_str(), which.port.c_str(),          nullptr};
    c_.reset(PQconnectStartParams(keys, values, 1));
    if (!c_) throw std::bad_alloc();
    auto const refused = [&](std::string const& why) {
      auto const text = at() + in_one_line(why);
      c_.reset();
      throw store_error(errc::store_unavailable,
                        text + "; check .connection, that a PostgreSQL server listens there, and its pg_hba.conf");
    };
    PQsetNoticeProcessor(c_.get(), [](void*, char const*) {}, nullptr);
    for (auto state = PGRES_POLLING_WRITING; state != PGRES_POLLING_OK; state = PQconnectPoll(c_.get())) {
      if (state == PGRES_POLLING_FAILED || PQstatus(c_.get()) == CONNECTION_BAD) refused(PQerrorMessage(c_.get()));
      if (!wait_for(state == PGRES_POLLING_READING ? POLLIN : POLLOUT, by)) refused("no answer in time");
    }
    PQsetnonblocking(c_.get(), 1);
    try {
      set_up(by);
    } catch (...) {
      c_.reset();
      throw;
    }
    ++sessions_;
  }

  /// Time-outs and durability of the session; the ends of those that it follows.
  void set_up(time_point by) {
    auto const ms = [](std::chrono::milliseconds t) { return std::to_string(t.count()) + "ms"; };
    std::vector<request> ask_for(1);
    ask_for[0] = {
        "select set_config('statement_timeout', $1, false), set_config('lock_timeout', $2, false),"
        " set_config('idle_in_transaction_session_timeout', $3, false),"
        " set_config('default_transaction_isolation', 'read committed', false),"
        " set_config('synchronous_commit', case current_setting('synchronous_commit') when 'remote_apply' then"
        " 'remote_apply' else 'on' end, false), current_setting('fsync'), current_setting('full_page_writes'),"
        " pg_is_in_recovery() or current_setting('transaction_read_only')::bool,"
        " pg_backend_pid(), (select extract(epoch from backend_start)::text from pg_stat_activity"
        " where pid = pg_backend_pid())",
        parameters::of(ms(options_.statement_timeout), ms(options_.lock_timeout),
                       ms(options_.idle_in_transaction_timeout))};
    for (auto const& d : doubtful_)
      ask_for.push_back(
          {"select pg_terminate_backend(pid) from pg_stat_activity where pid = $1::int and"
           " extract(epoch from backend_start)::text = $2 and pid <> pg_backend_pid()",
           parameters::of(d.pid, d.since)});
    auto const answers = ask(ask_for, by);
    if (answers.empty() || !answers[0].good()) fail(answers.at(0), "settings of the session");
    auto const& a = answers[0];
    if (a.text(0, 7) == "t")
      throw store_error(errc::store_unavailable,
                        at() +
                            "the server or the session is read-only: connect to the primary (in .connection"
                            " target_session_attrs=read-write looks for it among several hosts)");
    if (!options_.assume_durable)
      for (auto const& [column, name] : {std::pair{5, "fsync"}, std::pair{6, "full_page_writes"}})
        if (a.text(0, column) != "on")
          throw store_error(errc::store_unavailable,
                            at() + name +
                                " is off, so a crash of the host may lose or damage what was committed: turn"
                                " it on, or set .assume_durable where the storage makes up for it");
    synchronous_commit_ = a.text(0, 4);
    now_ = {std::string(a.text(0, 8)), a.null(0, 9) ? std::string{} : std::string(a.text(0, 9))};
    doubtful_.clear();
  }

  /// `at_work`: the server may still be about something that was asked. A session that only lay idle is left alone: behind
  /// a pooler it may serve somebody else by now.
  void lose_quietly(bool at_work = true) {
    if (!c_) return;
    if (auto const mine = std::exchange(now_, {}); at_work && !mine.pid.empty()) doubtful_.push_back(mine);
    if (doubtful_.size() > 16) doubtful_.erase(doubtful_.begin());
    c_.reset();
  }
  [[noreturn]] void lose_ended() {
    std::string const why = c_ ? PQerrorMessage(c_.get()) : "";
    lose(why.empty() ? "the session has ended" : why);
  }
  /// The server has closed the session while nothing was asked.
  bool hung_up() {
    for (int words = 0; wait_for(POLLIN, time_point{}); ++words)  // the last may be why
      if (words == 100 || !PQconsumeInput(c_.get()) || PQstatus(c_.get()) != CONNECTION_OK) return true;
    return false;
  }

  void send(request const& r) {
    auto const v = r.with.view();
    if (!PQsendQueryParams(c_.get(), r.sql.c_str(), v.count, v.types, v.values, v.lengths, v.formats, 0))
      lose(PQerrorMessage(c_.get()));
  }
  PGresult* next(time_point by) {
    while (PQisBusy(c_.get())) {
      wait(POLLIN, by);
      consume();
    }
    return PQgetResult(c_.get());
  }
  void consume() {
    if (!PQconsumeInput(c_.get())) lose(PQerrorMessage(c_.get()));
  }
  short wait(short events, time_point by) {
    auto const found = wait_for(events, by);
    if (!found) lose("no answer in time");
    return found;
  }
  short wait_for(int events, time_point by) const { return socket_wait(PQsocket(c_.get()), events, by); }

  /// What libpq says, without line breaks and without the password.
  std::string in_one_line(std::string text) const {
    for (auto* secret : {c_ ? PQpass(c_.get()) : nullptr, std::getenv("PGPASSWORD"), std::getenv("PGSSLPASSWORD")}) {
      std::string_view const s = secret ? secret : "";
      for (auto i = s.empty() ? text.npos : text.find(s); i != text.npos; i = text.find(s, i + 3))
        text.replace(i, s.size(), "***");
    }
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    for (auto i = text.find('\n'); i != text.npos; i = text.find('\n')) text.replace(i, 1, " ");
    for (auto i = text.find('\t'); i != text.npos; i = text.find('\t')) text.replace(i, 1, "");
    return text;
  }
};

}}}  // namespace sluice::v0::detail::postgres
