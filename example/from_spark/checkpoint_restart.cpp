// Goes on where it was killed, with its state: in Spark StreamingContext.getOrCreate(checkpointDirectory, …).
#include <sluice/sluice.hpp>
#include <sluice/state/checkpoint.hpp>

#include <iostream>

namespace sl = sluice;

int main(int argc, char** argv) {
  if (argc != 5) return std::cerr << "usage: checkpoint_restart BROKERS GROUP TOPIC CHECKPOINT\n", 2;
  sl::stream_consumer consumer{
      sl::transactional{}, sl::checkpoint{.directory = argv[4]},
      sl::kafka{
          .brokers = argv[1], .group = argv[2], .topics = {argv[3]}, .properties = {{"session.timeout.ms", "6000"}}}};
  sl::keyed_state<std::string, int> totals{.name = "totals"};
  auto const client = [](sl::record request) { return request.key_text(); };
  auto const count = [](std::string const& who, sl::record const* request, std::optional<int>& n) {
    n = n.value_or(0) + 1;
    return std::to_string(request->offset().value()) + '\t' + who + '\t' + std::to_string(*n);
  };
  consumer.run(sl::stop_on_signal{}, sl::map_with_state(totals, client, count, [](std::string const& line) {
                 std::cout << line << std::endl;
               }));
}
