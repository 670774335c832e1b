/// \file source/rdkafka_producer.hpp  One librdkafka producer: idempotent, and no delivery goes unreported.
#pragma once
#include <sluice/detail/late.hpp>
#include <sluice/detail/rdkafka.hpp>
#include <sluice/source/outgoing.hpp>
#include <sluice/source/rdkafka_token.hpp>
#include <sluice/source/rdkafka_trouble.hpp>

#include <functional>
#include <map>
#include <string>
#include <utility>

namespace sluice { inline namespace v0 { namespace detail {

/// Of a consumer's properties those that say how to reach the brokers, for a producer beside it.
template <class Properties = std::map<std::string, std::string>>
Properties connection_properties(Properties const& all) {
  Properties some;
  for (auto const& [key, value] : all) {
    for (auto const* prefix : {"sasl.", "ssl.", "enable.ssl.", "enable.sasl.", "security.", "socket.", "broker.",
                               "reconnect.", "retry.", "metadata.", "topic.metadata.", "api.version.", "connections.",
                               "client.id", "client.dns.", "debug", "log_level", "resolve_cb", own_prefix}) {
      if (key.starts_with(prefix)) some.emplace(key, value);
    }
  }
  return some;
}

/// Why something was not delivered; a code of 0: nothing went wrong.
struct delivery_failure {
  rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
  std::string why{};
  explicit operator bool() const { return code != RD_KAFKA_RESP_ERR_NO_ERROR; }
};

/// The record itself can't be written, whoever tries and however often.
inline bool is_the_records_fault(rd_kafka_resp_err_t e) {
  switch (e) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
      return true;
    default:
      return false;
  }
}

/// One thread. Delivery reports, errors and log lines are heard in produce(), serve() and flush(): no callback runs.
template <class Late>
class basic_rdkafka_producer {
 public:
  struct settings {
    std::string brokers{};
    std::map<std::string, std::string> properties{};              ///< the user's
    std::map<std::string, std::string> owned{};                   ///< ours: refused among the user's
    std::function<void(int level, std::string_view line)> log{};  ///< must not throw
    token_source token{};
    /// Hears of each message that was produced with an `of` what became of it, in flush() and serve(); must not throw.
    std::function<void(void* of, delivery_failure const& why)> report{};
  };

 private:
  settings settings_;
  rd_kafka_t* client_ = nullptr;
  rdkafka_queue events_{};
  basic_rdkafka_tokens<Late> tokens_{settings_.token};
  std::string not_connected_{};
  using topics = late<std::map<std::string, rdkafka_topic, std::less<>>, Late>;
  topics topics_{};
  typename topics::value_type const* last_topic_ = nullptr;
  std::size_t open_ = 0;
  delivery_failure failure_{};

