// The store comes from a configuration: each alternative is a consumer type of its own, all checked when this compiles,
// and the variant picks one at run time.
//
// test: sqlite
// test: kafka
#include "demo.hpp"

#include <sluice/offset_store/kafka.hpp>
#include <sluice/offset_store/sqlite.hpp>
#include <sluice/sluice.hpp>

#include <variant>

namespace sl = sluice;

namespace {

using any_store = std::variant<sl::sqlite_offsets, sl::kafka_offsets>;

any_store store_named(std::string_view name) {
  if (name == "sqlite") return sl::sqlite_offsets{"offsets.db"};
  if (name == "kafka") return sl::kafka_offsets{};
  throw std::runtime_error("store must be sqlite or kafka");
}

}  // namespace

int main(int argc, char** argv) {
  demo::topic const requests{argc - 1, argv + 1, "requests", demo::access_log(1'000)};

  std::size_t handled = 0;
  std::visit(
      [&](auto const& store) {
        sl::stream_consumer consumer{
            sl::at_least_once{},
            store,
            sl::kafka{.brokers = requests.brokers(), .group = "configured", .topics = {requests.name()}},
        };
        consumer.run(demo::until_read{handled, requests}, [&](sl::batch const& batch) { handled += batch.size(); });
      },
      store_named(argc > 1 ? argv[1] : "sqlite"));

  std::cout << handled << " records with the offsets in " << (argc > 1 ? argv[1] : "sqlite") << '\n';
  return handled == requests.size() ? 0 : 1;
}
