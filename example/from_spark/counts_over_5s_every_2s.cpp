// Words of the last 5 s, counted every 2 s: in Spark reduceByKeyAndWindow(_ + _, _ - _, Seconds(5), Seconds(2)).
#include <sluice/sluice.hpp>
#include <sluice/state/checkpoint.hpp>
#include <sluice/window/over_batches.hpp>

#include <iostream>
#include <ranges>

namespace sl = sluice;
using namespace std::chrono_literals;

int main(int argc, char** argv) {
  if (argc != 5) return std::cerr << "usage: counts_over_5s_every_2s BROKERS GROUP TOPIC CHECKPOINT\n", 2;
  sl::stream_consumer consumer{sl::transactional{}, sl::checkpoint{.directory = argv[4]},
                               sl::micro_batch{.interval = 1s},
                               sl::kafka{.brokers = argv[1], .group = argv[2], .topics = {argv[3]}}};
  auto const words = [](sl::record line) { return sl::many{line.text() | std::views::split(' ')}; };
  auto count = sl::reduce_by_key_and_window(
      {.name = "words", .size = 5s, .slide = 2s}, words, [](auto) { return 1; }, std::plus{}, std::minus{},
      sl::print{.most = 100'000});
  consumer.run(sl::stop_on_signal{}, count);
}
