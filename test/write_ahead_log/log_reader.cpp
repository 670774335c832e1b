/// log_reader kafka BROKERS FOLDER: handles the topic `t` from a write-ahead log, its values as rows of FOLDER/rows.db.
/// log_reader DELIVERY PORT FOLDER: reads numbers, a line each, from 127.0.0.1:PORT, acknowledges by "N\n" that the first N
/// lines of this connection are on the disk, and handles them from a write-ahead log in FOLDER: transactional as rows of
/// FOLDER/rows.db, at_least_once as lines OFFSET NUMBER of FOLDER/notes.
#include <sluice/offset_store/sqlite.hpp>
#include <sluice/source/kafka_receiver.hpp>
#include <sluice/source/user.hpp>
#include <sluice/source/write_ahead_log.hpp>
#include <sluice/stream_consumer.hpp>

#include <csignal>
#include <cstdlib>
#include <iostream>

#include "servers/process.hpp"

namespace sl = sluice;
using namespace std::chrono_literals;

namespace {

class acknowledging {
  int port_;
  std::optional<servers::descriptor> socket_{};

 public:
  explicit acknowledging(int port) : port_(port) {}

  void start(sl::receiving& to) {
    servers::descriptor s{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    auto const at = servers::loopback(port_);
    if (::connect(s.fd, reinterpret_cast<sockaddr const*>(&at), sizeof at) != 0) throw std::runtime_error("no server");
    socket_ = std::move(s);
    std::string text;
    char piece[4096];
    for (ssize_t n = 0; (n = ::recv(socket_->fd, piece, sizeof piece, 0)) > 0;) {
      text.append(piece, static_cast<std::size_t>(n));
      for (std::size_t feed = 0; (feed = text.find('\n')) != text.npos; text.erase(0, feed + 1))
        if (!to.store(std::string_view{text}.substr(0, feed))) return;
    }
    std::raise(SIGKILL);  // the server has gone: nobody waits for this program
  }
  void durable(std::uint64_t n) const {
    auto const text = std::to_string(n) + "\n";
    (void)!::send(socket_->fd, text.data(), text.size(), MSG_NOSIGNAL);
  }
};

using source = sl::write_ahead_log<sl::user_source<acknowledging>>;
struct for_ever {
  bool stop_requested() const { return false; }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  std::string const delivery = argv[1], folder = argv[3];
  sl::sqlite_offsets const offsets{folder + "/rows.db"};
  auto const configured = [&](auto from) {
    from.folder = folder + "/log";
    from.segment_bytes = 8 << 10;
    from.max_bytes = 1 << 20;
    from.max_record = 4 << 10;
    return from;
  };
  auto const keep_rows = [&](auto const& from) {
    sl::stream_consumer consumer{sl::transactional{}, offsets, from, sl::log_to{&std::cerr}};
    consumer.run(for_ever{}, [](sl::batch const& b, sl::sqlite_transaction& tx) {
      tx.execute("create table if not exists rows (number integer not null)");
      for (sl::record r : b) tx.execute("insert into rows values (?)", std::atoll(std::string{r.text()}.c_str()));
    });
  };
  try {
    if (delivery == "kafka") {
      using kafka = sl::write_ahead_log<sl::kafka_receivers>;
      keep_rows(configured(
          kafka{.source = {.brokers = argv[2],
                           .members = {{.group = "members", .topics = {"t"}}},
                           .group = "g",
                           .properties = {{"session.timeout.ms", "3500"}, {"heartbeat.interval.ms", "300"}}}}));
      return 0;
    }
    auto const from =
        configured(source{.source = {.receiver = std::make_shared<acknowledging>(std::atoi(argv[2])), .group = "g"}});
    if (delivery == "transactional") {
      keep_rows(from);
    } else {
      auto const notes = ::open((folder + "/notes").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
      sl::stream_consumer consumer{sl::at_least_once{}, offsets, from, sl::log_to{&std::cerr}};
      consumer.run(for_ever{}, [&](sl::batch const& b) {
        for (sl::record r : b) {
          auto const line = std::to_string(r.offset().value()) + " " + std::string{r.text()} + "\n";
          if (::write(notes, line.data(), line.size()) < 0) std::abort();
        }
      });
    }
  } catch (std::exception const& e) {
    std::cerr << "log_reader: " << e.what() << '\n';
    return 1;
  }
}
