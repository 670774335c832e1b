// Lines of a TCP socket over a log into Kafka, and from there, cleaned, into another topic: in Spark two programs, with a
// producer in foreachPartition. Kill it anywhere: what was received is in the log, and each record is cleaned exactly once.
#include <sluice/sluice.hpp>
#include <sluice/source/socket.hpp>
#include <sluice/source/write_ahead_log.hpp>

#include <iostream>
#include <thread>

namespace sl = sluice;

/// `ADDRESS|PATH` of a request in a web server's log; empty where there is none.
std::string cleaned(std::string_view line) {
  auto const get = line.find("\"GET ");
  if (get == line.npos) return {};
  auto const path = line.substr(get + 5);
  return std::string{line.substr(0, line.find(' '))} + '|' + std::string{path.substr(0, path.find(' '))};
}

int main(int argc, char** argv) {
  if (argc != 8) return std::cerr << "usage: socket_to_kafka_and_back HOST PORT LOG OFFSETS BROKERS RAW CLEAN\n", 2;
  sl::stop_on_signal const stop;
  sl::kafka_output raw{{.brokers = argv[5]}};
  sl::stream_consumer intake{
      sl::at_least_once{}, sl::file_offsets{.directory = argv[4]},
      sl::write_ahead_log<sl::socket_source>{.source = {.host = argv[1], .port = std::stoi(argv[2]), .group = "intake"},
                                             .folder = argv[3]}};
  sl::stream_consumer cleaner{
      sl::transactional{}, sl::kafka_offsets{.transactional_id = "cleaner"},
      sl::kafka{
          .brokers = argv[5], .group = "cleaner", .topics = {argv[6]}, .properties = {{"session.timeout.ms", "6000"}}}};
  std::jthread const receiving{[&] {
    intake.run(stop, [&](sl::batch const& lines) {
      for (sl::record line : lines) raw.produce(argv[6], line.key(), line.value());
      raw.flush();
    });
  }};
  cleaner.run(stop, [&](sl::batch const& lines, sl::kafka_transaction& tx) {
    for (sl::record line : lines)
      if (auto const request = cleaned(line.text()); !request.empty()) tx.produce(argv[7], line.key(), request);
  });
}
