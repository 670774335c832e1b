/// kafka_copier BROKERS TRANSACTIONAL-ID [RATE]: copies the topic `in` to `out`, partition by partition, each batch one
/// transaction with its offsets, until SIGTERM. RATE: records a second of each partition.
#include <sluice/sluice.hpp>

#include <csignal>
#include <iostream>

namespace sl = sluice;
using namespace std::chrono_literals;

namespace {
std::sig_atomic_t volatile asked_to_end = 0;
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  std::signal(SIGTERM, [](int) { asked_to_end = 1; });
  try {
    sl::stream_consumer consumer{
        sl::transactional{},
        sl::kafka_offsets{.transactional_id = argv[2], .transaction_timeout = 5s},
        sl::kafka{.brokers = argv[1],
                  .group = "copiers",
                  .topics = {"in"},
                  .properties = {{"session.timeout.ms", "2000"}, {"heartbeat.interval.ms", "400"}}},
        sl::max_rate_per_partition{.records_per_second = argc > 3 ? std::stod(argv[3]) : 1e6},
        sl::micro_batch{.max_records = 1000},
        sl::retry<>{},
        sl::log_to{&std::cerr},
    };
    auto const copy = [](sl::batch const& batch, sl::kafka_transaction& tx) {
      for (sl::record r : batch) tx.produce("out", r.key(), r.value(), r.partition());
    };
    while (!asked_to_end) consumer.step(copy, 100ms);
    consumer.close(10s);
  } catch (std::exception const& e) {
    std::cerr << "kafka_copier: " << e.what() << '\n';
    return 1;
  }
}
