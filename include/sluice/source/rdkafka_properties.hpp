/// \file source/rdkafka_properties.hpp  The names of librdkafka's properties: whose they are, what to write instead, what may be printed.
#pragma once
#include <sluice/detail/rdkafka.hpp>
#include <sluice/error.hpp>

#include <array>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail {

inline constexpr char const* own_prefix = "sluice.";
inline constexpr char const* plaintext_credentials = "sluice.allow.plaintext.credentials";

struct renamed {
  std::string_view name;
  std::string_view instead;
};

/// What the library sets itself, under all of librdkafka's names, and what the user says instead.
inline constexpr std::array owned_properties{
    renamed{"bootstrap.servers", "kafka{.brokers}"},
    renamed{"metadata.broker.list", "kafka{.brokers}"},
    renamed{"group.id", "kafka{.group}"},
    renamed{"enable.auto.commit", "the offset store, which is where progress is kept"},
    renamed{"auto.commit.enable", "the offset store, which is where progress is kept"},
    renamed{"auto.commit.interval.ms", "periodic_kafka_offsets"},
    renamed{"enable.auto.offset.store", "the offset store, which is where progress is kept"},
    renamed{"offset.store.method", "the offset store, which is where progress is kept"},
    renamed{"offset.store.path", "the offset store, which is where progress is kept"},
    renamed{"offset.store.sync.interval.ms", "the offset store, which is where progress is kept"},
    renamed{"auto.offset.reset", "kafka{.start, .on_out_of_range, .on_position_error}"},
    renamed{"enable.partition.eof", "stream_consumer's lag(); ends are not events here"},
    renamed{"queued.max.messages.kbytes", "kafka{.max_buffered, .expected_partitions}"},
    renamed{"log.queue", "an observer with on_log"},
    renamed{"enabled_events", "an observer"},
};

/// What people bring along from Java and Spark.
inline constexpr std::array foreign_properties{
    renamed{"max.poll.records", "micro_batch{.max_records}"},
    renamed{"key.deserializer", "a handler that decodes: records are bytes here"},
    renamed{"value.deserializer", "a handler that decodes: records are bytes here"},
    renamed{"key.serializer", "bytes: what is written is written as it is"},
    renamed{"value.serializer", "bytes: what is written is written as it is"},
    renamed{"fetch.max.wait.ms", "fetch.wait.max.ms"},
    renamed{"request.timeout.ms", "socket.timeout.ms"},
    renamed{"default.api.timeout.ms", "socket.timeout.ms"},
    renamed{"receive.buffer.bytes", "socket.receive.buffer.bytes"},
    renamed{"send.buffer.bytes", "socket.send.buffer.bytes"},
    renamed{"ssl.truststore.location", "ssl.ca.location with a PEM file"},
    renamed{"ssl.truststore.password", "ssl.ca.location with a PEM file, which has no password"},
    renamed{"ssl.truststore.type", "ssl.ca.location with a PEM file"},
    renamed{"ssl.keystore.type", "ssl.keystore.location, always PKCS#12, or ssl.certificate.location"},
    renamed{"sasl.jaas.config", "sasl.username and sasl.password"},
    renamed{"interceptor.classes", "an observer"},
    renamed{"metric.reporters", "an observer, or stream_consumer's statistics()"},
    renamed{"startingOffsets", "kafka{.start}"},
    renamed{"startingTimestamp", "kafka{.start = start_at::since(...)}"},
    renamed{"failOnDataLoss", "kafka{.on_out_of_range, .on_position_error}"},
    renamed{"maxOffsetsPerTrigger", "micro_batch{.max_records}"},
    renamed{"kafka.bootstrap.servers", "kafka{.brokers}"},
    renamed{"kafka.group.id", "kafka{.group}"},
    renamed{"subscribe", "kafka{.topics}"},
    renamed{"subscribePattern", "kafka{.pattern}"},
    renamed{"assign", "kafka_partitions{.partitions}"},
    renamed{"checkpointLocation", "an offset store"},
    renamed{"spark.streaming.kafka.maxRatePerPartition", "max_rate_per_partition"},
    renamed{"spark.streaming.kafka.minRatePerPartition", "pid_backpressure"},
    renamed{"spark.streaming.backpressure.enabled", "pid_backpressure"},
    renamed{"spark.streaming.backpressure.initialRate", "pid_backpressure{.initial_rate}"},
    renamed{"spark.streaming.stopGracefullyOnShutdown", "run(), which drains when it is asked to stop"},
};

/// Keys whose values hold no secret; every other value is printed as `***`.
inline constexpr std::array printable_properties{
    std::string_view{"client.id"},
    std::string_view{"client.rack"},
    std::string_view{"group.instance.id"},
    std::string_view{"group.protocol"},
    std::string_view{"partition.assignment.strategy"},
    std::string_view{"isolation.level"},
    std::string_view{"security.protocol"},
    std::string_view{"sasl.mechanisms"},
    std::string_view{"sasl.mechanism"},
    std::string_view{"enable.ssl.certificate.verification"},
    std::string_view{"ssl.endpoint.identification.algorithm"},
    std::string_view{"check.crcs"},
    std::string_view{"debug"},
    std::string_view{"log_level"},
    std::string_view{"broker.address.family"},
    std::string_view{"queued.min.messages"},
    std::string_view{"allow.auto.create.topics"},
    std::string_view{plaintext_credentials},
};

