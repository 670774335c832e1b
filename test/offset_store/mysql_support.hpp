/// \file mysql_support.hpp  For the tests of what is kept in MariaDB: one server a program, a database for each fixture, a plain look.
#pragma once
#include <sluice/offset_store/mysql.hpp>

#include <memory>
#include <string>
#include <vector>

#include "../servers/mariadb.hpp"
#include "catch.hpp"
#include "some_records.hpp"

inline servers::mariadb& server() {
  static servers::mariadb one;
  return one;
}

/// A session that knows nothing of the library.
class plain_session {
  std::unique_ptr<MYSQL, void (*)(MYSQL*)> c_{mysql_init(nullptr), mysql_close};

 public:
  explicit plain_session(std::string const& database = {}, servers::mariadb const& on = server()) {
    mysql_options(c_.get(), MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (!mysql_real_connect(c_.get(), "127.0.0.1", "owner", on.password().c_str(), database.c_str(),
                            static_cast<unsigned>(on.port()), nullptr, CLIENT_MULTI_STATEMENTS))
      throw std::runtime_error(mysql_error(c_.get()));
  }
  /// All rows of the last statement, columns between '|', null as "null".
  std::vector<std::string> rows(std::string const& sql) {
    int failed = mysql_real_query(c_.get(), sql.data(), sql.size());
    for (std::vector<std::string> all;; all.clear()) {
      if (failed) throw std::runtime_error(mysql_error(c_.get()));
      std::unique_ptr<MYSQL_RES, void (*)(MYSQL_RES*)> const r{mysql_store_result(c_.get()), mysql_free_result};
      while (auto* row = r ? mysql_fetch_row(r.get()) : nullptr) {
        auto const* lengths = mysql_fetch_lengths(r.get());
        std::string text;
        for (unsigned i = 0; i < mysql_num_fields(r.get()); ++i)
          text += (i ? "|" : "") + (row[i] ? std::string(row[i], lengths[i]) : "null");
        all.push_back(text);
      }
      if (failed = mysql_next_result(c_.get()); failed < 0) return all;
    }
  }
};

/// Until some session waits for a row's lock. Not by innodb_trx, which shows a copy while it is asked too often.
inline void wait_for_lock_wait() {
  plain_session watching;
  auto const give_up = std::chrono::steady_clock::now() + std::chrono::seconds{30};
  while (watching.rows("show global status like 'Innodb_row_lock_current_waits'") ==
         std::vector<std::string>{"Innodb_row_lock_current_waits|0"}) {
    if (std::chrono::steady_clock::now() > give_up) throw std::runtime_error("nobody waits for a lock");
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
}

/// A database of its own.
struct mysql_fixture {
  using store = sl::mysql_offset_store;
  using policy = sl::mysql_offsets;
  static constexpr std::size_t most_round_trips = 1;
  static inline std::string const all_letters =
      "select grp, topic, s.partition, `offset`, incarnation, `timestamp`, `key`, hex(`value`), headers, error, "
      "attempts,"
      " `first` from sluice_offsets_skipped s order by s.partition";
  static inline std::string const letter_value{"a\0b", 3}, letter_error = "br'oken \xff\xc3\xa9",
                                                           letter_shown = "610062", error_shown = "br'oken ?\xc3\xa9";

  std::string database = "d" + std::to_string(++count());
  sl::mysql_offsets config{.host = "127.0.0.1",
                           .port = server().port(),
                           .user = "owner",
                           .password = server().password(),
                           .database = database,
                           .idle_transaction_timeout = std::chrono::seconds{2}};

  mysql_fixture() {
    plain_session{}.rows("create database " + database);
    look("create table results (what varchar(255)) engine = InnoDB");
  }

  std::shared_ptr<std::string> told = std::make_shared<std::string>();  // what its stores log

  static int& count() {
    static int n = 0;
    return n;
  }
  std::unique_ptr<store> open() { return open(server().port()); }
  std::unique_ptr<store> open(int port) {
    auto c = config;
    c.port = port;
    return std::unique_ptr<store>{new store(sl::mysql_offsets::open(
        c, {.log = [told = told](int, std::string_view line) { told->append(line) += '\n'; }}))};
  }
  static std::string password() { return server().password(); }
  int port() const { return server().port(); }
  void freeze(bool on) { server().freeze(on); }
  void restart() { server().restart(); }

  std::vector<std::string> look(std::string const& sql) { return plain_session{database}.rows(sql); }
  void forget(std::string const& group, sl::topic_partition const& of) {
    look("delete from sluice_offsets where grp = '" + group + "' and topic = '" + of.topic +
         "' and sluice_offsets.partition = " + std::to_string(of.partition));
  }
  std::vector<std::string> causes() { return look("select cause from sluice_offsets_rewinds order by id"); }
  void write(sl::mysql_transaction& tx, std::string const& text) { tx.execute("insert into results values (?)", text); }
  std::vector<std::string> results() { return look("select what from results order by 1"); }
};
