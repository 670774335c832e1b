// Kafka to Kafka through kills of the consumers and of the broker: what readers of committed records see is the input.
#include <random>

#include "catch.hpp"
#include "seed.hpp"
#include "servers/kafka.hpp"
#include "servers/kafka_topics.hpp"

using namespace servers;

namespace {

constexpr int partitions = 4;

/// Two consumers of one group; what ends is started again, as a supervisor would.
class copiers {
  temporary_folder folder_{};
  std::string brokers_, rate_;
  std::vector<process> running_{};

  process start(std::size_t i) const {
    auto const name = "copier-" + std::to_string(i);
    return {{KAFKA_COPIER, brokers_, name, rate_}, (folder_.path / name).string()};
  }

 public:
  copiers(std::string brokers, std::string rate) : brokers_(std::move(brokers)), rate_(std::move(rate)) {
    for (std::size_t i = 0; i < 2; ++i) running_.push_back(start(i));
  }
  void keep_alive() {
    for (std::size_t i = 0; i < running_.size(); ++i)
      if (running_[i].ended()) running_[i] = start(i);
  }
  void kill(std::size_t i) {
    running_[i].end(SIGKILL);
    running_[i] = start(i);
  }
  std::string said() const {
    std::string all;
    for (auto const& p : running_) all += p.log().substr(0, 20'000) + "\n----\n";
    return all;
  }
};

void copy_through(int in_each, int kills_of_consumers, int kills_of_broker, char const* rate) {
  std::mt19937 random{seed()};
  kafka broker{3};  // one alone would forget commits: see DESIGN.md
  kafka_topics const topics{broker.bootstrap()};
  topics.create("in", partitions);
  topics.create("out", partitions);
  std::map<std::int32_t, std::vector<topic_record>> input;
  auto const produce_until = [&](int end) {
    for (std::int32_t p = 0; p < partitions; ++p) {
      std::vector<topic_record> more;
      for (int i = static_cast<int>(input[p].size()); i < end; ++i)
        more.push_back({"key " + std::to_string(i % 100), std::to_string(p) + "/" + std::to_string(i)});
      topics.produce("in", p, more);
      input[p].insert(input[p].end(), more.begin(), more.end());
    }
  };

  copiers both{broker.bootstrap(), rate};
  auto const copied = [&] { return topics.committed("copiers", "in", partitions); };
  auto const wait = [&](std::chrono::milliseconds t) {
    for (auto const until = std::chrono::steady_clock::now() + t; std::chrono::steady_clock::now() < until;) {
      both.keep_alive();
      std::this_thread::sleep_for(20ms);
    }
  };
  // Each trouble has records of its own, and comes when some of them are copied, so that none meets a stream that stands still.
  int const many = kills_of_consumers + kills_of_broker;
  std::vector<bool> troubles(static_cast<std::size_t>(many), false);  // true: the broker
  std::fill_n(troubles.begin(), kills_of_broker, true);
  std::shuffle(troubles.begin(), troubles.end(), random);
  std::int64_t before = 0;
  for (int met = 0; bool const of_broker : troubles) {
    produce_until(in_each * ++met / (many + 1));
    auto const give_up = std::chrono::steady_clock::now() + 60s;
    std::int64_t now = 0;
    while ((now = copied()) <= before) {
      wait(50ms);
      INFO(both.said());
      REQUIRE(std::chrono::steady_clock::now() < give_up);
    }
    before = now;
    wait(std::chrono::milliseconds{random() % 300});
    if (of_broker) {
      auto const node = random() % broker.size();
      broker.kill(node);
      wait(std::chrono::milliseconds{random() % 2000});
      broker.start(node);
    } else {
      both.kill(random() % 2);
    }
  }
  produce_until(in_each);
  auto const give_up = std::chrono::steady_clock::now() + 180s;
  while (copied() < partitions * in_each) {
    wait(200ms);
    INFO(both.said());
    REQUIRE(std::chrono::steady_clock::now() < give_up);
  }

  auto const output = topics.read("out", partitions);
  for (std::int32_t p = 0; p < partitions; ++p) {
    INFO("partition " << p);
    CHECK(output.at(p).size() == input[p].size());
    CHECK((output.at(p) == input[p]));
  }
}

}  // namespace

TEST_CASE("100,000 records from Kafka to Kafka, with 10 kills of the consumers and 3 of the broker") {
  copy_through(25'000, 10, 3, "1200");
}
