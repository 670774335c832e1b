/// \file security_kafka.hpp  A Kafka that checks rights, with a listener for each way to log in; and consumers that are tried on it.
#pragma once
#include <sluice/sluice.hpp>

#include <random>
#include <set>

#include "catch.hpp"
#include "servers/kafka.hpp"
#include "servers/kafka_topics.hpp"
#include "servers/proxy.hpp"
#include "servers/security_certificates.hpp"

namespace servers {

namespace sl = sluice;
using properties = std::map<std::string, std::string>;

/// Kafka's numbers.
enum class resource : char { topic = 2, group = 3, cluster = 4, transactional_id = 5 };
enum class operation : char { read = 3, write = 4, describe = 8 };

struct right {
  resource of{};
  std::string name{};
  operation may{};
};

/// CreateAcls in Kafka's own protocol: librdkafka 2.0.2 knows of no rights on transactional ids.
class granting {
  std::string entries_{};
  std::size_t count_ = 0;

  template <class Number>
  static void put(std::string& to, Number n) {
    for (auto shift = 8 * sizeof n; shift > 0; shift -= 8) to += static_cast<char>(n >> (shift - 8) & 0xff);
  }
  static void put_text(std::string& to, std::string const& text) {
    put(to, static_cast<std::int16_t>(text.size()));
    to += text;
  }

 public:
  void add(std::string const& user, right const& r) {
    entries_ += static_cast<char>(r.of);
    put_text(entries_, r.name);
    entries_ += '\3';  // this name, no prefix
    put_text(entries_, "User:" + user);
    put_text(entries_, "*");
    entries_ += static_cast<char>(r.may);
    entries_ += '\3';  // allow
    ++count_;
  }

