// What a stranger writes: designated initialisers, the views of a batch, an error that is caught.
#include <sluice/batch.hpp>
#include <sluice/error.hpp>
#include <sluice/micro_batch.hpp>

#include <cstdio>

namespace sl = sluice;

int main() {
  sl::micro_batch const batching{.interval = std::chrono::milliseconds{100}, .max_records = 1000};
  sl::topic_partition const orders{.topic = "orders", .partition = 3};
  sl::batch const nothing{};
  for (auto const record : nothing) std::printf("%s\n", std::string{record.text()}.c_str());
  try {
    throw sl::error{sl::errc::bad_configuration, "topics: empty: name at least one"};
  } catch (sl::error const& e) {
    return e.code() == sl::errc::bad_configuration && to_string(orders) == "orders/3" && batching.max_records == 1000
               ? 0
               : 1;
  }
}
