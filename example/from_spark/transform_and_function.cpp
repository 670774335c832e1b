// A transform of the stream, and a function over each batch with its time: in Spark transform and foreachRDD((rdd, time) => …).
// The three addresses that asked most often for what was not found.
#include <sluice/sluice.hpp>

#include <range/v3/action/sort.hpp>
#include <range/v3/range/conversion.hpp>
#include <range/v3/view/filter.hpp>
#include <range/v3/view/take.hpp>

#include <iostream>
#include <map>

namespace sl = sluice;
namespace rv = ranges::views;
using namespace std::chrono_literals;

int main(int argc, char** argv) {
  if (argc != 4) return std::cerr << "usage: transform_and_function BROKERS GROUP TOPIC\n", 2;
  sl::stream_consumer consumer{sl::at_least_once{}, sl::kafka_offsets{}, sl::micro_batch{.interval = 1s},
                               sl::kafka{.brokers = argv[1], .group = argv[2], .topics = {argv[3]}}};
  auto const not_found = rv::filter([](sl::record r) { return r.text().find("\" 404 ") != std::string_view::npos; });
  consumer.run(sl::stop_on_signal{}, [&](sl::batch const& requests) {
    std::map<std::string_view, int> counts;
    for (sl::record r : requests | not_found) ++counts[r.key_text()];
    auto most = counts | ranges::to<std::vector<std::pair<std::string_view, int>>> |
                ranges::actions::sort([](auto& a, auto& b) { return a.second > b.second; });
    for (auto const& [address, n] : most | rv::take(3))
      std::cout << requests.time().time_since_epoch().count() << '\t' << address << '\t' << n << '\n';
  });
}
