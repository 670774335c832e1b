/// \file source/rdkafka_config.hpp  From what the user wrote to librdkafka's configuration, refused where it can't hold.
#pragma once
#include <sluice/access_token.hpp>
#include <sluice/detail/rdkafka.hpp>
#include <sluice/source/rdkafka_properties.hpp>

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace sluice { inline namespace v0 {

/// What the source tells the client. `properties` are librdkafka's, as the user gave them, and one of our own:
/// `sluice.allow.plaintext.credentials` = `true` lets passwords and tokens go without TLS.
struct rdkafka_settings {
  std::string brokers{};
  std::string group{};  ///< may be empty where partitions are assigned by hand and nothing is kept in the group
  std::map<std::string, std::string> properties{};
  bool subscribe = true;                 ///< a member of the group; false: partitions are assigned by hand
  bool commits = true;                   ///< positions are kept in the group: kafka_offsets, or the mirror
  bool committed_only = false;           ///< Kafka to Kafka: isolation.level is not the user's to choose
  std::size_t max_buffered = 256 << 20;  ///< bytes of fetched records, over all partitions
  int expected_partitions = 64;          ///< max_buffered is shared by so many
  std::function<void(int level, std::string_view line)> log{};  ///< on the thread that polls; syslog's levels
  token_source token{};
  bool tells_ends = false;  ///< of partitions, as they are reached
};

namespace detail {

inline void set(rd_kafka_conf_t& conf, std::string const& key, std::string const& value) {
  char why[512] = "";
  switch (rd_kafka_conf_set(&conf, key.c_str(), value.c_str(), why, sizeof why)) {
    case RD_KAFKA_CONF_OK:
      return;
    case RD_KAFKA_CONF_UNKNOWN:
      throw error(errc::unknown_property, unknown_property_sentence(key));
    default:
      throw error(errc::bad_configuration, bad_value_sentence(key, value, why));
  }
}

/// cooperative-sticky and the consumer protocol, as the library that runs has them. librdkafka#4312, #4783, #4908.
template <class Properties = std::map<std::string, std::string>>
void check_strategy(Properties const& properties, bool commits, int version) {
  auto const refuse = [version](std::string const& what, char const* needed, char const* why) {
    throw error(errc::bad_configuration, what + " needs librdkafka " + needed + ", this is " + dotted(version) + ": " +
                                             why + "; leave it out, which gives range, or use that librdkafka");
  };
  if (lower(value_of(properties, "group.protocol")) == "consumer" && version < rdkafka_version(2, 12, 0))
    refuse("group.protocol=consumer", "2.12.0", "before that it is a preview");
  auto const strategies = value_of(properties, "partition.assignment.strategy");
  bool cooperative = false;
  for (auto const& name : split(strategies)) {
    if (name == "cooperative-sticky")
      cooperative = true;
    else if (name != "range" && name != "roundrobin")
      throw error(errc::bad_configuration,
                  "partition.assignment.strategy takes range, roundrobin or cooperative-sticky, by these names");
  }
  if (!cooperative) return;
  if (version < rdkafka_version(2, 6, 1))
    refuse("partition.assignment.strategy=cooperative-sticky", "2.6.1",
           "before that a member that closes early aborts the process, and a group may never settle");
  if (commits && version < rdkafka_version(2, 10, 0))
    refuse(
        "partition.assignment.strategy=cooperative-sticky with positions, or copies of them (.mirror), kept in Kafka",
        "2.10.0", "before that a commit during a rebalance loses the assignment");
}

template <class Properties>
std::string mechanism_of(Properties const& properties) {
  return upper(value_of(properties, "sasl.mechanisms", "sasl.mechanism"));
}

/// A password or token must not travel in the clear unless somebody said so; and OAUTHBEARER needs somebody who gives
/// tokens, whom nothing else needs.
template <class Properties>
void check_credentials(Properties const& properties, bool gives_tokens) {
  auto const protocol = lower(value_of(properties, "security.protocol"));
  auto const mechanism = mechanism_of(properties);
  if (protocol.starts_with("sasl_") && mechanism.empty())
    throw error(errc::bad_configuration, "security.protocol=" + protocol +
                                             " needs sasl.mechanism: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER "
                                             "or GSSAPI");
  bool const bearer = mechanism == "OAUTHBEARER" && protocol.starts_with("sasl_");
  auto const unsecure = lower(value_of(properties, "enable.sasl.oauthbearer.unsecure.jwt"));
  bool const by_librdkafka = lower(value_of(properties, "sasl.oauthbearer.method")) == "oidc" || unsecure == "true" ||
                             unsecure == "t" || unsecure == "1";
  if (gives_tokens && (!bearer || by_librdkafka))
    throw error(errc::bad_configuration,
                ".token is given, which is for security.protocol=sasl_ssl with sasl.mechanism=OAUTHBEARER and without "
                "sasl.oauthbearer.method or enable.sasl.oauthbearer.unsecure.jwt: set these so, or leave .token out");
  if (bearer && !gives_tokens && !by_librdkafka)
    throw error(errc::bad_configuration,
                "sasl.mechanism=OAUTHBEARER needs tokens: give kafka{.token}, a function, or let librdkafka fetch them "
                "with sasl.oauthbearer.method=oidc");
  bool const secret = mechanism == "PLAIN" || mechanism.starts_with("SCRAM") || bearer;
  if (!secret || protocol != "sasl_plaintext" || value_of(properties, plaintext_credentials) == "true") return;
  throw error(errc::bad_configuration,
              "security.protocol=sasl_plaintext would send the " + std::string(bearer ? "token" : "password") +
                  " without TLS: use sasl_ssl, or say {\"" + plaintext_credentials + "\", \"true\"} in properties");
}

/// True where the group's protocol moves partitions one by one.
template <class Settings>
bool is_cooperative(Settings const& settings) {
  return settings.subscribe &&
         (value_of(settings.properties, "partition.assignment.strategy").find("cooperative") != std::string::npos ||
          lower(value_of(settings.properties, "group.protocol")) == "consumer");
}

/// Throws error(unknown_property, owned_property, bad_configuration) with the key and the remedy, never with a value.
template <class Settings = rdkafka_settings>
rdkafka_conf make_rdkafka_conf(Settings const& settings) {
  if (settings.brokers.empty())
    throw error(errc::bad_configuration, "no brokers are named: kafka{.brokers = \"host:9092\"}");
  if (settings.group.empty() && (settings.subscribe || settings.commits))
    throw error(errc::bad_configuration, "no group is named: give the source a .group that nothing else uses");
  if (settings.expected_partitions < 1) throw error(errc::bad_configuration, "expected_partitions must be at least 1");

  rdkafka_conf conf{rd_kafka_conf_new()};
  auto const& given = settings.properties;
  for (auto const& [key, value] : given) {
    check_name(key, settings.committed_only);
    if (!key.starts_with(own_prefix)) set(*conf, key, value);
  }
  check_strategy(given, settings.commits, running_rdkafka());
  check_credentials(given, static_cast<bool>(settings.token));

  auto const unless_given = [&](std::initializer_list<char const*> names, char const* value) {
    for (auto const* name : names)
      if (given.contains(name)) return;
    set(*conf, *names.begin(), value);
  };
  // A factor of two and more in throughput, at a bounded memory; measured on a real broker.
  unless_given({"fetch.message.max.bytes", "max.partition.fetch.bytes"}, "131072");
  unless_given({"queued.min.messages"}, "200000");
  unless_given({"fetch.wait.max.ms"}, "10");
  // How long a partition whose queue was full waits: before 2.2 the wait after an error was used for it.
  if (running_rdkafka() < rdkafka_version(2, 2, 0))
    unless_given({"fetch.error.backoff.ms"}, "1");
  else
    unless_given({"fetch.queue.backoff.ms"}, "1");
  unless_given({"check.crcs"}, "true");
  unless_given({"isolation.level"}, "read_committed");
  if (lower(value_of(given, "group.protocol")) != "consumer") unless_given({"partition.assignment.strategy"}, "range");

  set(*conf, "bootstrap.servers", settings.brokers);
  set(*conf, "group.id", settings.group.empty() ? "sluice.no.group" : settings.group);
  set(*conf, "enable.auto.commit", "false");
  set(*conf, "enable.auto.offset.store", "false");
  set(*conf, "auto.offset.reset", "error");
  set(*conf, "enable.partition.eof", settings.tells_ends ? "true" : "false");
  set(*conf, "log.queue", "true");
  // With a partition's queue apart from the others librdkafka's cap holds for each partition.
  auto const each = settings.max_buffered / static_cast<std::size_t>(settings.expected_partitions) / 1024;
  set(*conf, "queued.max.messages.kbytes", std::to_string(std::clamp<std::size_t>(each, 1, 2097151)));
  rd_kafka_conf_set_events(conf.get(), RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG |
                                           RD_KAFKA_EVENT_OFFSET_COMMIT | RD_KAFKA_EVENT_STATS |
                                           (settings.token ? RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH : 0));
  return conf;
}

}  // namespace detail

/// The settings for a log: values only of keys that hold no secret, `***` for all others.
template <class Settings = rdkafka_settings>
std::string describe(Settings const& settings) {
  auto const text = "brokers=" + settings.brokers + " group=" + settings.group;
  return settings.properties.empty() ? text : text + " " + detail::printed(settings.properties, " ");
}

}}  // namespace sluice::v0
