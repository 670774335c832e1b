// The number of each request in its client's visit, which is over after 3 s of silence: in Spark mapWithState with timeout.
#include <sluice/sluice.hpp>
#include <sluice/state/checkpoint.hpp>

#include <iostream>

namespace sl = sluice;
using namespace std::chrono_literals;

int main(int argc, char** argv) {
  if (argc != 5) return std::cerr << "usage: map_with_state BROKERS GROUP TOPIC CHECKPOINT\n", 2;
  sl::stream_consumer consumer{sl::transactional{}, sl::checkpoint{.directory = argv[4]},
                               sl::micro_batch{.interval = 1s},
                               sl::kafka{.brokers = argv[1], .group = argv[2], .topics = {argv[3]}}};
  sl::keyed_state<std::string, int> visits{.name = "visits", .timeout = 3s};
  auto const client = [](sl::record request) { return request.key_text(); };
  auto const number = [](std::string const& who, sl::record const* request, std::optional<int>& n) {
    if (request) n = n.value_or(0) + 1;
    return who + (request ? "\trequest\t" : "\tover\t") + std::to_string(*n);
  };
  consumer.run(sl::stop_on_signal{}, sl::map_with_state(visits, client, number, [](std::string const& line) {
                 std::cout << line << std::endl;
               }));
}
