// Words of lines that come over TCP, counted in each batch: in Spark socketTextStream, flatMap, map, reduceByKey, print.
#include <sluice/reduce_by_key.hpp>
#include <sluice/sluice.hpp>
#include <sluice/source/socket.hpp>

#include <iostream>
#include <ranges>

namespace sl = sluice;
using namespace std::chrono_literals;

int main(int argc, char** argv) {
  if (argc != 3) return std::cerr << "usage: socket_word_count HOST PORT\n", 2;
  sl::stream_consumer consumer{sl::at_most_once{}, sl::no_offsets<sl::from::latest>{}, sl::micro_batch{.interval = 1s},
                               sl::socket_source{.host = argv[1], .port = std::stoi(argv[2])}};
  consumer.run(sl::stop_on_signal{}, [](sl::batch const& lines) {
    auto const words = [](sl::record line) { return sl::many{line.text() | std::views::split(' ')}; };
    sl::print{.most = 100'000}(lines.time(), sl::count_by_key(lines, words));
  });
}
