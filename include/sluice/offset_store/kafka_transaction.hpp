/// \file offset_store/kafka_transaction.hpp  What a handler writes through, from Kafka to Kafka: results and offsets in one transaction.
#pragma once
#include <sluice/error.hpp>
#include <sluice/source/transactional_producer.hpp>

namespace sluice { inline namespace v0 {

/// The transaction that is open while the handler runs. What is produced here becomes visible to `read_committed`
/// readers together with the batch's offsets, or never. Effects outside it (other producers, files, mails) are not
/// undone when the transaction is rolled back and the batch handled again. Valid until the handler returns.
template <class Late>
class basic_kafka_transaction {
  detail::basic_transactional_producer<Late>* producer_ = nullptr;

 public:
  explicit basic_kafka_transaction(detail::basic_transactional_producer<Late>& producer) : producer_(&producer) {}
  basic_kafka_transaction(basic_kafka_transaction const&) = delete;
  basic_kafka_transaction& operator=(basic_kafka_transaction const&) = delete;

  /// Copies and sends in the background; the commit waits for the acknowledgement. Throws error(client_failed) where it
  /// is the record's fault (too large, no such partition), store_error where the transaction can't go on: it will not
  /// be committed then, even if the handler catches that.
  void produce(std::string_view topic, payload key, payload value, header_list const& headers = {},
               std::int32_t partition = any_partition) {
    auto const failure = producer_->produce(topic, key, value, headers, partition);
    if (!failure) return;
    if (detail::is_the_records_fault(failure.code)) throw error(errc::client_failed, "not written to " + failure.why);
    throw store_error(detail::unavailable_or_denied(failure.code), "the transaction can't go on: " + failure.why);
  }
  void produce(std::string_view topic, payload key, payload value, std::int32_t partition) {
    produce(topic, key, value, {}, partition);
  }

  /// librdkafka's producer. Begin, commit and abort are the consumer's.
  rd_kafka_t* native_handle() const { return producer_->producer().native_handle(); }
};
using kafka_transaction = basic_kafka_transaction<void>;

}}  // namespace sluice::v0
