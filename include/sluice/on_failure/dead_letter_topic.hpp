/// \file on_failure/dead_letter_topic.hpp  Records that could not be handled go to a topic, acknowledged before anything is advanced.
#pragma once
#include <sluice/on_failure/dead_letter_message.hpp>

#include <memory>

namespace sluice { inline namespace v0 {

/// The record's key, value and headers as they were, with headers that say where it came from and why (`sluice.topic`,
/// `sluice.partition`, `sluice.offset`, `sluice.timestamp`, `sluice.error`, `sluice.attempts`, `sluice.first`);
/// `sluice-letters` puts them back. The topic is on the source's brokers and must exist there, or be created by them. A
/// repeated batch may repeat its letters.
///
///     sl::stream_consumer consumer{sl::at_least_once{}, sl::kafka_offsets{}, sl::dead_letter_topic{.topic = "orders.dead"},
///                                  sl::kafka{…}};
///
/// With `each` one record is set aside, else the whole batch. Where the brokers do not acknowledge a letter in time, step() throws
/// error(dead_letter_failed), and the record comes again: nothing is advanced over it. With transactional the letter is part of the
/// transaction.
struct dead_letter_topic {
  using slot = on_failure_slot;
  using must_be_configured = void;
  static constexpr bool into_topic = true;

  std::string topic{};

  template <class Late>
  class basic_runtime {
    using producer = detail::basic_rdkafka_producer<Late>;

    std::string topic_;
    typename producer::settings settings_;
    std::unique_ptr<producer> producer_{};

    [[noreturn]] void fail(std::string const& why) {
      if (producer_ && producer_->fatal()) producer_.reset();
      throw error(errc::dead_letter_failed, "a dead letter could not be written to the topic " + topic_ + ": " + why);
    }

   public:
    basic_runtime(std::string const& topic, context const& c)
        : topic_(topic),
          settings_{.brokers = c.brokers,
                    .properties = detail::connection_properties(c.properties),
                    .owned = {{"enable.idempotence", "true"}},
                    .log = c.log,
                    .token = c.token} {}

    std::string const& topic() const { return topic_; }

    /// Copies the record and sends it in the background; waits until `by` for room in the queue. The producer is made
    /// with the first letter.
    void keep(dead_letter const& letter, time_point by) {
      if (letter.what.topic() == topic_) fail("the record comes from that topic itself");
      if (!producer_) producer_ = std::make_unique<producer>(settings_);
      if (auto const failure = detail::produce_letter(*producer_, topic_, letter, by)) fail(failure.why);
    }

    void flush(time_point by) {
      if (!producer_) return;
      bool const all = producer_->flush(by);
      if (auto const failure = producer_->take_failure()) fail(failure.why);
      if (!all) fail("the brokers did not acknowledge it in time" + producer_->not_connected());
    }
  };
  using runtime = basic_runtime<void>;

  template <class Context = context>
  static detail::late<runtime, Context> open(dead_letter_topic const& self, Context const& c) {
    if (self.topic.empty()) {
      throw error(errc::bad_configuration,
                  "dead_letter_topic{.topic} is empty: name the topic, on the source's brokers");
    }
    return detail::late<runtime, Context>{self.topic, c};
  }
};

}}  // namespace sluice::v0
