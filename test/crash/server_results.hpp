/// \file server_results.hpp  Results on servers: where they go, and what is there, in the order in which it came.
///
/// Tables `results_GROUP` of PostgreSQL and MariaDB, the list `results_GROUP` of Redis, the topic `results_GROUP` of Kafka.
#pragma once
#include <hiredis/hiredis.h>

#include "member.hpp"
#include "servers/kafka_topics.hpp"

#if __has_include(<libpq-fe.h>)
#include <libpq-fe.h>
#else
#include <postgresql/libpq-fe.h>
#endif
#if __has_include(<mysql.h>)
#include <mysql.h>
#else
#include <mariadb/mysql.h>
#endif

namespace crash {

/// What is before the last `mark`, and behind it.
inline std::pair<std::string, std::string> halves(std::string const& text, char mark) {
  auto const at = text.find_last_of(mark);
  return {text.substr(0, at), text.substr(at + 1)};
}
inline std::string name_of_results(std::string const& group) { return "results_" + group; }

class postgres_results {
  std::string const table_;
  std::unique_ptr<PGconn, void (*)(PGconn*)> const db_;

  std::unique_ptr<PGresult, void (*)(PGresult*)> ask(std::string const& sql, ExecStatusType expected) const {
    std::unique_ptr<PGresult, void (*)(PGresult*)> answer{PQexec(db_.get(), sql.c_str()), PQclear};
    if (PQresultStatus(answer.get()) != expected) throw std::runtime_error(PQerrorMessage(db_.get()));
    return answer;
  }

 public:
  explicit postgres_results(results_of const& of)
      : table_(name_of_results(of.group)), db_(PQconnectdb(of.address.c_str()), PQfinish) {}

  void make() const {
    ask("create table " + table_ + " (id bigint generated always as identity, part integer, place bigint, value text)",
        PGRES_COMMAND_OK);
  }
  void write(history::file const& out) const {
    auto const rows =
        ask("select part || ' ' || place || ' ' || value from " + table_ + " order by id", PGRES_TUPLES_OK);
    for (int i = 0; i < PQntuples(rows.get()); ++i) write_results(PQgetvalue(rows.get(), i, 0), out);
  }
};

/// USER@HOST:PORT/DATABASE, the password in MYSQL_PWD.
struct mysql_address {
  std::string user, host, database;
  int port = 0;

  explicit mysql_address(std::string const& address) {
    auto const [server, name] = halves(address, '/');
    auto const [who, number] = halves(server, ':');
    std::tie(user, host) = halves(who, '@');
    database = name;
    port = std::stoi(number);
  }
};

class mysql_results {
  std::string const table_;
  std::unique_ptr<MYSQL, void (*)(MYSQL*)> const db_{mysql_init(nullptr), mysql_close};

  void ask(std::string const& sql) const {
    if (mysql_query(db_.get(), sql.c_str()) != 0) throw std::runtime_error(mysql_error(db_.get()));
  }

 public:
  explicit mysql_results(results_of const& of) : table_(name_of_results(of.group)) {
    mysql_address const at{of.address};
    if (!mysql_real_connect(db_.get(), at.host.c_str(), at.user.c_str(), std::getenv("MYSQL_PWD"), at.database.c_str(),
                            static_cast<unsigned>(at.port), nullptr, 0))
      throw std::runtime_error(mysql_error(db_.get()));
  }
  void make() const {
    ask("create table " + table_ + " (id bigint auto_increment primary key, part int, place bigint, value text)");
  }
  void write(history::file const& out) const {
    ask("select concat_ws(' ', part, place, value) from " + table_ + " order by id");
    std::unique_ptr<MYSQL_RES, void (*)(MYSQL_RES*)> const rows{mysql_store_result(db_.get()), mysql_free_result};
    if (!rows) throw std::runtime_error(mysql_error(db_.get()));
    while (auto* const row = mysql_fetch_row(rows.get())) write_results(row[0], out);
  }
};

class redis_results {
  using reply = std::unique_ptr<redisReply, void (*)(void*)>;
  std::string const list_;
  std::unique_ptr<redisContext, void (*)(redisContext*)> db_{nullptr, redisFree};

  reply ask(std::vector<std::string> const& words) const {
    std::vector<char const*> all;
    for (auto const& w : words) all.push_back(w.c_str());
    reply r{static_cast<redisReply*>(redisCommandArgv(db_.get(), static_cast<int>(all.size()), all.data(), nullptr)),
            freeReplyObject};
    if (!r || r->type == REDIS_REPLY_ERROR) throw std::runtime_error(r ? r->str : db_->errstr);
    return r;
  }

 public:
  explicit redis_results(results_of const& of) : list_(name_of_results(of.group)) {
    auto const [host, port] = halves(of.address, ':');
    db_.reset(redisConnect(host.c_str(), std::stoi(port)));
    ask({"AUTH", std::getenv("REDIS_PASSWORD")});
  }
  void write(history::file const& out) const {
    auto const all = ask({"LRANGE", list_, "0", "-1"});
    for (std::size_t i = 0; i < all->elements; ++i) write_results(all->element[i]->str, out);
  }
};

/// What a reader of committed records sees, one partition after the other.
class kafka_results {
  std::string const topic_;
  servers::kafka_topics const topics_;

 public:
  explicit kafka_results(results_of const& of) : topic_(name_of_results(of.group)), topics_(of.address) {}
  void make() const { topics_.create(topic_, 2); }
  void write(history::file const& out) const {
    for (auto const& [partition, all] : topics_.read(topic_, 2))
      for (auto const& r : all) write_results(r.value, out);
  }
};

}  // namespace crash