inline bool is_number(std::string_view value) {
  return !value.empty() && value.size() <= 11 &&
         std::all_of(value.begin(), value.end(), [](char c) { return (c >= '0' && c <= '9') || c == '-'; });
}

/// Times and sizes are numbers by their names.
inline bool is_numeric(std::string_view key) { return key.ends_with(".ms") || key.ends_with(".bytes"); }

inline bool may_be_printed(std::string_view key, std::string_view value) {
  return (is_numeric(key) && is_number(value)) ||
         std::find(printable_properties.begin(), printable_properties.end(), key) != printable_properties.end();
}

template <class Table>
std::string_view instead_of(Table const& table, std::string_view key) {
  for (auto const& row : table)
    if (row.name == key) return row.instead;
  return {};
}

/// Throws where the key is not the user's to set, or another system's.
inline void check_name(std::string const& key, bool committed_only) {
  if (key.starts_with(own_prefix) && key != plaintext_credentials)
    throw error(errc::unknown_property, "there is no property " + key + "; the library's own is " +
                                            plaintext_credentials + ", all others are librdkafka's");
  if (auto const use = instead_of(owned_properties, key); !use.empty())
    throw error(errc::owned_property, key + " is set by the library: leave it out and use " + std::string(use));
  if (committed_only && key == "isolation.level")
    throw error(errc::owned_property, key + " is read_committed from Kafka to Kafka: leave it out");
  if (auto const use = instead_of(foreign_properties, key); !use.empty())
    throw error(errc::unknown_property, key + " is not librdkafka's: use " + std::string(use));
}

/// Levenshtein's distance.
inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    auto diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j)
      diagonal = std::exchange(row[j + 1], std::min({row[j] + 1, row[j + 1] + 1, diagonal + (a[i] == b[j] ? 0u : 1u)}));
  }
  return row.back();
}

/// "there is no property X; did you mean Y?", Y from what the running librdkafka knows.
inline std::string unknown_property_sentence(std::string const& key) {
  std::string best;
  std::size_t distance = std::max<std::size_t>(3, key.size() / 4);
  auto const consider = [&](std::string_view name) {
    if (!instead_of(owned_properties, name).empty()) return;
    if (auto const d = edit_distance(key, name); d < distance) {
      distance = d;
      best = name;
    }
  };
  // The table for people: all names, one to a line.
  char* table = nullptr;
  std::size_t size = 0;
  if (auto* memory = ::open_memstream(&table, &size)) {
    rd_kafka_conf_properties_show(memory);
    std::fclose(memory);
    std::string_view lines{table, size};
    for (std::size_t at = 0; at < lines.size(); at = lines.find('\n', at) + 1) {
      auto const name = lines.substr(at, lines.find_first_of(" |\n", at) - at);
      if (name.find('.') != std::string_view::npos || name == "debug") consider(name);
      if (lines.find('\n', at) == std::string_view::npos) break;
    }
    std::free(table);
  }
  return "librdkafka " + std::string(rd_kafka_version_str()) + " has no property " + key +
         (best.empty() ? "; its CONFIGURATION.md lists them" : "; did you mean " + best + "?");
}

/// librdkafka's own sentence holds the value, so it is passed on only where key and value are a plain number.
inline std::string bad_value_sentence(std::string const& key, std::string const& value, std::string_view why) {
  if (is_numeric(key) && is_number(value) && !why.empty()) return std::string(why);
  return key + (is_numeric(key) ? " takes a whole number"
                                : " has a value that librdkafka " + std::string(rd_kafka_version_str()) +
                                      " does not take; its CONFIGURATION.md says what it may be");
}

inline std::string value_of(std::map<std::string, std::string> const& properties, char const* key,
                            char const* alias = nullptr) {
  if (auto const at = properties.find(key); at != properties.end()) return at->second;
  return alias ? value_of(properties, alias) : std::string{};
}

inline std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}
inline std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

inline std::vector<std::string> split(std::string const& list) {
  std::vector<std::string> names(1);
  for (char const c : list)
    if (c == ',')
      names.emplace_back();
    else if (c != ' ')
      names.back() += c;
  std::erase(names, std::string{});
  return names;
}

inline std::string dotted(int version) {
  return std::to_string(version >> 24 & 0xff) + "." + std::to_string(version >> 16 & 0xff) + "." +
         std::to_string(version >> 8 & 0xff);
}

inline bool is_secret(std::string_view key) {
  for (auto const* part : {"password", "secret", "token", "pem", "sasl.username", "config", "extensions", "jaas"})
    if (key.find(part) != std::string_view::npos) return true;
  return false;
}

/// Text of librdkafka's, with every secret that the user configured struck out.
inline std::string without_secrets(std::string text, std::map<std::string, std::string> const& properties) {
  for (auto const& [key, value] : properties) {
    if (value.size() < 4 || !is_secret(key)) continue;
    for (auto at = text.find(value); at != std::string::npos; at = text.find(value, at + 3))
      text.replace(at, value.size(), "***");
  }
  return text;
}

}}}  // namespace sluice::v0::detail
