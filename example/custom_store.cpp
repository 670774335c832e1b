// An offset store of one's own (map_offsets.hpp, written against the concept) in place of a ready one: the second consumer
// goes on where the first one stopped.
//
// test:
#include "demo.hpp"
#include "map_offsets.hpp"

#include <sluice/sluice.hpp>

static_assert(sl::offset_store<map_offsets::runtime>);
static_assert(sl::legal<sl::at_least_once, map_offsets>);
static_assert(!sl::legal<sl::transactional, map_offsets>, "it has no transaction, and the types know");

int main(int argc, char** argv) {
  demo::topic const requests{argc, argv, "requests", demo::access_log(1'000)};
  map_offsets::kept kept;
  std::size_t handled = 0;

  auto const read_until = [&](std::size_t enough) {
    sl::stream_consumer consumer{
        sl::at_least_once{}, map_offsets{&kept}, sl::micro_batch{.max_records = 100},
        sl::kafka{.brokers = requests.brokers(),
                  .group = "own",
                  .topics = {requests.name()},
                  .properties = {{"session.timeout.ms", "2500"}}},  // so long an embedded broker remembers who left
    };
    while (handled < enough)
      consumer.step([&](sl::batch const& batch) { handled += batch.size(); }, std::chrono::milliseconds{100});
  };

  read_until(500);
  std::cout << handled << " handled by the first consumer; kept:";
  for (auto const& [of, at] : kept) std::cout << ' ' << to_string(of) << " next " << at.next.value();
  read_until(requests.size());
  std::cout << '\n' << handled << " handled when the second one has read the rest\n";
  return handled == requests.size() ? 0 : 1;
}