 public:
  /// Reaches for the brokers in the background. Throws error(unknown_property, owned_property, bad_configuration).
  explicit basic_rdkafka_producer(settings s) : settings_(std::move(s)) {
    if (settings_.brokers.empty()) throw error(errc::bad_configuration, "a producer needs .brokers, \"host:port,…\"");
    rdkafka_conf conf{rd_kafka_conf_new()};
    set(*conf, "message.max.bytes", "8388608");  // the topic's own limit decides
    for (auto const& [key, value] : settings_.properties) {
      if (key.starts_with(own_prefix)) continue;
      if (settings_.owned.contains(key) || key == "bootstrap.servers" || key == "metadata.broker.list" ||
          key == "log.queue" || key == "acks" || key == "request.required.acks") {
        throw error(errc::owned_property, key + " is set by the library: leave it out");
      }
      set(*conf, key, value);
    }
    check_credentials(settings_.properties, static_cast<bool>(settings_.token));
    set(*conf, "bootstrap.servers", settings_.brokers);
    set(*conf, "log.queue", "true");
    set(*conf, "enable.idempotence", "true");
    set(*conf, "acks", "all");
    for (auto const& [key, value] : settings_.owned) set(*conf, key, value);
    rd_kafka_conf_set_events(conf.get(), RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG |
                                             (settings_.token ? RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH : 0));
    char why[512] = "";
    client_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), why, sizeof why);
    if (!client_) {
      throw error(errc::bad_configuration,
                  "librdkafka refuses the producer's configuration: " + without_secrets(why, settings_.properties));
    }
    static_cast<void>(conf.release());
    rd_kafka_set_log_queue(client_, nullptr);
    events_.reset(rd_kafka_queue_get_main(client_));
    give_token();
  }
  /// What was not delivered is thrown away.
  ~basic_rdkafka_producer() {
    rd_kafka_purge(client_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
    topics_.clear();
    events_.reset();
    rd_kafka_destroy(client_);
  }
  basic_rdkafka_producer(basic_rdkafka_producer const&) = delete;
  basic_rdkafka_producer& operator=(basic_rdkafka_producer const&) = delete;

  rd_kafka_t* native_handle() const { return client_; }

  /// Takes a copy and sends it in the background. Waits until `by` for room in the queue.
  delivery_failure produce(std::string_view topic, payload const& key, payload const& value, header_list const& headers,
                           std::int32_t partition, time_point by, void* of = nullptr) {
    // After a pause too: the token may be old.
    if (open_ % 1024 == 0 && rd_kafka_queue_length(events_.get()) > 0) serve(0);
    auto* const handle = topic_handle(topic);
    if (!handle) return {RD_KAFKA_RESP_ERR__INVALID_ARG, "\"" + std::string(topic) + "\" can't be a topic's name"};
    for (;;) {
      auto const failed = send(handle, key.data(), value.data(), headers, partition, of);
      if (!failed) {
        ++open_;
        return {};
      }
      auto const code = rd_kafka_error_code(failed.get());
      auto const left = milliseconds_until(by);
      if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL || left == 0) {
        return not_delivered(code, std::string(topic), rd_kafka_error_string(failed.get()));
      }
      serve(std::min(left, 50));
    }
  }

  /// Hears what there is to hear, waiting at most so long for the first of it.
  void serve(int milliseconds) {
    for (rdkafka_event e{rd_kafka_queue_poll(events_.get(), milliseconds)}; e;
         e.reset(rd_kafka_queue_poll(events_.get(), 0))) {
      switch (rd_kafka_event_type(e.get())) {
        case RD_KAFKA_EVENT_DR:
          while (auto const* m = rd_kafka_event_message_next(e.get())) reported(*m);
          break;
        case RD_KAFKA_EVENT_LOG: {
          char const *facility = "", *line = "";
          int level = 0;
          if (rd_kafka_event_log(e.get(), &facility, &line, &level) == 0) log(level, line);
          break;
        }
        case RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH:
          give_token();
          break;
        case RD_KAFKA_EVENT_ERROR:
          hear_error(*e);
          break;
        default:
          break;
      }
    }
  }

  /// True once every message has been reported, delivered or not; false where that is not so at `by`.
  bool flush(time_point by) {
    serve(0);
    while (open_ > 0) {
      auto const left = milliseconds_until(by);
      if (left == 0) return false;
      // Wakes librdkafka's threads: one that waited for its partition to join a transaction sleeps on otherwise.
      rd_kafka_flush(client_, 0);
      serve(std::min(left, 10));
    }
    return true;
  }

  /// The first failure since the last call.
  delivery_failure take_failure() { return std::exchange(failure_, {}); }
  std::size_t not_reported() const { return open_; }
  /// "; " and why the brokers can't be reached; empty where nothing is known.
  std::string not_connected() const { return not_connected_.empty() ? not_connected_ : "; " + not_connected_; }

  /// Of no more use: a new producer must be made.
  delivery_failure fatal() const {
    char why[512] = "";
    auto const code = rd_kafka_fatal_error(client_, why, sizeof why);
    return {code, why};
  }

 private:
  std::string clean(std::string text) const {
    return tokens_.strike_out(without_secrets(std::move(text), settings_.properties));
  }
  void log(int level, std::string_view line) const {
    if (settings_.log) settings_.log(level, clean(std::string(line)));
  }

