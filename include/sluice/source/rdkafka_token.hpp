/// \file source/rdkafka_token.hpp  Tokens on their way from the program to one of librdkafka's clients, in time and in secret.
#pragma once
#include <sluice/access_token.hpp>
#include <sluice/detail/late.hpp>
#include <sluice/source/rdkafka_properties.hpp>

#include <chrono>

namespace sluice { inline namespace v0 { namespace detail {

/// What librdkafka makes of a failure that it was told of: give() has said it already.
inline bool is_told_by_tokens(std::string_view error) {
  return error.starts_with("Failed to acquire SASL OAUTHBEARER token");
}

/// One for each client. librdkafka asks by an event when four fifths of a token's life are over, and 10 s after a failure.
template <class Late>
class basic_rdkafka_tokens {
  using clock = std::chrono::system_clock;
  token_source from_;
  clock::time_point early_until_{};                           // before that librdkafka need not be given another one
  late<std::map<std::string, std::string>, Late> secrets_{};  // the token that is used, and the one before

 public:
  explicit basic_rdkafka_tokens(token_source from) : from_(std::move(from)) {}

  /// At once after the client was made, and when it asks. Answers what went wrong; empty where nothing did.
  std::string give(rd_kafka_t& client) {
    if (!from_ || clock::now() < early_until_) return {};
    std::string why;
    try {
      why = hand_over(client, from_());
    } catch (std::exception const& e) { why = std::string("kafka{.token} threw: ") + e.what(); } catch (...) {
      why = "kafka{.token} threw something that is no std::exception";
    }
    if (!why.empty()) rd_kafka_oauthbearer_set_token_failure(&client, why.c_str());
    return why;
  }

  std::string strike_out(std::string text) const { return without_secrets(std::move(text), secrets_); }

 private:
  std::string hand_over(rd_kafka_t& client, access_token const& token) {
    using std::chrono::milliseconds;
    // What librdkafka says of a token or an extension that it refuses cites it.
    for (char const c : token.value)
      if (c < 0x20 || c > 0x7e) return "kafka{.token} gave a token with a character that can't be sent";
    if (token.value.empty()) return "kafka{.token} gave an empty token";
    auto const now = clock::now();
    if (token.expires <= now)
      return "kafka{.token} gave a token that has expired, or that has no access_token::expires";
    late<std::vector<char const*>, Late> extensions;
    for (auto const& [name, value] : token.extensions) {
      extensions.push_back(name.c_str());
      extensions.push_back(value.c_str());
    }
    auto const expires = std::chrono::duration_cast<milliseconds>(token.expires.time_since_epoch()).count();
    char why[512] = "";
    if (rd_kafka_oauthbearer_set_token(&client, token.value.c_str(), expires, token.principal.c_str(),
                                       extensions.data(), extensions.size(), why, sizeof why))
      return "librdkafka does not take what kafka{.token} gave: names of extensions are letters, values can be printed";
    secrets_["token before"] = std::exchange(secrets_["token"], token.value);
    for (auto const& [name, value] : token.extensions) secrets_["token extensions " + name] = value;
    early_until_ = now + (token.expires - now) * 3 / 4;
    return {};
  }
};
using rdkafka_tokens = basic_rdkafka_tokens<void>;

}}}  // namespace sluice::v0::detail
