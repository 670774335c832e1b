/// \file source/rdkafka_trouble.hpp  librdkafka's error codes in the library's words: a code, what to do about it, and why nobody was reached.
#pragma once
#include <sluice/detail/late.hpp>
#include <sluice/error.hpp>
#include <sluice/source/rdkafka_config.hpp>

#include <set>
#include <string>
#include <string_view>

namespace sluice { inline namespace v0 { namespace detail {

/// The brokers know who asks, and say no.
inline bool is_denied(rd_kafka_resp_err_t e) {
  return e == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED || e == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ||
         e == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED ||
         e == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
}

inline errc unavailable_or_denied(rd_kafka_resp_err_t e) {
  return is_denied(e) ? errc::access_denied : errc::store_unavailable;
}

/// The right that is missing, to be put behind librdkafka's own sentence; empty where that is not why.
inline char const* missing_right(rd_kafka_resp_err_t e, bool writes = false) {
  switch (e) {
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      return writes ? "; this user needs WRITE on the topic" : "; this user needs READ on the topic";
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
      return "; this user needs READ on the group";
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
      return "; this user needs WRITE on the transactional id";
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
      return "; this user needs WRITE on a topic, or IDEMPOTENT_WRITE on the cluster";
    default:
      return "";
  }
}

/// A TLS alert, such as that of a broker which asks for a certificate and got none, comes as a lost connection.
inline bool is_login(rd_kafka_resp_err_t e, std::string_view text) {
  return e == RD_KAFKA_RESP_ERR__SSL || e == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
         e == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED ||
         (e == RD_KAFKA_RESP_ERR__TRANSPORT && text.find("SSL routines") != text.npos);
}

inline errc code_of(rd_kafka_resp_err_t e, std::string_view text = {}) {
  if (is_denied(e)) return errc::access_denied;
  if (is_login(e, text)) return errc::login_failed;
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

/// Before the handshake has ended librdkafka tells this as a lost connection where it meets it while it writes.
inline bool is_certificate(rd_kafka_resp_err_t e, std::string_view text) {
  return e == RD_KAFKA_RESP_ERR__SSL || text.find("certificate verify failed") != text.npos;
}

/// What the user may do about it, to be put behind librdkafka's own sentence; empty where that is enough. SCRAM against
/// Kafka 4 fails before 2.6.1 since the nonce was sent twice (librdkafka#4895).
template <class Settings>
std::string remedy(rd_kafka_resp_err_t e, std::string_view text, Settings const& settings,
                   int version = running_rdkafka()) {
  if (is_login(e, text) && text.find("alert") != text.npos && text.find("certificate") != text.npos)
    return "; the broker wants a client's certificate that it knows: check ssl.certificate.location and "
           "ssl.key.location, or ssl.keystore.location";
  if (text.find("mechanism handshake failed") != text.npos) return "; set sasl.mechanism to one that the broker has";
  if (is_certificate(e, text))
    return "; check ssl.ca.location, and that the broker's certificate is for the name in kafka{.brokers}";
  switch (e) {
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__RESOLVE:
      return "; brokers are " + settings.brokers + ": check kafka{.brokers}";
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
      return "; group.instance.id must differ from member to member";
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
      return "; check kafka{.topics}, or create the topic";
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
      return missing_right(e) + (" \"" + settings.group + "\"");
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED: {
      auto const mechanism = mechanism_of(settings.properties);
      if (mechanism == "OAUTHBEARER")
        return "; check the tokens that kafka{.token} gives, and what the broker asks of them";
      if (mechanism.starts_with("SCRAM") && version < rdkafka_version(2, 6, 1))
        return "; librdkafka " + dotted(version) +
               " can't do SCRAM with Kafka 4, 2.6.1 and later can; otherwise check sasl.username and sasl.password";
      return "; check sasl.mechanism, sasl.username and sasl.password";
    }
    default:
      return missing_right(e);
  }
}

template <class Text = std::string>
void check(rd_kafka_resp_err_t e, char const* what) {
  if (e != RD_KAFKA_RESP_ERR_NO_ERROR)
    throw error(errc::client_failed, Text("can't ") + what + ": " + rd_kafka_err2str(e));
}
template <class Text = std::string>
void check(rdkafka_error const& e, char const* what) {
  if (e) throw error(errc::client_failed, Text("can't ") + what + ": " + rd_kafka_error_string(e.get()));
}

/// What was heard last of brokers that can't be reached, or don't let this client in.
template <class Late>
class basic_connection_trouble {
  late<std::set<std::string>, Late> refused_{};  // "ssl://host:9093", of those that are named
  std::string last_{};
  errc code_ = errc::no_broker;

 public:
  /// `text` is librdkafka's ("ssl://host:9093/bootstrap: SSL handshake failed: ..."), without secrets.
  void hear(rd_kafka_resp_err_t e, std::string_view text, std::string const& what_to_do) {
    auto const code = code_of(e, text);
    if (auto const end = text.find("/bootstrap: "); code == errc::login_failed && end != text.npos)
      refused_.emplace(text.substr(0, end));
    // A refusal is more telling than other brokers that are away.
    if (!says_why_not_connected(e) || (code_ == errc::login_failed && code != code_)) return;
    last_ = std::string(text) + what_to_do;
    code_ = code;
  }
  void has_no_token(std::string const& why) {
    last_ = why;
    code_ = errc::login_failed;
  }

  /// Once every broker that is named has refused: waiting does not help.
  void throw_if_all_refuse(std::string const& brokers) const {
    if (!refused_.empty() && refused_.size() >= split(brokers).size()) throw_no_login(brokers);
  }
  /// The answer; where no broker gives one, the error with what was heard last, after `hear()` has heard the rest.
  template <class Ask, class Hear>
  auto explained(Ask ask, Hear hear, std::string const& brokers) {
    try {
      auto answer = ask();
      *this = {};
      return answer;
    } catch (error const& e) {
      if (e.code() != errc::no_broker) throw;
      hear();
      if (code_ == errc::login_failed) throw_no_login(brokers);
      throw error(errc::no_broker, std::string(e.what()).substr(std::string_view("sluice: ").size()) +
                                       " (brokers: " + brokers + (last_.empty() ? "" : "; " + last_) +
                                       "); check kafka{.brokers} and the way there");
    }
  }

 private:
  [[noreturn]] void throw_no_login(std::string const& brokers) const {
    throw error(errc::login_failed, "can't log in to " + brokers + ": " + last_);
  }
};

}}}  // namespace sluice::v0::detail