  void give_token() {
    auto failure = tokens_.give(*client_);
    if (failure.empty()) return;
    not_connected_ = clean(std::move(failure));
    log(3, not_connected_);
  }

  void hear_error(rd_kafka_event_t& e) {
    auto const what = rd_kafka_event_error(&e);
    auto text = clean(rd_kafka_event_error_string(&e));
    if (is_told_by_tokens(text)) return;
    if (says_why_not_connected(what)) not_connected_ = text;
    log(3, text);
  }

  rd_kafka_topic_t* topic_handle(std::string_view name) {
    if (last_topic_ && last_topic_->first == name) return last_topic_->second.get();
    auto at = topics_.find(name);
    if (at == topics_.end()) {
      if (name.empty() || name.find('\0') != name.npos) return nullptr;
      rdkafka_topic handle{rd_kafka_topic_new(client_, std::string(name).c_str(), nullptr)};
      if (!handle) return nullptr;
      at = topics_.emplace(name, std::move(handle)).first;
    }
    last_topic_ = &*at;
    return at->second.get();
  }

  rdkafka_error send(rd_kafka_topic_t* topic, bytes key, bytes value, header_list const& headers,
                     std::int32_t partition, void* of) {
    rd_kafka_headers_t* list = nullptr;
    rd_kafka_vu_t what[7];
    std::size_t n = 0;
    what[n].vtype = RD_KAFKA_VTYPE_RKT;
    what[n++].u.rkt = topic;
    what[n].vtype = RD_KAFKA_VTYPE_PARTITION;
    what[n++].u.i32 = partition;
    what[n].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    what[n++].u.i = RD_KAFKA_MSG_F_COPY;
    what[n].vtype = RD_KAFKA_VTYPE_KEY;
    what[n++].u.mem = {const_cast<std::byte*>(key.data()), key.size()};
    what[n].vtype = RD_KAFKA_VTYPE_VALUE;
    what[n++].u.mem = {const_cast<std::byte*>(value.data()), value.size()};
    what[n].vtype = RD_KAFKA_VTYPE_OPAQUE;
    what[n++].u.ptr = of;
    if (!headers.all().empty()) {
      list = rd_kafka_headers_new(headers.all().size());
      for (auto const& h : headers.all()) {
        rd_kafka_header_add(list, h.name.data(), static_cast<ssize_t>(h.name.size()), h.value.data(),
                            static_cast<ssize_t>(h.value.size()));
      }
      what[n].vtype = RD_KAFKA_VTYPE_HEADERS;
      what[n++].u.headers = list;
    }
    rdkafka_error failed{rd_kafka_produceva(client_, what, n)};
    if (failed && list) rd_kafka_headers_destroy(list);
    return failed;
  }

  void reported(rd_kafka_message_t const& m) {
    --open_;
    if (m.err == RD_KAFKA_RESP_ERR_NO_ERROR && !not_connected_.empty()) not_connected_.clear();
    bool const told = m._private && settings_.report;
    if (m.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (told) settings_.report(m._private, {});
      return;
    }
    if (failure_ && !told) return;
    auto failure = not_delivered(m.err, std::string(rd_kafka_topic_name(m.rkt)) + "/" + std::to_string(m.partition),
                                 rd_kafka_err2str(m.err));
    if (told) settings_.report(m._private, failure);
    if (!failure_) failure_ = std::move(failure);
  }

  /// After a fatal error librdkafka says no more than that there was one.
  delivery_failure not_delivered(rd_kafka_resp_err_t code, std::string const& where, char const* why) const {
    if (auto const end = fatal(); end && !is_the_records_fault(code))
      return {end.code, where + ": " + clean(end.why) + missing_right(end.code, true)};
    return {code, where + ": " + why + missing_right(code, true)};
  }
};
using rdkafka_producer = basic_rdkafka_producer<void>;

}}}  // namespace sluice::v0::detail
