#include "stream.hpp"

#include "access_log.hpp"

#include <sluice/detail/rdkafka.hpp>
#include <sluice/testing/embedded_broker.hpp>

#include <fmt/format.h>

#include <fstream>
#include <random>
#include <stdexcept>

namespace crash_course {
namespace {

using producer = std::unique_ptr<rd_kafka_t, sl::detail::destroyed_by<rd_kafka_destroy>>;

producer connect(std::string const& brokers) {
  std::string why(512, '\0');
  auto* conf = rd_kafka_conf_new();
  for (auto const& [key, value] : {std::pair{"bootstrap.servers", brokers.c_str()}, {"enable.idempotence", "true"}})
    if (rd_kafka_conf_set(conf, key, value, why.data(), why.size()) != RD_KAFKA_CONF_OK)
      throw std::runtime_error(why.c_str());
  producer p{rd_kafka_new(RD_KAFKA_PRODUCER, conf, why.data(), why.size())};
  if (!p) throw std::runtime_error(why.c_str());
  return p;
}

void create(rd_kafka_t* on, std::string const& topic) {
  std::string why(512, '\0');
  auto* wanted = rd_kafka_NewTopic_new(topic.c_str(), partitions, -1, why.data(), why.size());
  if (!wanted) throw std::runtime_error(why.c_str());
  sl::detail::rdkafka_queue const queue{rd_kafka_queue_new(on)};
  rd_kafka_CreateTopics(on, &wanted, 1, nullptr, queue.get());
  sl::detail::rdkafka_event const answer{rd_kafka_queue_poll(queue.get(), 30'000)};
  rd_kafka_NewTopic_destroy(wanted);
  if (!answer) throw std::runtime_error("no broker answered within 30 s");
  if (rd_kafka_event_error(answer.get())) throw std::runtime_error(rd_kafka_event_error_string(answer.get()));
  std::size_t n = 0;
  auto const* topics = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(answer.get()), &n);
  for (std::size_t i = 0; i < n; ++i)
    if (rd_kafka_topic_result_error(topics[i])) throw std::runtime_error(rd_kafka_topic_result_error_string(topics[i]));
}

void remove(rd_kafka_t* on, std::string const& topic) {
  auto* unwanted = rd_kafka_DeleteTopic_new(topic.c_str());
  sl::detail::rdkafka_queue const queue{rd_kafka_queue_new(on)};
  rd_kafka_DeleteTopics(on, &unwanted, 1, nullptr, queue.get());
  sl::detail::rdkafka_event const answer{rd_kafka_queue_poll(queue.get(), 10'000)};
  rd_kafka_DeleteTopic_destroy(unwanted);
}

/// The same client always goes to the same partition (FNV-1a, upper half).
std::size_t partition_of(std::string_view address) {
  std::uint64_t hash = 14695981039346656037u;
  for (char const c : address) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return (hash >> 32) % partitions;
}

input read(std::string const& file) {
  std::ifstream in{file};
  if (!in) throw std::runtime_error("can't read " + file);
  input lines(partitions);
  for (std::string line; std::getline(in, line);)
    if (!line.empty()) lines[partition_of(address_of(line))].push_back(line);
  for (std::size_t p = 0; p < lines.size(); ++p)
    if (lines[p].empty())
      throw std::runtime_error(fmt::format("{} has too few clients: nothing for partition {}", file, p));
  return lines;
}

void write(rd_kafka_t* to, std::string const& topic, input const& lines) {
  for (std::size_t p = 0; p < lines.size(); ++p)
    for (auto const& line : lines[p]) {
      auto const key = address_of(line);
      auto const rc =
          rd_kafka_producev(to, RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(static_cast<std::int32_t>(p)),
                            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key.data(), key.size()),
                            RD_KAFKA_V_VALUE(const_cast<char*>(line.data()), line.size()), RD_KAFKA_V_END);
      if (rc != RD_KAFKA_RESP_ERR_NO_ERROR) throw std::runtime_error(rd_kafka_err2str(rc));
    }
  if (rd_kafka_flush(to, 60'000) != RD_KAFKA_RESP_ERR_NO_ERROR)
    throw std::runtime_error("the input was not acknowledged");
}

}  // namespace

stream::stream(std::string const& file, std::string const& brokers)
    : brokers_(brokers), topic_(fmt::format("access-log-{:08x}", std::random_device{}())), input_(read(file)) {
  if (brokers_.empty()) {
    embedded_ = std::make_unique<sl::testing::embedded_broker>();
    embedded_->create_topic(topic_, partitions);
    brokers_ = embedded_->bootstrap();
  }
  auto const to = connect(brokers_);
  if (!embedded_) create(to.get(), topic_);
  write(to.get(), topic_, input_);
}

stream::~stream() {
  if (!embedded_) remove(connect(brokers_).get(), topic_);
}

}  // namespace crash_course
