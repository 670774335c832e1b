/// \file source/transactional_producer.hpp  A Kafka transaction from begin to a known end; a producer whose end is not known is thrown away.
#pragma once
#include <sluice/detail/crash_point.hpp>
#include <sluice/source/rdkafka_producer.hpp>

#include <memory>

namespace sluice { inline namespace v0 { namespace detail {

/// How a transaction ended.
struct transaction_end {
  enum what_t {
    committed,
    aborted,  ///< nothing of it will ever be visible
    unknown   ///< asked to commit, and the answer is not known: the coordinator decides, see ready()
  } what = aborted;
  bool fenced =
      false;  ///< another producer has taken over the transactional id, or the coordinator ran out of patience
  bool moved_on = false;  ///< the group refused the offsets: member or generation are not the group's any more
  errc code = errc::store_unavailable;  ///< of `why`: also access_denied
  std::string why{};
};

/// init_transactions once for a producer. One is thrown away after an end that is not known, of a commit or of an abort,
/// since a late request of it could end a later transaction; and after any failure inside a transaction, since librdkafka
/// then purges its queues when it comes to it, be that in the next transaction. One thread.
template <class Late>
class basic_transactional_producer {
  using producer_type = basic_rdkafka_producer<Late>;

  typename producer_type::settings settings_;
  std::chrono::milliseconds timeout_;
  std::unique_ptr<producer_type> producer_{};
  bool ready_ = false;
  bool open_ = false;
  delivery_failure doomed_{};  // why the open transaction must not be committed
  time_point end_{};           // when the coordinator gives the open transaction up

 public:
  basic_transactional_producer(typename producer_type::settings s, std::string const& id,
                               std::chrono::milliseconds timeout)
      : settings_(std::move(s)), timeout_(timeout) {
    settings_.owned = {{"transactional.id", id},
                       {"transaction.timeout.ms", std::to_string(timeout.count())},
                       {"enable.idempotence", "true"}};
    make();
  }

  producer_type& producer() { return *producer_; }
  bool is_open() const { return open_; }
  /// When the coordinator gives the open transaction up, and for how long its end is waited for at least.
  time_point end() const { return end_; }

  /// Returns once a transaction can begin. What an earlier producer of this id left open has ended then, one way or the
  /// other. Throws store_error.
  void ready(time_point by) {
    if (ready_) return;
    if (!producer_) make();
    producer_->serve(0);  // the token may be old
    rdkafka_error const failed{rd_kafka_init_transactions(producer_->native_handle(), milliseconds_until(by))};
    producer_->serve(0);
    if (!failed) {
      ready_ = true;
      return;
    }
    auto const code = rd_kafka_error_code(failed.get());
    std::string const why = rd_kafka_error_string(failed.get());
    bool const resumes = rd_kafka_error_is_retriable(failed.get()) && !producer_->fatal();
    auto const connection = producer_->not_connected();
    if (!resumes) discard();
    throw store_error(code == RD_KAFKA_RESP_ERR__FENCED ? errc::fenced : unavailable_or_denied(code),
                      "no transaction can begin as transactional_id \"" + settings_.owned.at("transactional.id") +
                          "\": " + why + missing_right(code, true) + connection);
  }

  void begin(time_point by) {
    if (open_) abort();
    ready(by);
    rdkafka_error const failed{rd_kafka_begin_transaction(producer_->native_handle())};
    if (failed) {
      std::string const why = rd_kafka_error_string(failed.get());
      discard();
      throw store_error(errc::store_unavailable, "no transaction could begin: " + why);
    }
    SLUICE_CRASH_POINT("Kafka transaction begun");
    open_ = true;
    doomed_ = {};
    static_cast<void>(producer_->take_failure());
    end_ = std::chrono::steady_clock::now() + timeout_;
  }

