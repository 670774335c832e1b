// A range of offsets, read once: in Spark KafkaUtils.createRDD with an OffsetRange.
#include <sluice/sluice.hpp>

#include <iostream>

namespace sl = sluice;

int main(int argc, char** argv) {
  if (argc != 6) return std::cerr << "usage: range_of_offsets BROKERS TOPIC PARTITION FROM UNTIL\n", 2;
  sl::position const from{{argv[2], std::stoi(argv[3])}, sl::offset{std::stoll(argv[4])}};
  sl::stream_consumer consumer{sl::at_least_once{}, sl::no_offsets<sl::from::earliest>{},
                               sl::kafka_partitions{.brokers = argv[1],
                                                    .partitions = {from.of},
                                                    .start_from = {from},
                                                    .until = sl::read_until::offset(sl::offset{std::stoll(argv[5])})}};
  consumer.run(sl::stop_on_signal{}, [](sl::batch const& lines) {
    for (sl::record r : lines) std::cout << r.offset().value() << '\t' << r.text() << '\n';
  });
}
