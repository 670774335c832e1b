/// \file sender.hpp  Writes letters to Kafka, and tells of each what became of it.
#pragma once
#include <sluice/source/rdkafka_producer.hpp>

#include <optional>

#include "place.hpp"

namespace letters_tool {

/// What became of a letter.
struct dispatch {
  bool known = false;
  sl::detail::delivery_failure why{};  ///< where it is known, and not delivered

  bool delivered() const { return known && !why; }
  bool refused() const { return known && sl::detail::is_the_records_fault(why.code); }
};

/// One thread.
class sender {
  using producer = sl::detail::rdkafka_producer;
  place_words const& words_;
  std::optional<producer> out_{};

  producer& out() {
    if (out_) return *out_;
    return out_.emplace(producer::settings{
        .brokers = words_.brokers, .properties = words_.properties, .report = [](void* of, auto const& why) {
          *static_cast<dispatch*>(of) = {true, why};
        }});
  }

 public:
  explicit sender(place_words const& w) : words_(w) {}

  /// Sends those letters of the page that `which` has, and waits for the answers. Empty, or why the brokers did not take
  /// them all; then for some the outcome is not known.
  std::optional<sl::store_error> send(std::vector<found> const& page, std::vector<bool> const& which, wishes const& w,
                                      std::vector<dispatch>& outcomes) {
    auto& to = out();
    bool all = false;
    try {
      auto const by = words_.by();
      for (std::size_t i = 0; i < page.size(); ++i) {
        if (!which[i]) continue;
        outcomes[i] = {};
        put_back(page[i].what, w,
                 [&](std::string const& topic, sl::payload key, sl::payload value, auto const& headers) {
                   if (auto why = to.produce(topic, key, value, headers, sl::any_partition, by, &outcomes[i]))
                     outcomes[i] = {true, std::move(why)};
                 });
      }
      all = to.flush(words_.by());
    } catch (...) {
      out_.reset();  // it would report to outcomes that are gone
      throw;
    }
    std::optional<sl::store_error> wrong;
    for (std::size_t i = 0; i < page.size() && !wrong; ++i)
      if (auto const& o = outcomes[i]; which[i] && o.why && !o.refused())
        wrong.emplace(sl::detail::is_denied(o.why.code) ? sl::errc::access_denied : sl::errc::client_failed,
                      "not delivered to " + o.why.why);
    if (!all && !wrong)
      wrong.emplace(sl::errc::client_failed, std::to_string(to.not_reported()) +
                                                 " records were not acknowledged within " +
                                                 std::to_string(words_.timeout.count()) +
                                                 " ms; brokers: " + words_.brokers + to.not_connected());
    if (!all || to.fatal()) out_.reset();  // what is still on its way reports to nobody
    return wrong;
  }
};

}  // namespace letters_tool