  /// What can't be sent because of the transaction or the brokers dooms the transaction, whoever catches what follows.
  delivery_failure produce(std::string_view topic, payload const& key, payload const& value, header_list const& headers,
                           std::int32_t partition) {
    auto failure = producer_->produce(topic, key, value, headers, partition, end_);
    if (failure.code == RD_KAFKA_RESP_ERR__STATE) {  // librdkafka has given the transaction up; a report says why
      producer_->serve(0);
      if (auto reported = producer_->take_failure()) failure = std::move(reported);
    }
    note(failure);
    return failure;
  }
  void note(delivery_failure const& failure) {
    if (failure && !is_the_records_fault(failure.code) && !doomed_) doomed_ = failure;
  }

  /// Every result acknowledged, then the offsets, then the commit. `offsets` may be empty.
  transaction_end commit(rd_kafka_topic_partition_list_t const& offsets,
                         rd_kafka_consumer_group_metadata_t const& group, time_point by) {
    by = std::max(by, end_);
    if (!producer_->flush(by)) return abort("the results were not acknowledged in time" + producer_->not_connected());
    SLUICE_CRASH_POINT("results sent");
    if (doomed_) return abort(doomed_.why, unavailable_or_denied(doomed_.code));
    if (auto const failure = producer_->take_failure())
      return abort("a result was not delivered to " + failure.why, unavailable_or_denied(failure.code));
    if (rdkafka_error const failed{rd_kafka_send_offsets_to_transaction(producer_->native_handle(), &offsets, &group,
                                                                        milliseconds_until(by))}) {
      return not_sent(*failed);
    }
    SLUICE_CRASH_POINT("offsets sent");
    if (rdkafka_error const failed{rd_kafka_commit_transaction(producer_->native_handle(), milliseconds_until(by))}) {
      transaction_end end{
          .what = transaction_end::unknown, .fenced = is_fenced(*failed), .why = rd_kafka_error_string(failed.get())};
      producer_->serve(0);
      discard();
      return end;
    }
    SLUICE_CRASH_POINT("Kafka transaction committed");
    open_ = false;
    producer_->serve(0);
    return {.what = transaction_end::committed};
  }

  /// Nothing of the transaction will be visible; a producer that can't say so in time is thrown away.
  void abort() noexcept {
    if (!open_) return;
    open_ = false;
    bool const failed = producer_->take_failure() || doomed_;
    if (producer_->fatal()) {
      discard();
      return;
    }
    using namespace std::chrono_literals;
    auto const by = std::max(end_, std::chrono::steady_clock::now() + 1s);
    // Delivery reports are heard here: librdkafka waits for them, and nobody else would take them.
    bool const reported = producer_->flush(by);
    bool const ended =
        reported && !rdkafka_error{rd_kafka_abort_transaction(producer_->native_handle(), milliseconds_until(by))};
    if (ended) producer_->serve(0);
    if (!ended || failed || producer_->take_failure()) discard();
  }

 private:
  void make() { producer_ = std::make_unique<producer_type>(settings_); }
  void discard() noexcept {
    producer_.reset();
    ready_ = open_ = false;
  }

  static bool is_fenced(rd_kafka_error_t const& e) {
    auto const code = rd_kafka_error_code(&e);
    return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH ||
           code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED;
  }

  transaction_end abort(std::string const& why, errc code = errc::store_unavailable) {
    bool const fenced = producer_->fatal().code == RD_KAFKA_RESP_ERR__FENCED;
    abort();
    discard();
    return {.what = transaction_end::aborted, .fenced = fenced, .code = code, .why = why};
  }
  transaction_end not_sent(rd_kafka_error_t const& failed) {
    auto const code = rd_kafka_error_code(&failed);
    transaction_end end{
        .what = transaction_end::aborted,
        .fenced = is_fenced(failed),
        .moved_on = code == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION || code == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID ||
                    code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID || code == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,
        .code = unavailable_or_denied(code),
        .why = rd_kafka_error_string(&failed) + std::string(missing_right(code, true))};
    abort();
    return end;
  }
};
using transactional_producer = basic_transactional_producer<void>;

}}}  // namespace sluice::v0::detail
