// A member whose offsets lie on a server. Addresses are as test/servers/with_servers gives them.
#include "member.hpp"

#include <sluice/offset_store/hbase.hpp>
#include <sluice/offset_store/mysql.hpp>
#include <sluice/offset_store/postgres.hpp>
#include <sluice/offset_store/redis.hpp>
#include <sluice/offset_store/s3.hpp>
#include <sluice/offset_store/webhdfs.hpp>
#include <sluice/offset_store/zookeeper.hpp>

#include <cstdlib>

namespace {

namespace sl = sluice;
using crash::setup, crash::without_results;

/// What is before the last slash, and behind it.
std::pair<std::string, std::string> halves(std::string const& address) {
  auto const slash = address.find_last_of('/');
  return {address.substr(0, slash), address.substr(slash + 1)};
}

int run(setup const& s) {
  auto const [place, name] = halves(s.address);
  auto const colon = s.address.find_last_of(':');
  if (s.store == "postgres")
    return with_results(s, sl::postgres_offsets{.connection = s.address},
                        [sql = "insert into results_" + s.group + " (part, place, value) values ($1, $2, $3)"](
                            sl::record const& r, auto& tx) {
                          tx.execute(sql, std::int64_t{r.partition()}, r.offset().value(), r.text());
                        });
  if (s.store == "mysql") {
    auto const at = s.address.find('@');
    return without_results(s, sl::mysql_offsets{.host = s.address.substr(at + 1, colon - at - 1),
                                                .port = std::stoi(s.address.substr(colon + 1)),
                                                .user = s.address.substr(0, at),
                                                .password_variable = "MYSQL_PWD",
                                                .database = name,
                                                .idle_transaction_timeout = std::chrono::seconds{2}});
  }
  if (s.store == "redis")
    return without_results(s, sl::redis_offsets{.host = s.address.substr(0, colon),
                                                .port = std::stoi(s.address.substr(colon + 1)),
                                                .password_variable = "REDIS_PASSWORD"});
  if (s.store == "zookeeper") return without_results(s, sl::zookeeper_offsets{.servers = s.address});
  if (s.store == "s3") return without_results(s, sl::s3_offsets{.bucket = name, .endpoint = place, .path_style = true});
  if (s.store == "webhdfs")
    return without_results(
        s, sl::webhdfs_offsets{.address = place, .directory = "/" + name, .user = std::getenv("HADOOP_USER_NAME")});
  if (s.store == "hbase") return without_results(s, sl::hbase_offsets{.address = place, .table = name});
  return 2;
}

/// PostgreSQL's, in the order in which they came.
int results(std::string const&, std::string const&, std::string const& address, std::string const& group,
            std::string const&, history::file const& out) {
  std::unique_ptr<PGconn, void (*)(PGconn*)> const db{PQconnectdb(address.c_str()), PQfinish};
  std::unique_ptr<PGresult, void (*)(PGresult*)> const rows{
      PQexec(db.get(), ("select part, place, value from results_" + group + " order by id").c_str()), PQclear};
  for (int i = 0; i < PQntuples(rows.get()); ++i)
    out.line("applied", std::stoi(PQgetvalue(rows.get(), i, 0)), std::stoll(PQgetvalue(rows.get(), i, 1)),
             PQgetvalue(rows.get(), i, 2));
  return PQresultStatus(rows.get()) == PGRES_TUPLES_OK ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) { return crash::main_of(argc, argv, run, results); }
