// Words of lines that come over a socket, counted exactly once: a write-ahead log makes the socket replayable, totals and
// offset are one SQLite transaction. Without arguments the program brings a server of its own, which says a web server's log;
// `--from HOST PORT` reads another's, such as `nc -lk 9999`, without end.
//
// test:
#include "demo.hpp"
#include "line_server.hpp"

#include <sluice/offset_store/sqlite.hpp>
#include <sluice/source/socket.hpp>
#include <sluice/source/write_ahead_log.hpp>
#include <sluice/stream_consumer.hpp>

#include <map>
#include <optional>
#include <sstream>

namespace sl = sluice;
using counting = sl::stream_consumer<sl::transactional, sl::sqlite_offsets, sl::write_ahead_log<sl::socket_source>>;

int main(int argc, char** argv) {
  bool const elsewhere = argc == 4 && std::string_view{argv[1]} == "--from";
  std::vector<std::string> lines;
  if (!elsewhere)
    for (auto const& l : demo::access_log(2'000)) lines.push_back(l.value);
  std::optional<demo::line_server> server;
  if (!elsewhere) server.emplace(lines);

  counting consumer{
      sl::write_ahead_log<sl::socket_source>{.source = {.host = elsewhere ? argv[2] : "127.0.0.1",
                                                        .port = elsewhere ? std::stoi(argv[3]) : server->port(),
                                                        .group = "words"},
                                             .folder = "log"},
      sl::sqlite_offsets{"words.db"},
  };

  std::size_t handled = 0;
  auto const count = [&](sl::batch const& batch, counting::transaction& tx) {
    tx.execute("create table if not exists words (word text primary key, n integer not null) without rowid");
    auto add = tx.prepare("insert into words values (?, 1) on conflict (word) do update set n = n + 1");
    for (sl::record r : batch) {
      std::istringstream text{std::string{r.text()}};
      for (std::string word; text >> word;) add.execute(word);
    }
    handled += batch.size();
  };
  while (elsewhere || handled < lines.size()) consumer.step(count, std::chrono::milliseconds{100});

  // The same, counted here.
  std::map<std::string, std::int64_t> wanted, found;
  for (auto const& l : lines) {
    std::istringstream text{l};
    for (std::string word; text >> word;) ++wanted[word];
  }
  sqlite3* db = nullptr;
  if (sqlite3_open("words.db", &db) != SQLITE_OK) return 1;
  auto const row = [](void* to, int, char** column, char**) {
    (*static_cast<std::map<std::string, std::int64_t>*>(to))[column[0]] = std::stoll(column[1]);
    return 0;
  };
  sqlite3_exec(db, "select word, n from words", row, &found, nullptr);
  sqlite3_close(db);
  std::cout << found.size() << " words in " << handled << " lines\n";
  return found == wanted ? 0 : 1;
}
