// Kafka direct word count: in Spark KafkaUtils.createDirectStream, flatMap, mapToPair, reduceByKey, print.
#include <sluice/sluice.hpp>

#include <iostream>
#include <map>
#include <ranges>

namespace sl = sluice;
using namespace std::chrono_literals;

int main(int argc, char** argv) {
  if (argc != 4) return std::cerr << "usage: direct_word_count BROKERS GROUP TOPIC\n", 2;
  sl::stream_consumer consumer{sl::at_least_once{}, sl::kafka_offsets{}, sl::micro_batch{.interval = 2s},
                               sl::kafka{.brokers = argv[1], .group = argv[2], .topics = {argv[3]}}};
  consumer.run(sl::stop_on_signal{}, [](sl::batch const& lines) {
    std::map<std::string_view, int> counts;
    for (sl::record line : lines)
      for (auto word : line.text() | std::views::split(' ')) ++counts[{word.begin(), word.end()}];
    for (auto const& [word, n] : counts) std::cout << word << '\t' << n << '\n';
  });
}
