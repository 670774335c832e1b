// read BROKERS [MILLIONS [ROUNDS]]: whole consumers on a real Kafka beside a loop by hand.
#include <sluice/sluice.hpp>

#include "by_hand.hpp"
#include "contenders.hpp"
#include "servers/kafka_topics.hpp"

using namespace contenders;
using namespace std::chrono_literals;
namespace sl = sluice;

namespace {

constexpr int partitions = 8;

/// Every value is looked at.
figures by_hand(arguments const& a) {
  auto const total = std::stoul(a.at(2));
  reader_by_hand reader{a.at(0), a.at(1), partitions};
  stretch all;
  std::size_t got = 0;
  unsigned sum = 0;
  while (got < total)
    reader.step([&](rd_kafka_message_t** messages, std::size_t n) {
      all.begin();
      for (std::size_t i = 0; i < n; ++i) sum += *static_cast<unsigned char const*>(messages[i]->payload);
      got += n;
    });
  auto const f = all.end(static_cast<double>(got));
  if (sum == 0) throw std::logic_error("nothing was read");
  return f;
}

template <class Handler>
figures whole_consumer(arguments const& a, Handler handle) {
  auto const total = std::stoul(a.at(2));
  sl::stream_consumer consumer{sl::at_least_once{}, sl::kafka_offsets{},
                               sl::kafka{.brokers = a.at(0), .group = a.at(3), .topics = {a.at(1)}}};
  stretch all;
  std::size_t got = 0;
  unsigned sum = 0;
  while (got < total)
    consumer.step(
        [&](sl::batch const& batch) {
          all.begin();
          sum += handle(batch);
          got += batch.size();
        },
        100ms);
  auto const f = all.end(static_cast<double>(got));
  if (sum == 0) throw std::logic_error("nothing was read");
  return f;
}
figures sluice_batch(arguments const& a) {
  return whole_consumer(a, [](sl::batch const& batch) {
    unsigned sum = 0;
    for (sl::record r : batch) sum += static_cast<unsigned char>(r.text().front());
    return sum;
  });
}

std::vector<contender> const all{{"consume_batch_queue by hand", by_hand},
                                 {"at_least_once, kafka_offsets", sluice_batch}};

}  // namespace

int main(int argc, char** argv) {
  if (was_child(argc, argv, all)) return 0;
  if (argc < 2) {
    fmt::print(stderr, "read BROKERS [MILLIONS [ROUNDS]]\n");
    return 2;
  }
  std::string const brokers = argv[1];
  auto const millions = argc > 2 ? std::stoul(argv[2]) : 3;
  auto const rounds = argc > 3 ? std::stoi(argv[3]) : 7;
  auto const total = millions * 1'000'000;
  servers::kafka_topics const topics{brokers};
  topics.create("records", partitions);
  std::vector<servers::topic_record> const chunk(25'000, {"", std::string(100, 'x')});
  for (std::size_t made = 0; made < total; made += chunk.size() * partitions)
    for (int p = 0; p < partitions; ++p) topics.produce("records", p, chunk);

  int group = 0;
  auto const found = compare(all, rounds, [&](contender const&) {
    return arguments{brokers, "records", std::to_string(total), "group-" + std::to_string(++group)};
  });
  fmt::print("{} million records of 100 bytes, {} partitions, medians of {} runs in turns, librdkafka {}\n", millions,
             partitions, rounds, rd_kafka_version_str());
  fmt::print("{:32} {:>12} {:>10} {:>16} {:>10} {:>6}\n", "", "M records/s", "by hand", "CPU s/M records", "by hand",
             "MB");
  for (std::size_t i = 0; i < all.size(); ++i)
    fmt::print("{:32} {:12.2f} {:10.2f} {:16.3f} {:10.2f} {:6.0f}\n", all[i].name, found[i][0],
               found[i][0] / found[0][0], found[i][1], found[i][1] / found[0][1], found[i][2]);
}
