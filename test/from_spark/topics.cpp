// topics BROKERS create TOPIC PARTITIONS | produce TOPIC | abort TOPIC | committed GROUP TOPIC PARTITIONS | delete_below TOPIC PARTITION
// OFFSET | read TOPIC PARTITIONS: what the scripts beside it do with Kafka. `produce` and `abort` read, and `read` writes, lines
// PARTITION <tab> KEY <tab> VALUE.
#include "servers/kafka_topics.hpp"

#include <iostream>
#include <span>

int main(int argc, char** argv) try {
  std::vector<std::string> const a(argv + 1, argv + argc);
  servers::kafka_topics const topics{a.at(0)};
  auto const& what = a.at(1);
  if (what == "create") {
    topics.create(a.at(2), std::stoi(a.at(3)));
  } else if (what == "committed") {
    std::cout << topics.committed(a.at(2), a.at(3), std::stoi(a.at(4))) << '\n';
  } else if (what == "delete_below") {
    topics.delete_below(a.at(2), std::stoi(a.at(3)), std::stoll(a.at(4)));
  } else if (what == "read") {
    for (auto const& [partition, records] : topics.read(a.at(2), std::stoi(a.at(3))))
      for (auto const& [key, value] : records) std::cout << partition << '\t' << key << '\t' << value << '\n';
  } else if (what == "produce" || what == "abort") {
    std::map<int, std::vector<servers::topic_record>> parts;
    for (std::string line; std::getline(std::cin, line);) {
      auto const first = line.find('\t'), second = line.find('\t', first + 1);
      parts[std::stoi(line)].push_back({line.substr(first + 1, second - first - 1), line.substr(second + 1)});
    }
    for (auto const& [partition, records] : parts)
      what == "produce" ? topics.produce(a.at(2), partition, records) : topics.abort(a.at(2), partition, records);
  } else {
    throw std::invalid_argument("topics: no such command: " + what);
  }
} catch (std::exception const& e) {
  std::cerr << e.what() << '\n';
  return 1;
}
