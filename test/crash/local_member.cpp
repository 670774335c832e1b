// A member whose offsets lie in files, in SQLite, in a checkpoint, or in the embedded broker.
#include "member.hpp"

#include <sluice/offset_store/checkpoint.hpp>
#include <sluice/offset_store/checkpoint_read.hpp>
#include <sluice/offset_store/file.hpp>
#include <sluice/offset_store/periodic_kafka.hpp>
#include <sluice/offset_store/sqlite.hpp>

namespace {

namespace sl = sluice;
using crash::by_hand, crash::handler, crash::line_of, crash::setup, crash::with, crash::write_results;

/// Commits in the background many times while a member works, and tells what is stored.
sl::periodic_kafka_offsets periodic(setup const& s) {
  return {.interval = std::chrono::milliseconds{2},
          .on_commit = [&s](std::span<sl::group_position const> all, std::string const& error) {
            for (auto const& p : all)
              if (error.empty()) s.out.line("stored", p.of.partition, p.next.value());
          }};
}

/// A member's session is longer than the 3 s that the embedded broker lets a new group's first member wait: else it is sometimes
/// put out, and never answered.
int in_the_group(setup const& s) {
  handler const handle{&s.out};
  if (s.delivery == "at_most_once")
    return with(s, sl::at_most_once{}, sl::kafka_offsets{},
                sl::kafka{.brokers = s.brokers,
                          .group = s.group,
                          .topics = {"in"},
                          .properties = {{"session.timeout.ms", "3500"}, {"heartbeat.interval.ms", "300"}}},
                handle);
  if (s.delivery == "at_least_once") return with(s, sl::at_least_once{}, sl::kafka_offsets{}, by_hand(s), handle);
  return s.delivery == "idempotent" ? idempotent(s, sl::kafka_offsets{}) : 2;
}

int run(setup const& s) {
  if (s.store == "sqlite")
    return in_any_delivery(s, sl::sqlite_offsets{.path = s.folder + "/offsets.db"}, [](sl::record const& r, auto& tx) {
      tx.execute("insert into results (part, place, value) values (?, ?, ?)", std::int64_t{r.partition()},
                 r.offset().value(), r.text());
    });
  auto const append = [](sl::record const& r, auto& tx) { tx.append("results", r, line_of(r)); };
  auto const directory = s.folder + "/offsets";
  if (s.store == "file") return in_any_delivery(s, sl::file_offsets{.directory = directory}, append);
  if (s.store == "checkpoint") return in_any_delivery(s, sl::checkpoint{.directory = directory}, append);
  if (s.store == "kafka") return in_the_group(s);
  if (s.store == "periodic" && s.delivery == "at_least_once")
    return with(s, sl::at_least_once{}, periodic(s), by_hand(s), handler{&s.out});
  if (s.store == "periodic" && s.delivery == "idempotent") return idempotent(s, periodic(s));
  return 2;
}

using database = std::unique_ptr<sqlite3, int (*)(sqlite3*)>;
database open_database(crash::results_of const& of) {
  sqlite3* db = nullptr;
  sqlite3_open((of.folder + "/offsets.db").c_str(), &db);
  return {db, sqlite3_close};
}
void execute(sqlite3& db, char const* sql, int (*each)(void*, int, char**, char**) = nullptr, void* to = nullptr) {
  if (sqlite3_exec(&db, sql, each, to, nullptr) != SQLITE_OK) throw std::runtime_error(sqlite3_errmsg(&db));
}

void make_results(crash::results_of const& of) {
  if (of.store != "sqlite") return;
  auto const db = open_database(of);
  execute(*db, "pragma journal_mode=wal; create table results (part integer, place integer, value text)");
}

void results(crash::results_of const& of, history::file const& out) {
  auto const directory = of.folder + "/offsets";
  if (of.store == "file") return write_results(sl::read_text(directory, "results"), out);
  if (of.store == "checkpoint") return write_results(sl::read_checkpoint_text(directory, "results"), out);
  auto const one = [](void* to, int, char** row, char**) {
    static_cast<history::file const*>(to)->line("applied", std::stoi(row[0]), std::stoll(row[1]), row[2]);
    return 0;
  };
  execute(*open_database(of), "select part, place, value from results order by rowid", one,
          const_cast<history::file*>(&out));
}

}  // namespace

int main(int argc, char** argv) { return crash::main_of(argc, argv, run, make_results, results); }
