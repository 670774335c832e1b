// What a stranger writes who has only the installed headers: orders come from a broker, totals are kept in SQLite, and
// each order counts once, also for a consumer that is started again.
#include <sluice/offset_store/sqlite.hpp>
#include <sluice/sluice.hpp>
#include <sluice/testing/embedded_broker.hpp>

#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <string>

namespace sl = sluice;
using ingest = sl::stream_consumer<sl::transactional, sl::sqlite_offsets, sl::micro_batch, sl::kafka_partitions>;
static_assert(sl::legal<sl::transactional, sl::sqlite_offsets>);
static_assert(!sl::legal<sl::transactional, sl::no_offsets<sl::from::earliest>>);

namespace {

// Reads `count` orders and says what the total is then.
std::int64_t total_after(std::size_t count, std::string const& brokers, std::string const& database) {
  ingest consumer{
      sl::kafka_partitions{.brokers = brokers, .group = "billing", .partitions = {{"orders", 0}, {"orders", 1}}},
      sl::sqlite_offsets{.path = database},
      sl::micro_batch{.max_records = 10},
  };
  std::int64_t total = 0;
  while (count > 0) {
    auto const result = consumer.step(
        [&](auto const& batch, ingest::transaction& tx) {
          tx.execute("create table if not exists orders (name text, amount integer)");
          for (auto const& r : batch)
            tx.execute("insert into orders values (?, ?)", r.key_text(), std::stoll(std::string{r.text()}));
          for (auto const& row : tx.query("select sum(amount) from orders")) total = row.template get<std::int64_t>(0);
        },
        std::chrono::milliseconds{100});
    count -= result.records;
  }
  return total;
}

}  // namespace

int main() {
  sl::testing::embedded_broker broker{};
  broker.create_topic("orders", 2);
  auto const folder = std::filesystem::temp_directory_path() / ("stranger." + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  auto const database = (folder / "billing.db").string();

  for (int order = 1; order <= 20; ++order) broker.produce("orders", order % 2, "a", std::to_string(order));
  auto const first = total_after(20, broker.bootstrap(), database);
  for (int order = 21; order <= 30; ++order) broker.produce("orders", order % 2, "b", std::to_string(order));
  auto const second = total_after(10, broker.bootstrap(), database);

  std::filesystem::remove_all(folder);
  std::cout << "totals: " << first << ", then " << second << " (with sluice " << SLUICE_VERSION_STRING << ")\n";
  return first == 210 && second == 465 ? 0 : 1;
}
