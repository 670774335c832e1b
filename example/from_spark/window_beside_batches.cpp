// Counts of the last 5 s beside those of each batch of 1 s: in Spark count, and countByWindow(Seconds(5), Seconds(1)).
#include <sluice/sluice.hpp>
#include <sluice/state/checkpoint.hpp>
#include <sluice/window/over_batches.hpp>

#include <iostream>

namespace sl = sluice;
using namespace std::chrono_literals;

int main(int argc, char** argv) {
  if (argc != 5) return std::cerr << "usage: window_beside_batches BROKERS GROUP TOPIC CHECKPOINT\n", 2;
  sl::stream_consumer consumer{sl::transactional{}, sl::checkpoint{.directory = argv[4]},
                               sl::micro_batch{.interval = 1s},
                               sl::kafka{.brokers = argv[1], .group = argv[2], .topics = {argv[3]}}};
  auto const tell = [](char const* what, auto time, auto n) {
    std::cout << what << '\t' << time.time_since_epoch().count() << '\t' << n << std::endl;
  };
  consumer.run(sl::stop_on_signal{},
               sl::all_of([&](sl::batch const& b, auto&) { tell("batch", b.time(), b.size()); },
                          sl::count_by_window({.name = "recent", .size = 5s, .slide = 1s},
                                              [&](sl::window_span at, auto n) { tell("window", at.end, n); })));
}
