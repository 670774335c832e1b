// Words of the last 10 minutes, every 2 s, from two receivers with a write-ahead log: in Spark KafkaUtils.createStream with
// spark.streaming.receiver.writeAheadLog.enable, and reduceByKeyAndWindow(_ + _, _ - _, Minutes(10), Seconds(2)).
#include <sluice/sluice.hpp>
#include <sluice/source/kafka_receiver.hpp>
#include <sluice/source/write_ahead_log.hpp>
#include <sluice/state/checkpoint.hpp>
#include <sluice/window/over_batches.hpp>

#include <iostream>
#include <ranges>

namespace sl = sluice;
using namespace std::chrono_literals;

int main(int argc, char** argv) {
  if (argc != 6) return std::cerr << "usage: kafka_receiver_word_count BROKERS GROUP TOPIC CHECKPOINT LOG\n", 2;
  sl::kafka_receivers::member const one{.group = argv[2], .topics = {argv[3]}};
  sl::stream_consumer consumer{
      sl::transactional{}, sl::checkpoint{.directory = argv[4]}, sl::micro_batch{.interval = 2s},
      sl::write_ahead_log<sl::kafka_receivers>{.source = {.brokers = argv[1], .members = {one, one}, .group = "words"},
                                               .folder = argv[5]}};
  auto const words = [](sl::record line) { return sl::many{line.text() | std::views::split(' ')}; };
  consumer.run(sl::stop_on_signal{}, sl::count_by_key_and_window({.name = "words", .size = 10min, .slide = 2s}, words,
                                                                 sl::print{.most = 100'000}));
}
