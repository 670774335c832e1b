// A batch is a random-access range of records, so ranges do the work: here, which pages were asked for and not found.
// Nothing is copied before the last step.
//
// test:
#include "demo.hpp"

#include <sluice/offset_store/kafka.hpp>
#include <sluice/sluice.hpp>

#include <range/v3/action/sort.hpp>
#include <range/v3/algorithm/for_each.hpp>
#include <range/v3/range/conversion.hpp>
#include <range/v3/view/chunk_by.hpp>
#include <range/v3/view/filter.hpp>
#include <range/v3/view/take.hpp>
#include <range/v3/view/transform.hpp>

#include <map>

namespace sl = sluice;
namespace rv = ranges::views;

namespace {
bool not_found(std::string_view line) { return line.find("\" 404 ") != line.npos; }
std::string_view page(std::string_view line) {
  auto const from = line.find('/', line.find('"'));
  return line.substr(from, line.find_first_of(" ?\"", from) - from);
}
}  // namespace

int main(int argc, char** argv) {
  demo::topic const requests{argc, argv, "requests", demo::access_log()};
  sl::stream_consumer consumer{
      sl::at_least_once{},
      sl::kafka_offsets{},
      sl::kafka{.brokers = requests.brokers(), .group = "pages", .topics = {requests.name()}},
  };

  std::size_t handled = 0;
  std::map<std::string, std::ptrdiff_t> missing;
  consumer.run(demo::until_read{handled, requests}, [&](sl::batch const& batch) {
    auto pages = batch | rv::transform(&sl::record::text) | rv::filter(not_found) | rv::transform(page) |
                 ranges::to<std::vector> | ranges::actions::sort;
    ranges::for_each(pages | rv::chunk_by(std::equal_to{}),
                     [&](auto same) { missing[std::string(*same.begin())] += ranges::distance(same); });
    handled += batch.size();
  });

  auto most = missing | ranges::to<std::vector<std::pair<std::string, std::ptrdiff_t>>> |
              ranges::actions::sort(std::greater{}, &std::pair<std::string, std::ptrdiff_t>::second);
  for (auto const& [name, times] : most | rv::take(5)) std::cout << times << " times not found: " << name << '\n';
  return handled == requests.size() && !missing.empty() ? 0 : 1;
}
