/// \file output/kafka.hpp  Writes to Kafka from a handler: one idempotent producer, and a flush that means "all is there".
#pragma once
#include <sluice/source/rdkafka_producer.hpp>

#include <memory>
#include <utility>

namespace sluice { inline namespace v0 {

/// One for a consumer, used inside its handler, which calls flush() before it returns: then nothing is advanced that
/// was not delivered.
///
///     sl::kafka_output out{{.brokers = "localhost:9092"}};
///     consumer.run(stop, [&](auto const& batch) {
///       for (auto const& r : batch) out.produce("clean", r.key(), wash(r.text()));
///       out.flush();
///     });
///
/// What is the record's fault (too large, no such partition) throws error(client_failed); what is the brokers' throws
/// store_error(client_failed, access_denied), which no retry, skip or dead letter takes for a poison record. One thread.
template <class Late>
class basic_kafka_output {
 public:
  struct settings {
    std::string brokers{};
    std::map<std::string, std::string> properties{};  ///< librdkafka's; acks and idempotence are the library's
    std::chrono::milliseconds timeout{30'000};        ///< for flush(), and for room in the queue
    std::function<void(int level, std::string_view line)> log{};
    token_source token{};  ///< for sasl.mechanism=OAUTHBEARER; called on the thread that calls produce() and flush()
  };

 private:
  using producer = detail::basic_rdkafka_producer<Late>;
  settings settings_;
  std::unique_ptr<producer> producer_{};
  detail::delivery_failure lost_{};  // what an earlier producer took with it, and nobody was told of

 public:
  /// Reaches for the brokers in the background. Throws error(unknown_property, owned_property, bad_configuration).
  explicit basic_kafka_output(settings s) : settings_(std::move(s)) { make(); }

  /// Copies and sends in the background. `partition`: any_partition leaves it to the key.
  void produce(std::string_view topic, payload key, payload value, header_list const& headers = {},
               std::int32_t partition = any_partition) {
    if (!producer_) make();
    auto const by = std::chrono::steady_clock::now() + settings_.timeout;
    auto const failure = producer_->produce(topic, key, value, headers, partition, by);
    if (failure && producer_->fatal() && (producer_->not_reported() > 0 || producer_->take_failure())) lost_ = failure;
    raise(failure);
  }
  void produce(std::string_view topic, payload key, payload value, std::int32_t partition) {
    produce(topic, key, value, {}, partition);
  }

  /// Returns when all that was produced has been acknowledged by all in-sync replicas; throws for the first that was
  /// not, or when the time is over. After a fatal error in produce() it throws once more, whatever the handler did with that:
  /// what was produced before is gone too.
  void flush() { flush(settings_.timeout); }
  void flush(std::chrono::milliseconds timeout) {
    raise(std::exchange(lost_, {}));
    if (!producer_) return;
    bool const all = producer_->flush(std::chrono::steady_clock::now() + timeout);
    raise(producer_->take_failure());
    if (!all) {
      throw store_error(errc::client_failed, std::to_string(producer_->not_reported()) +
                                                 " records were not acknowledged within " +
                                                 std::to_string(timeout.count()) +
                                                 " ms; brokers: " + settings_.brokers + producer_->not_connected());
    }
  }

  /// librdkafka's own; changes when a producer was given up after a fatal error.
  rd_kafka_t* native_handle() {
    if (!producer_) make();
    return producer_->native_handle();
  }

 private:
  void make() {
    producer_ = std::make_unique<producer>(typename producer::settings{
        .brokers = settings_.brokers,
        .properties = settings_.properties,
        .owned = {{"enable.idempotence", "true"}},
        .log = settings_.log,
        .token = settings_.token,
    });
  }
  void raise(detail::delivery_failure const& failure) {
    if (!failure) return;
    if (producer_ && producer_->fatal()) producer_.reset();
    auto const text = "not delivered to " + failure.why;
    if (detail::is_the_records_fault(failure.code)) throw error(errc::client_failed, text);
    throw store_error(detail::is_denied(failure.code) ? errc::access_denied : errc::client_failed, text);
  }
};
using kafka_output = basic_kafka_output<void>;

}}  // namespace sluice::v0
