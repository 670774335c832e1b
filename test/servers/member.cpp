/// member BROKERS GROUP TOPIC START NAME=VALUE...: one member of a group, until SIGTERM: at_least_once with kafka_offsets.
/// It prints "claimed PARTITION OFFSET", "handling", and "handled PARTITION OFFSET" for each record. START: earliest or
/// latest. HOLD=1 among the environment: a handler never returns. Properties are librdkafka's.
#include <sluice/offset_store/kafka.hpp>
#include <sluice/sluice.hpp>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <thread>

namespace sl = sluice;
using namespace std::chrono_literals;

namespace {

std::sig_atomic_t volatile asked_to_end = 0;

struct printer {
  using slot = sl::observer_slot;
  void on_claim(sl::claimed const& c) const {
    if (c.what > sl::claimed::added) return;  // not ours yet
    std::cout << "claimed " << c.of.partition << ' ' << c.next.value() << std::endl;
  }
  void on_refused(sl::move const& m) const { std::cout << "refused " << m.of.partition << std::endl; }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  std::signal(SIGTERM, [](int) { asked_to_end = 1; });
  sl::kafka source{.brokers = argv[1],
                   .group = argv[2],
                   .topics = {argv[3]},
                   .start = argv[4] == std::string{"latest"} ? sl::start_at::latest : sl::start_at::earliest,
                   .properties = {{"session.timeout.ms", "2000"}, {"heartbeat.interval.ms", "400"}}};
  for (int i = 5; i < argc; ++i) {
    std::string const one = argv[i];
    auto const sign = one.find('=');
    if (sign == one.npos) return 2;
    source.properties[one.substr(0, sign)] = one.substr(sign + 1);
  }
  bool const hold = std::getenv("HOLD") != nullptr;
  try {
    sl::stream_consumer consumer{sl::at_least_once{}, sl::kafka_offsets{}, source, printer{}};
    while (!asked_to_end)
      consumer.step(
          [&](sl::batch const& batch) {
            std::cout << "handling" << std::endl;
            while (hold) std::this_thread::sleep_for(1s);
            for (sl::record r : batch) std::cout << "handled " << r.partition() << ' ' << r.offset().value() << '\n';
            std::cout.flush();
          },
          100ms);
    return consumer.drain(5s) == sl::close_result::drained ? 0 : 3;
  } catch (std::exception const& e) {
    std::cout << "failed " << e.what() << std::endl;
    return 1;
  }
}
