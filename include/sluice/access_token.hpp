/// \file access_token.hpp  What a program logs in with by SASL OAUTHBEARER, and who gives it.
#pragma once
#include <chrono>
#include <functional>
#include <map>
#include <string>

namespace sluice { inline namespace v0 {

/// As an authorization server gives it. Kept in memory only; struck out of every text that the library passes on.
struct access_token {
  std::string value{};  ///< what is sent to the brokers: a JWT, usually
  std::chrono::system_clock::time_point expires{};
  std::string principal{};                          ///< for librdkafka's own messages; may be left out
  std::map<std::string, std::string> extensions{};  ///< RFC 7628: names are letters; "auth" is not one
};

/// Gives a token that is good from now on: a new one, or the last one while it is.
///
/// Called on the thread that constructs the consumer and calls step(), never at the same time as a handler, for each
/// Kafka client that the policies need (the source's; that of a transaction; that of a dead letter topic): first when the
/// client is made, then once four fifths of a token's life are over. So a token must live five times as long as the
/// slowest step() takes, or a connection that is lost in that step stays lost until the next.
///
/// It may wait for an answer, but step() waits with it. What it throws leaves the constructor of the consumer as
/// error(login_failed); later the observer is told (on_log), and it is asked again after 10 s.
using token_source = std::function<access_token()>;

}}  // namespace sluice::v0
