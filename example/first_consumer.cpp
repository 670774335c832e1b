// The smallest consumer: every record at least once, offsets kept in Kafka, and a clean end at SIGTERM: run() finishes
// the batch in hand and stores its offsets before it returns.
//
// test:
#include "demo.hpp"

#include <sluice/offset_store/kafka.hpp>
#include <sluice/sluice.hpp>

#include <csignal>

namespace sl = sluice;

int main(int argc, char** argv) {
  demo::topic const requests{argc, argv, "requests", demo::access_log(1'000)};

  sl::stream_consumer consumer{
      sl::at_least_once{},
      sl::kafka_offsets{},
      sl::kafka{.brokers = requests.brokers(), .group = "first", .topics = {requests.name()}},
      sl::log_to{&std::clog},
  };

  std::size_t handled = 0;
  consumer.run(sl::stop_on_signal{}, [&](sl::batch const& batch) {
    std::cout << batch.size() << " records:";
    for (sl::offset_range const& r : batch.ranges())
      std::cout << ' ' << to_string(r.of) << " [" << r.from.value() << ", " << r.until.value() << ')';
    std::cout << '\n';
    handled += batch.size();
    if (handled >= requests.size()) std::raise(SIGTERM);  // as `kill` would
  });

  std::cout << handled << " handled and stored; the next start goes on behind them\n";
  return handled == requests.size() ? 0 : 1;
}
