// What stands in a topic of an embedded broker, or of another one with a bootstrap(), read by a bare librdkafka consumer.
#pragma once
#include <sluice/testing/embedded_broker.hpp>

#include <map>
#include <string>
#include <vector>

namespace written {
namespace sl = sluice;

struct record {
  std::int32_t partition = 0;
  std::int64_t at = 0;
  std::optional<std::string> key{}, value{};
  std::vector<std::pair<std::string, std::optional<std::string>>> headers{};
};

inline std::optional<std::string> text(void const* data, std::size_t size) {
  if (!data) return std::nullopt;
  return std::string{static_cast<char const*>(data), size};
}

/// `count` records of `topic`, in the order of their partitions; fewer where no more come for 3 s.
template <class Broker>
std::vector<record> in(Broker const& broker, std::string const& topic, int partitions, std::size_t count) {
  sl::detail::rdkafka_conf conf{rd_kafka_conf_new()};
  char why[256];
  for (auto const& [key, value] : std::map<std::string, std::string>{{"bootstrap.servers", broker.bootstrap()},
                                                                     {"group.id", "reader"},
                                                                     {"enable.auto.commit", "false"},
                                                                     {"fetch.wait.max.ms", "10"}})
    rd_kafka_conf_set(conf.get(), key.c_str(), value.c_str(), why, sizeof why);
  rd_kafka_conf_set_log_cb(conf.get(), nullptr);
  auto* const client = rd_kafka_new(RD_KAFKA_CONSUMER, conf.release(), why, sizeof why);
  rd_kafka_poll_set_consumer(client);
  auto list = sl::detail::make_rdkafka_list(static_cast<std::size_t>(partitions));
  for (int p = 0; p < partitions; ++p) sl::detail::append(*list, {topic, p}).offset = 0;
  rd_kafka_assign(client, list.get());
  std::vector<record> found;
  while (found.size() < count) {
    auto* const m = rd_kafka_consumer_poll(client, 3000);
    if (!m) break;
    if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      record r{.partition = m->partition,
               .at = m->offset,
               .key = text(m->key, m->key_len),
               .value = text(m->payload, m->len)};
      rd_kafka_headers_t* headers = nullptr;
      if (rd_kafka_message_headers(m, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        char const* name = nullptr;
        void const* value = nullptr;
        std::size_t size = 0;
        for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == 0; ++i)
          r.headers.emplace_back(name, text(value, size));
      }
      found.push_back(std::move(r));
    }
    rd_kafka_message_destroy(m);
  }
  rd_kafka_consumer_close(client);
  rd_kafka_destroy(client);
  std::ranges::sort(found, {}, [](record const& r) { return std::pair{r.partition, r.at}; });
  return found;
}

inline sl::time_point within(std::chrono::milliseconds time) { return std::chrono::steady_clock::now() + time; }

}  // namespace written
