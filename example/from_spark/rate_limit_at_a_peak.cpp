// A rate limit while a peak is worked off: in Spark spark.streaming.kafka.maxRatePerPartition=100 and batches of 1 s.
#include <sluice/sluice.hpp>

#include <iostream>

namespace sl = sluice;
using namespace std::chrono_literals;

int main(int argc, char** argv) {
  if (argc != 4) return std::cerr << "usage: rate_limit_at_a_peak BROKERS GROUP TOPIC\n", 2;
  sl::stream_consumer consumer{sl::at_least_once{}, sl::kafka_offsets{}, sl::micro_batch{.interval = 1s},
                               sl::max_rate_per_partition{.records_per_second = 100},
                               sl::kafka{.brokers = argv[1], .group = argv[2], .topics = {argv[3]}}};
  consumer.run(sl::stop_on_signal{}, [](sl::batch const& records) {
    for (sl::batch const& part : records.partitions())
      std::cout << records.time().time_since_epoch().count() << '\t' << part.size() << '\n';
  });
}
