#include <sluice/offset_store/mysql.hpp>

#include "../courses.hpp"
#include "../store.hpp"

namespace crash_course { namespace {

/// "USER@HOST:PORT/DATABASE"
sl::mysql_offsets policy(setup const& s) {
  auto const at = s.address.find('@'), colon = s.address.find(':', at), slash = s.address.find('/', colon);
  if (at == s.address.npos || colon == s.address.npos || slash == s.address.npos)
    throw std::runtime_error("--at takes USER@HOST:PORT/DATABASE of the MariaDB");
  return {.host = s.address.substr(at + 1, colon - at - 1),
          .port = std::stoi(s.address.substr(colon + 1)),
          .user = s.address.substr(0, at),
          .password_variable = std::getenv("MYSQL_PWD") ? "MYSQL_PWD" : "",
          .database = s.address.substr(slash + 1),
          .idle_transaction_timeout = std::chrono::seconds{2}};
}

std::string table_of(setup const& s) { return "crash_course_" + s.topic.substr(s.topic.find_last_of('-') + 1); }

class session {
  std::unique_ptr<MYSQL, void (*)(MYSQL*)> db_{mysql_init(nullptr), mysql_close};

 public:
  explicit session(setup const& s) {
    auto const p = policy(s);
    if (!mysql_real_connect(db_.get(), p.host.c_str(), p.user.c_str(), std::getenv("MYSQL_PWD"), p.database.c_str(),
                            static_cast<unsigned>(p.port), nullptr, 0))
      throw std::runtime_error(mysql_error(db_.get()));
  }
  std::unique_ptr<MYSQL_RES, void (*)(MYSQL_RES*)> run(std::string const& sql) const {
    if (mysql_real_query(db_.get(), sql.data(), sql.size())) throw std::runtime_error(mysql_error(db_.get()));
    return {mysql_store_result(db_.get()), mysql_free_result};
  }
};

hits_of_clients take_hits(setup const& s) {
  hits_of_clients all;
  session const db{s};
  auto const rows = db.run("select address, hits, bytes from " + table_of(s));
  while (auto* const row = mysql_fetch_row(rows.get())) all[row[0]] = {std::stoll(row[1]), std::stoll(row[2])};
  db.run("drop table " + table_of(s));
  return all;
}

void run(member const& m) {
  auto const table = table_of(m.s);
  if (m.s.course == "transactional")
    session{m.s}.run("create table if not exists " + table +
                     " (address varchar(255) primary key, hits bigint not null, bytes bigint not null)"
                     " engine = InnoDB character set utf8mb4 collate utf8mb4_bin");
  auto const count = "insert into " + table +
                     " values (?, 1, ?) on duplicate key update hits = hits + 1, bytes = bytes + values(bytes)";
  run_course(m, policy(m.s), [&](sl::mysql_transaction& tx, std::string_view address, std::int64_t bytes) {
    tx.execute(count, address, bytes);
  });
}

registered const here{
    {"mysql", "USER@HOST:PORT/DATABASE; its password is in MYSQL_PWD", promised_by<sl::mysql_offsets>, run, take_hits}};

}}  // namespace crash_course
