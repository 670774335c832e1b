/// \file source/rdkafka_properties.hpp  The names of librdkafka's properties: whose they are, what to write instead, what may be printed.
#pragma once
#include <sluice/detail/rdkafka.hpp>
#include <sluice/error.hpp>

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail {

inline constexpr char const* own_prefix = "sluice.";
inline constexpr char const* plaintext_credentials = "sluice.allow.plaintext.credentials";

/// Plain pointers: string_views would be measured while compiling, in every file.
struct renamed {
  char const* name;
  char const* instead;
};

/// What the library sets itself, under all of librdkafka's names, and what the user says instead.
inline constexpr renamed owned_properties[] = {
    {"bootstrap.servers", "kafka{.brokers}"},
    {"metadata.broker.list", "kafka{.brokers}"},
    {"group.id", "kafka{.group}"},
    {"enable.auto.commit", "the offset store, which is where progress is kept"},
    {"auto.commit.enable", "the offset store, which is where progress is kept"},
    {"auto.commit.interval.ms", "periodic_kafka_offsets"},
    {"enable.auto.offset.store", "the offset store, which is where progress is kept"},
    {"offset.store.method", "the offset store, which is where progress is kept"},
    {"offset.store.path", "the offset store, which is where progress is kept"},
    {"offset.store.sync.interval.ms", "the offset store, which is where progress is kept"},
    {"auto.offset.reset", "kafka{.start, .on_out_of_range, .on_position_error}"},
    {"enable.partition.eof", "stream_consumer's lag(), or .until"},
    {"queued.max.messages.kbytes", "kafka{.max_buffered, .expected_partitions}"},
    {"transactional.id", "kafka_offsets{.transactional_id}"},
    {"transaction.timeout.ms", "kafka_offsets{.transaction_timeout}"},
    {"enable.idempotence", "kafka_output, which always is idempotent"},
    {"acks", "kafka_output, which always waits for all replicas in sync"},
    {"request.required.acks", "kafka_output, which always waits for all replicas in sync"},
    {"log.queue", "an observer with on_log"},
    {"enabled_events", "an observer"},
};

/// What people bring along from Java and Spark.
inline constexpr renamed foreign_properties[] = {
    {"max.poll.records", "micro_batch{.max_records}"},
    {"key.deserializer", "a handler that decodes: records are bytes here"},
    {"value.deserializer", "a handler that decodes: records are bytes here"},
    {"key.serializer", "bytes: what is written is written as it is"},
    {"value.serializer", "bytes: what is written is written as it is"},
    {"fetch.max.wait.ms", "fetch.wait.max.ms"},
    {"request.timeout.ms", "socket.timeout.ms"},
    {"default.api.timeout.ms", "socket.timeout.ms"},
    {"receive.buffer.bytes", "socket.receive.buffer.bytes"},
    {"send.buffer.bytes", "socket.send.buffer.bytes"},
    {"ssl.truststore.location", "ssl.ca.location with a PEM file"},
    {"ssl.truststore.password", "ssl.ca.location with a PEM file, which has no password"},
    {"ssl.truststore.type", "ssl.ca.location with a PEM file"},
    {"ssl.keystore.type", "ssl.keystore.location, always PKCS#12, or ssl.certificate.location"},
    {"sasl.jaas.config", "sasl.username and sasl.password"},
    {"interceptor.classes", "an observer"},
    {"metric.reporters", "an observer, or stream_consumer's statistics()"},
    {"startingOffsets", "kafka{.start}"},
    {"startingTimestamp", "kafka{.start = start_at::since(...)}"},
    {"failOnDataLoss", "kafka{.on_out_of_range, .on_position_error}"},
    {"maxOffsetsPerTrigger", "micro_batch{.max_records}"},
    {"kafka.bootstrap.servers", "kafka{.brokers}"},
    {"kafka.group.id", "kafka{.group}"},
    {"subscribe", "kafka{.topics}"},
    {"subscribePattern", "kafka{.pattern}"},
    {"assign", "kafka_partitions{.partitions}"},
    {"checkpointLocation", "an offset store"},
    {"spark.streaming.kafka.maxRatePerPartition", "max_rate_per_partition"},
    {"spark.streaming.kafka.minRatePerPartition", "pid_backpressure"},
    {"spark.streaming.backpressure.enabled", "pid_backpressure"},
    {"spark.streaming.backpressure.initialRate", "pid_backpressure{.initial_rate}"},
    {"spark.streaming.stopGracefullyOnShutdown", "run(), which drains when it is asked to stop"},
};

/// Keys whose values hold no secret; every other value is printed as `***`.
inline constexpr char const* printable_properties[] = {
    "client.id",
    "client.rack",
    "group.instance.id",
    "group.protocol",
    "partition.assignment.strategy",
    "isolation.level",
    "security.protocol",
    "sasl.mechanisms",
    "sasl.mechanism",
    "enable.ssl.certificate.verification",
    "ssl.endpoint.identification.algorithm",
    "check.crcs",
    "debug",
    "log_level",
    "broker.address.family",
    "queued.min.messages",
    "allow.auto.create.topics",
    plaintext_credentials,
};

inline bool is_number(std::string_view value) {
  return !value.empty() && value.size() <= 11 && value.find_first_not_of("-0123456789") == value.npos;
}

/// Times and sizes are numbers by their names.
inline bool is_numeric(std::string_view key) { return key.ends_with(".ms") || key.ends_with(".bytes"); }

inline bool may_be_printed(std::string_view key, std::string_view value) {
  for (std::string_view const printable : printable_properties)
    if (key == printable) return true;
  return is_numeric(key) && is_number(value);
}

/// "client.id=a sasl.password=***", with `between` between them.
template <class Properties>
std::string printed(Properties const& properties, char const* between) {
  std::string text;
  for (auto const& [key, value] : properties)
    text += (text.empty() ? "" : between) + key + "=" + (may_be_printed(key, value) ? value : "***");
  return text;
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
template <class Row = std::vector<std::size_t>>
std::size_t edit_distance(std::string_view a, std::string_view b) {
  Row row(b.size() + 1);
  for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
  for (std::size_t i = 0; i < a.size(); ++i) {
    auto diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j)
      diagonal = std::exchange(row[j + 1], std::min({row[j] + 1, row[j + 1] + 1, diagonal + (a[i] == b[j] ? 0u : 1u)}));
  }
  return row.back();
}

/// "there is no property X; did you mean Y?", Y from what the running librdkafka knows.
template <class Text>
std::string unknown_property_sentence(Text const& key) {
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

template <class Properties>
std::string value_of(Properties const& properties, char const* key, char const* alias = nullptr) {
  if (auto const at = properties.find(key); at != properties.end()) return at->second;
  return alias ? value_of(properties, alias) : std::string{};
}

inline std::string lower(std::string text) {
  for (auto& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}
inline std::string upper(std::string text) {
  for (auto& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

template <class Names = std::vector<std::string>>
Names split(std::string const& list) {
  Names names(1);
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
template <class Properties>
std::string without_secrets(std::string text, Properties const& properties) {
  for (auto const& [key, value] : properties) {
    if (value.size() < 4 || !is_secret(key)) continue;
    for (auto at = text.find(value); at != std::string::npos; at = text.find(value, at + 3))
      text.replace(at, value.size(), "***");
  }
  return text;
}

}}}  // namespace sluice::v0::detail
