// One partition, from an offset that is given: in Spark ConsumerStrategies.Assign(partitions, parameters, offsets).
#include <sluice/sluice.hpp>

#include <iostream>

namespace sl = sluice;

int main(int argc, char** argv) {
  if (argc != 5) return std::cerr << "usage: partition_from_offset BROKERS TOPIC PARTITION OFFSET\n", 2;
  sl::topic_partition const one{argv[2], std::stoi(argv[3])};
  sl::stream_consumer consumer{
      sl::at_least_once{}, sl::no_offsets<sl::from::earliest>{},
      sl::kafka_partitions{
          .brokers = argv[1], .partitions = {one}, .start_from = {{one, sl::offset{std::stoll(argv[4])}}}}};
  consumer.run(sl::stop_on_signal{}, [](sl::batch const& lines) {
    for (sl::record r : lines) std::cout << r.partition() << '\t' << r.offset().value() << '\t' << r.text() << '\n';
  });
}