  /// At a listener where the super user is. Topics that are created afterwards are not seen sooner than these rights.
  void send(int port) const {
    std::string request;
    put(request, std::int16_t{30});
    put(request, std::int16_t{1});
    put(request, std::int32_t{7});
    put_text(request, "test");
    put(request, static_cast<std::int32_t>(count_));
    request += entries_;
    std::string sized;
    put(sized, static_cast<std::int32_t>(request.size()));
    sized += request;
    descriptor const s{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    auto const to = loopback(port);
    if (::connect(s.fd, reinterpret_cast<sockaddr const*>(&to), sizeof to) ||
        ::send(s.fd, sized.data(), sized.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(sized.size()))
      throw std::runtime_error("rights can't be granted");
    // Size, 7, a time, how many, and for each a code and an explanation, null where all went well.
    std::string answer(16 + 4 * count_, '\0');
    if (::recv(s.fd, answer.data(), answer.size(), MSG_WAITALL) != static_cast<ssize_t>(answer.size()))
      throw std::runtime_error("the broker did not grant all rights");
    for (std::size_t i = 0; i < count_; ++i)
      if (answer.compare(16 + 4 * i, 2, std::string(2, '\0')) != 0) throw std::runtime_error("a right was refused");
  }
};

inline std::string random_canary() {
  std::random_device random;
  return "canary" + std::to_string(random()) + std::to_string(random());
}

/// Listeners: tls, mutual (asks for a certificate), elsewhere (its certificate is for another host), plain, scram (user
/// `alice`), bearer (tokens without a signature; through `way`). Super users: `root`, CN=client, `alice`, and whoever does
/// not log in.
class security_kafka {
  int bearer_ = free_port();

 public:
  std::string const password = random_canary();
  certificates const files{password};
  proxy way{bearer_};
  kafka broker;
  kafka_topics const topics{broker.bootstrap()};

  /// `users` may log in at `plain`, with the password.
  explicit security_kafka(std::vector<std::string> const& users, std::string const& version = "kafka")
      : broker(setup(users, version)) {}

  properties tls(properties more = {}) const {
    more.insert({{"security.protocol", "ssl"}, {"ssl.ca.location", files("ca.pem")}});
    return more;
  }
  properties sasl(std::string const& mechanism, properties more = {}) const {
    more.insert({{"security.protocol", "sasl_ssl"}, {"sasl.mechanism", mechanism}});
    return tls(std::move(more));
  }
  properties login(std::string const& user, properties more = {}) const {
    more.insert({{"sasl.username", user}, {"sasl.password", password}});
    return sasl("PLAIN", std::move(more));
  }
  int plain_port() const {
    auto const all = broker.bootstrap();
    return std::stoi(all.substr(all.find(':') + 1));
  }

 private:
  kafka_setup setup(std::vector<std::string> const& users, std::string const& version) const {
    std::string const security = "org.apache.kafka.common.security.";
    auto const listener = [&](char const* name, char const* protocol, std::vector<std::string> more,
                              char const* certificate = "localhost") {
      for (auto const& s : files.keys_of(certificate)) more.push_back(s);
      return kafka_listener{.name = name, .protocol = protocol, .settings = std::move(more)};
    };
    std::string known = "user_root=\"" + password + "\"";
    for (auto const& u : users) known += " user_" + u + "=\"" + password + "\"";
    kafka_setup s{
        .more = {"authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                 "super.users=User:ANONYMOUS;User:root;User:alice;User:CN=client"},
        .listeners = {listener("tls", "SSL", {}),
                      listener("mutual", "SSL",
                               {"ssl.client.auth=required", "ssl.truststore.type=PEM",
                                "ssl.truststore.location=" + files("ca.pem")}),
                      listener("elsewhere", "SSL", {}, "elsewhere"),
                      listener("plain", "SASL_SSL",
                               {"sasl.enabled.mechanisms=PLAIN", "plain.sasl.jaas.config=" + security +
                                                                     "plain.PlainLoginModule required " + known + ";"}),
                      listener("scram", "SASL_SSL",
                               {"sasl.enabled.mechanisms=SCRAM-SHA-256",
                                "scram-sha-256.sasl.jaas.config=" + security + "scram.ScramLoginModule required;"}),
                      listener(
                          "bearer", "SASL_SSL",
                          {"sasl.enabled.mechanisms=OAUTHBEARER",
                           "oauthbearer.sasl.jaas.config=" + security + "oauthbearer.OAuthBearerLoginModule required;",
                           "oauthbearer.sasl.server.callback.handler.class=" + security +
                               "oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler"})},
        .format_with = {"--add-scram", "SCRAM-SHA-256=[name=alice,password=" + password + "]"},
        .version = version};
    s.listeners.back().port = bearer_;
    s.listeners.back().told = way.port();
    return s;
  }
};

/// Keeps all that an observer is told in words.
struct listening {
  using slot = sl::observer_slot;
  using must_be_configured = void;
  std::string* to = nullptr;

  void on_log(sl::log_event const& e) { *to += std::string(e.line) + "\n"; }
  void on_claim(sl::claimed const& c) { *to += sl::to_string(c.of) + ": " + c.why + "\n"; }
  void on_retry(sl::retry_event const& e) { *to += std::string(e.error) + "\n"; }
};

/// How a whole consumer fared.
struct trial {
  std::size_t records = 0;
  sl::errc code{};  ///< of what it threw; 0: nothing
  std::string what{}, heard{};
  bool constructed = false;
  std::chrono::steady_clock::duration took{};
};

inline void read_only(sl::batch const&) {}
inline void copy_to_out(sl::batch const& batch, sl::kafka_transaction& tx) {
  for (sl::record r : batch) tx.produce("out", r.key(), r.value(), r.partition());
}

/// Runs until `wanted` records were handled and stored, or something is thrown, or for `limit`.
template <class Handler, class... Policies>
trial try_out(std::size_t wanted, std::chrono::milliseconds limit, Handler handler, Policies... policies) {
  trial t;
  auto const begun = std::chrono::steady_clock::now();
  try {
    sl::stream_consumer consumer{std::move(policies)..., listening{&t.heard}};
    t.constructed = true;
    while (t.records < wanted && std::chrono::steady_clock::now() < begun + limit)
      t.records += consumer.step(handler, 50ms).records;
    if (consumer.drain(5s) != sl::close_result::drained) t.heard += "not drained\n";
  } catch (sl::error const& e) {
    t.code = e.code();
    t.what = e.what();
  }
  t.took = std::chrono::steady_clock::now() - begun;
  return t;
}

}  // namespace servers
