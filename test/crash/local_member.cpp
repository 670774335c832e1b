// A member whose offsets lie in files, in SQLite, or in Kafka itself.
#include "member.hpp"

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
  if (s.store == "file")
    return with_results(s, file, [](sl::record const& r, auto& tx) { tx.append("results", r, line_of(r)); });
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

int results(std::string const& delivery, std::string const& store, std::string const&, std::string const&,
            std::string const& folder, history::file const& out) {
  if (store == "sqlite") {
    sqlite3* db = nullptr;
    auto const one = [](void* to, int, char** row, char**) {
      static_cast<history::file const*>(to)->line("applied", std::stoi(row[0]), std::stoll(row[1]), row[2]);
      return 0;
    };
    sqlite3_open((folder + "/offsets.db").c_str(), &db);
    auto const rc = sqlite3_exec(db, "select part, place, value from results order by rowid", one,
                                 const_cast<history::file*>(&out), nullptr);
    sqlite3_close(db);
    return rc;
  }
  std::istringstream lines{delivery == "idempotent"
                               ? sl::read_files(folder, {"in", 0}) + sl::read_files(folder, {"in", 1})
                               : sl::read_text(folder + "/offsets", "results")};
  std::int32_t partition = 0;
  std::int64_t place = 0;
  for (std::string value; lines >> partition >> place >> value;) out.line("applied", partition, place, value);
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return crash::main_of(argc, argv, run, results); }
