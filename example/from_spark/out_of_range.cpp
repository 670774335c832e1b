// A stored offset that is out of range, since retention has deleted what lay there: goes on at the nearest one, and says so.
#include <sluice/sluice.hpp>

#include <iostream>

namespace sl = sluice;

int main(int argc, char** argv) {
  if (argc != 4) return std::cerr << "usage: out_of_range BROKERS GROUP TOPIC\n", 2;
  sl::stream_consumer consumer{
      sl::at_least_once{}, sl::kafka_offsets{}, sl::log_to{&std::clog},
      sl::kafka{
          .brokers = argv[1], .group = argv[2], .topics = {argv[3]}, .on_out_of_range = sl::out_of_range::nearest}};
  consumer.run(sl::stop_on_signal{}, [](sl::batch const& lines) {
    for (sl::record r : lines) std::cout << r.offset().value() << '\n';
  });
}
