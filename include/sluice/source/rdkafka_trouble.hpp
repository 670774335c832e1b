/// \file source/rdkafka_trouble.hpp  librdkafka's error codes in the library's words: a code, and what to do about it.
#pragma once
#include <sluice/error.hpp>
#include <sluice/source/rdkafka_config.hpp>

#include <string>

namespace sluice { inline namespace v0 { namespace detail {

inline errc code_of(rd_kafka_resp_err_t e) {
  switch (e) {
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
      return errc::no_broker;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      return errc::unknown_topic;
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
    case RD_KAFKA_RESP_ERR__FENCED:
      return errc::fenced;
    default:
      return errc::client_failed;
  }
}

/// One broker's failure, more telling than that all of them are down.
inline bool says_why_not_connected(rd_kafka_resp_err_t e) {
  return e == RD_KAFKA_RESP_ERR__TRANSPORT || e == RD_KAFKA_RESP_ERR__RESOLVE || e == RD_KAFKA_RESP_ERR__SSL ||
         e == RD_KAFKA_RESP_ERR__AUTHENTICATION || e == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED;
}

/// What the user may do about it, to be put behind librdkafka's own sentence; empty where that is enough. SCRAM against
/// Kafka 4 fails before 2.6.1 since the nonce was sent twice (librdkafka#4895).
template <class Settings>
std::string remedy(rd_kafka_resp_err_t e, Settings const& settings, int version = running_rdkafka()) {
  switch (e) {
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__RESOLVE:
      return "; brokers are " + settings.brokers + ": check kafka{.brokers}";
    case RD_KAFKA_RESP_ERR__SSL:
      return "; check ssl.ca.location and the broker's certificate";
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
      return "; group.instance.id must differ from member to member";
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
      return "; check kafka{.topics}, or create the topic";
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      return "; this user needs READ and DESCRIBE on the topic";
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
      return "; this user needs READ on the group \"" + settings.group + "\"";
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED: {
      bool const scram = upper(value_of(settings.properties, "sasl.mechanisms", "sasl.mechanism")).starts_with("SCRAM");
      if (scram && version < rdkafka_version(2, 6, 1))
        return "; librdkafka " + dotted(version) +
               " can't do SCRAM with Kafka 4, 2.6.1 and later can; otherwise check sasl.username and sasl.password";
      return "; check sasl.mechanism, sasl.username and sasl.password";
    }
    default:
      return {};
  }
}

}}}  // namespace sluice::v0::detail
