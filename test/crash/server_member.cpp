// A member whose offsets lie on a server. Addresses are as test/servers/with_servers gives them.
#include "server_results.hpp"  // before the library

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
using crash::halves, crash::setup, crash::without_transactions;

int run(setup const& s) {
  auto const results = crash::name_of_results(s.group);
  if (s.store == "postgres")
    return in_any_delivery(
        s, sl::postgres_offsets{.connection = s.address},
        [sql = "insert into " + results + " (part, place, value) values ($1, $2, $3)"](sl::record const& r, auto& tx) {
          tx.execute(sql, std::int64_t{r.partition()}, r.offset().value(), r.text());
        });
  if (s.store == "mysql") {
    crash::mysql_address const at{s.address};
    return in_any_delivery(
        s,
        sl::mysql_offsets{.host = at.host,
                          .port = at.port,
                          .user = at.user,
                          .password_variable = "MYSQL_PWD",
                          .database = at.database,
                          .idle_transaction_timeout = std::chrono::seconds{2}},
        [sql = "insert into " + results + " (part, place, value) values (?, ?, ?)"](sl::record const& r, auto& tx) {
          tx.execute(sql, std::int64_t{r.partition()}, r.offset().value(), r.text());
        });
  }
  if (s.store == "redis") {
    auto const [host, port] = halves(s.address, ':');
    return in_any_delivery(
        s, sl::redis_offsets{.host = host, .port = std::stoi(port), .password_variable = "REDIS_PASSWORD"},
        [results](sl::record const& r, auto& tx) { tx.rpush(results, crash::line_of(r)); });
  }
  if (s.store == "kafka")
    return in_transactions(
        s, sl::kafka_offsets{.transactional_id = s.group, .transaction_timeout = std::chrono::seconds{5}},
        [results](sl::record const& r, auto& tx) {
          auto const line = crash::line_of(r);
          tx.produce(results, r.key(), line, r.partition());
        });
  if (s.store == "zookeeper") return without_transactions(s, sl::zookeeper_offsets{.servers = s.address});
  auto const [place, name] = halves(s.address, '/');
  if (s.store == "s3")
    return without_transactions(s, sl::s3_offsets{.bucket = name, .endpoint = place, .path_style = true});
  if (s.store == "webhdfs")
    return without_transactions(
        s, sl::webhdfs_offsets{.address = place, .directory = "/" + name, .user = std::getenv("HADOOP_USER_NAME")});
  if (s.store == "hbase") return without_transactions(s, sl::hbase_offsets{.address = place, .table = name});
  return 2;
}

void make_results(crash::results_of const& of) {
  if (of.store == "postgres") crash::postgres_results{of}.make();
  if (of.store == "mysql") crash::mysql_results{of}.make();
  if (of.store == "kafka") crash::kafka_results{of}.make();
}

void results(crash::results_of const& of, history::file const& out) {
  if (of.store == "postgres") crash::postgres_results{of}.write(out);
  if (of.store == "mysql") crash::mysql_results{of}.write(out);
  if (of.store == "redis") crash::redis_results{of}.write(out);
  if (of.store == "kafka") crash::kafka_results{of}.write(out);
}

}  // namespace

int main(int argc, char** argv) { return crash::main_of(argc, argv, run, make_results, results); }
