// Tokens that a program gives, on their way to librdkafka: what it refuses is not cited.
#include <sluice/source/rdkafka_token.hpp>

#include <memory>

#include "fuzz.hpp"

namespace {

using namespace fuzz;
namespace d = sl::detail;

rd_kafka_t& client() {
  struct destroy {
    void operator()(rd_kafka_t* c) const { rd_kafka_destroy(c); }
  };
  static std::unique_ptr<rd_kafka_t, destroy> const one = [] {
    auto* conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, nullptr);
    char why[512] = "";
    for (auto const& [key, value] :
         {std::pair{"security.protocol", "sasl_plaintext"}, {"sasl.mechanisms", "OAUTHBEARER"}, {"log_level", "0"}})
      rd_kafka_conf_set(conf, key, value, why, sizeof why);
    return std::unique_ptr<rd_kafka_t, destroy>{rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why)};
  }();
  must(one != nullptr, "there is a client");
  return *one;
}

}  // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  if (text_of(data, size).find("canary") != std::string_view::npos) return 0;  // that is ours
  pieces in{text_of(data, size)};
  sl::access_token token{.value = in.line() + "4canary4",
                         .expires = std::chrono::system_clock::now() + std::chrono::hours{1},
                         .principal = in.line()};
  while (!in.empty()) {
    auto const name = in.until('=');
    token.extensions[name] = in.line() + "4canary4";
  }
  d::rdkafka_tokens tokens{[&] { return token; }};
  auto const why = tokens.give(client());
  rd_kafka_poll(&client(), 0);
  must(why.find("4canary4") == why.npos, "no token is cited");
  if (!why.empty()) must_be_shown(why);
  auto const shown = tokens.strike_out("rejected: " + token.value);
  must(shown.find(token.value) == shown.npos || token.value.find('*') != token.value.npos || !why.empty(),
       "a token is struck out");
  return 0;
}
