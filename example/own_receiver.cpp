// A receiver of one's own: any class with start(receiving&), which hears records somewhere and stores them. If start() throws, it is
// told of and started again. Behind a write-ahead log every delivery goes with it, and it hears which of its records are
// on the disk: that is when a sender that can ask again is told that it need not.
//
// test:
#include <sluice/offset_store/file.hpp>
#include <sluice/source/user.hpp>
#include <sluice/source/write_ahead_log.hpp>
#include <sluice/stream_consumer.hpp>

#include <atomic>
#include <filesystem>
#include <iostream>

namespace sl = sluice;

namespace {

/// Measures a temperature every millisecond; now and then the sensor's line is lost.
class thermometer {
  int next_ = 0;
  bool lost_ = false;
  std::atomic<std::uint64_t> safe_{0};

 public:
  void start(sl::receiving& to) {
    while (!to.stop_requested() && next_ < 100) {
      if (next_ % 40 == 39 && !std::exchange(lost_, true)) throw std::runtime_error("the sensor does not answer");
      lost_ = false;
      to.store({.value = std::to_string(20 + next_ % 5), .key = "kitchen"});
      ++next_;
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    if (next_ == 100) to.finish();
  }
  void durable(std::uint64_t n) { safe_ = n; }
  std::uint64_t safe() const { return safe_; }
};

struct never {
  bool stop_requested() const { return false; }
};

}  // namespace

int main() {
  auto const sensor = std::make_shared<thermometer>();
  using source = sl::write_ahead_log<sl::user_source<thermometer>>;
  std::filesystem::create_directory("offsets");
  sl::stream_consumer consumer{
      sl::at_least_once{},
      sl::file_offsets{.directory = "offsets"},
      source{.source = {.receiver = sensor, .group = "weather", .topic = "temperatures"}, .folder = "log"},
      sl::log_to{&std::clog},
  };

  int n = 0, sum = 0;
  consumer.run(never{}, [&](sl::batch const& batch) {
    for (sl::record r : batch) sum += std::stoi(std::string{r.text()}), ++n;
  });

  std::cout << n << " measurements, " << sensor->safe() << " were on the disk before they were handled, on average "
            << sum / n << " degrees\n";
  return n == 100 && sum == 2200 && sensor->safe() == 100 ? 0 : 1;
}
