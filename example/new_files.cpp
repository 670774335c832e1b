// New files of a directory, each once, line by line, into SQLite exactly once. Files are handed over by a rename: written
// elsewhere, then moved in. A restart goes on in the middle of a file.
//
// test:
#include "demo.hpp"

#include <sluice/offset_store/sqlite.hpp>
#include <sluice/source/directory.hpp>
#include <sluice/stream_consumer.hpp>

namespace sl = sluice;
namespace fs = std::filesystem;
using import = sl::stream_consumer<sl::transactional, sl::sqlite_offsets, sl::directory_source, sl::micro_batch>;

int main() {
  auto const lines = demo::access_log(3'000);
  fs::create_directory("in");
  fs::create_directory("being written");
  auto const hand_over = [&](std::size_t file) {
    auto const name = "part " + std::to_string(file);
    {
      std::ofstream out{fs::path{"being written"} / name};
      for (std::size_t i = file * 1000; i < (file + 1) * 1000; ++i) out << lines[i].value << '\n';
    }
    fs::rename(fs::path{"being written"} / name, fs::path{"in"} / name);
  };

  std::size_t handled = 0;
  std::int64_t rows = 0;
  auto const keep = [&](sl::batch const& batch, import::transaction& tx) {
    tx.execute("create table if not exists requests (line text not null)");
    auto insert = tx.prepare("insert into requests values (?)");
    for (sl::record r : batch) insert.execute(r.text());
    for (auto const& row : tx.query("select count(*) from requests")) rows = row.get<std::int64_t>(0);
    handled += batch.size();
  };

  for (std::size_t life = 0; life < 3; ++life) {
import consumer{sl::directory_source{.directory = "in", .group = "import", .scan_every = std::chrono::milliseconds{50 } }, sl::sqlite_offsets{"requests.db" }, sl::micro_batch{.max_records = 300 }, };
    hand_over(life);
    // Each life but the last is ended within a file.
    while (handled < (life == 2 ? lines.size() : life * 1000 + 600))
      consumer.step(keep, std::chrono::milliseconds{100});
  }

  std::cout << rows << " lines of 3 files\n";
  return rows == 3'000 && handled == 3'000 ? 0 : 1;
}
