/// member WHAT BROKERS GROUP FILE HISTORY NAME: one member of the group, which reads the topic `in` until SIGTERM and writes to
/// the file HISTORY what it did, as the process NAME. WHAT: at_most_once, at_least_once, with offsets in the SQLite file
/// FILE; at_least_once_kafka, with Kafka's own; transactional, with rows in FILE.
#include <sluice/offset_store/sqlite.hpp>
#include <sluice/sluice.hpp>

#include <csignal>
#include <iostream>
#include <thread>

#include "history/history.hpp"

namespace {

namespace sl = sluice;
using namespace std::chrono_literals;

std::sig_atomic_t volatile asked_to_end = 0;

template <class Delivery, class Store, class Handler>
void consume(Delivery delivery, char const* brokers, char const* group, char const* name, Store const& store,
             history::file const& out, Handler&& handler) {
  sl::stream_consumer consumer{
      delivery,
      store,
      sl::kafka{.brokers = brokers,
                .group = group,
                .topics = {"in"},
                .properties = {{"session.timeout.ms", "2000"}, {"heartbeat.interval.ms", "400"}}},
      sl::max_rate_per_partition{.records_per_second = 150},
      sl::micro_batch{.interval = 200ms, .max_records = 60},
      sl::stop{},
      history::loud_observer{
          {.to = &out, .may_run_again = std::is_same_v<Delivery, sl::transactional>}, {&std::cerr}, name},
  };
  while (!asked_to_end) consumer.step(handler, 50ms);
  consumer.close(10s);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) return 2;
  std::signal(SIGTERM, [](int) { asked_to_end = 1; });
  std::string const what = argv[1];
  try {
    history::file const out{argv[5], argv[6]};
    // Slow, so that what happens to a process happens in the middle of a batch.
    auto const handle = [&](sl::batch const& batch) {
      for (sl::record r : batch) {
        out.line("handled", r);
        std::this_thread::sleep_for(1ms);
      }
    };
    sl::sqlite_offsets const store{.path = argv[4]};
    if (what == "at_most_once") consume(sl::at_most_once{}, argv[2], argv[3], argv[6], store, out, handle);
    if (what == "at_least_once") consume(sl::at_least_once{}, argv[2], argv[3], argv[6], store, out, handle);
    if (what == "at_least_once_kafka")
      consume(sl::at_least_once{}, argv[2], argv[3], argv[6], sl::kafka_offsets{}, out, handle);
    if (what == "transactional")
      consume(sl::transactional{}, argv[2], argv[3], argv[6], store, out,
              [&](sl::batch const& batch, sl::sqlite_transaction& tx) {
                handle(batch);
                for (sl::record r : batch)
                  tx.execute("insert into results (partition, place, value) values (?, ?, ?)",
                             std::int64_t{r.partition()}, r.offset().value(), r.text());
              });
  } catch (std::exception const& e) {
    std::cerr << "member: " << e.what() << '\n';
    return 1;
  }
}
