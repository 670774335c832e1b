// A member whose offsets lie in files, in SQLite, in a checkpoint, or in the embedded broker.
#include "member.hpp"

#include <sluice/offset_store/checkpoint.hpp>
#include <sluice/offset_store/checkpoint_read.hpp>
#include <sluice/offset_store/file.hpp>
#include <sluice/offset_store/sqlite.hpp>
#include <sluice/output/files.hpp>

#include <sstream>

namespace {

namespace sl = sluice;
using crash::by_hand, crash::handler, crash::setup, crash::with;

std::string line_of(sl::record const& r) {
  return std::to_string(r.partition()) + " " + std::to_string(r.offset().value()) + " " + std::string{r.text()} + "\n";
}

int run(setup const& s) {
  handler const handle{&s.out};
  if (s.store == "sqlite")
    return with_results(s, sl::sqlite_offsets{.path = s.folder + "/offsets.db"}, [](sl::record const& r, auto& tx) {
      tx.execute("insert into results (part, place, value) values (?, ?, ?)", std::int64_t{r.partition()},
                 r.offset().value(), r.text());
    });
  sl::file_offsets const file{.directory = s.folder + "/offsets"};
  if (s.store == "file" && s.delivery == "idempotent") {
    sl::files_by_range out{s.folder, [](sl::record const& r, std::string& text) { text += line_of(r); }};
    return with(s, sl::idempotent{}, file, by_hand(s), sl::assume_idempotent{[&](sl::batch const& b) {
                  out(b);
                  handle(b);
                }});
  }
  auto const append = [](sl::record const& r, auto& tx) { tx.append("results", r, line_of(r)); };
  if (s.store == "file") return with_results(s, file, append);
  if (s.store == "checkpoint") return with_results(s, sl::checkpoint{.directory = s.folder + "/offsets"}, append);
  if (s.store == "kafka" && s.delivery == "at_most_once")
    return with(s, sl::at_most_once{}, sl::kafka_offsets{},
                sl::kafka{.brokers = s.brokers,
                          .group = s.group,
                          .topics = {"in"},
                          .properties = {{"session.timeout.ms", "2500"}, {"heartbeat.interval.ms", "300"}}},
                handle);
  if (s.store == "kafka") return with(s, sl::at_least_once{}, sl::kafka_offsets{}, by_hand(s), handle);
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

std::string text_of_results(crash::results_of const& of) {
  if (of.delivery == "idempotent") return sl::read_files(of.folder, {"in", 0}) + sl::read_files(of.folder, {"in", 1});
  auto const directory = of.folder + "/offsets";
  return of.store == "checkpoint" ? sl::read_checkpoint_text(directory, "results")
                                  : sl::read_text(directory, "results");
}

void results(crash::results_of const& of, history::file const& out) {
  if (of.store == "sqlite") {
    auto const one = [](void* to, int, char** row, char**) {
      static_cast<history::file const*>(to)->line("applied", std::stoi(row[0]), std::stoll(row[1]), row[2]);
      return 0;
    };
    return execute(*open_database(of), "select part, place, value from results order by rowid", one,
                   const_cast<history::file*>(&out));
  }
  std::istringstream lines{text_of_results(of)};
  std::int32_t partition = 0;
  std::int64_t place = 0;
  for (std::string value; lines >> partition >> place >> value;) out.line("applied", partition, place, value);
}

}  // namespace

int main(int argc, char** argv) { return crash::main_of(argc, argv, run, make_results, results); }
