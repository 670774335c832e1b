/// \file on_failure/dead_letter_message.hpp  A dead letter as a Kafka message: the record as it was, and why it is here.
#pragma once
#include <sluice/on_failure/concept.hpp>
#include <sluice/source/rdkafka_producer.hpp>

#include <string>

namespace sluice { inline namespace v0 { namespace detail {

inline constexpr std::string_view returned_header = "sluice.returned";

/// Whether a header says what became of an earlier letter, and is written anew with each.
inline bool is_of_a_letter(std::string_view name) { return name.starts_with("sluice.") && name != returned_header; }

/// Key, value and headers are the record's own; behind its headers come `sluice.topic`, `sluice.partition`,
/// `sluice.offset`, `sluice.timestamp` (ms since 1970), `sluice.error`, `sluice.attempts`, `sluice.first` (ms since 1970),
/// all as text. Those of an earlier letter, which came back and failed again, are left out; `sluice.returned` (how often it
/// was put back) stays. The topic's partitioner chooses the partition, by the key.
template <class Producer>
delivery_failure produce_letter(Producer& producer, std::string const& topic, dead_letter const& letter,
                                time_point by) {
  auto const& r = letter.what;
  auto const ms = [](wall_time t) { return std::to_string(t.time_since_epoch().count()); };
  struct fact {
    char const* name;
    std::string value;
  };
  fact const facts[] = {
      {"sluice.topic", std::string(r.topic())},
      {"sluice.partition", std::to_string(r.partition())},
      {"sluice.offset", std::to_string(r.offset().value())},
      {"sluice.timestamp", ms(r.timestamp())},
      {"sluice.error", letter.error},
      {"sluice.attempts", std::to_string(letter.attempts)},
      {"sluice.first", ms(letter.first)},
  };
  header_list headers;
  for (header const h : r.headers())
    if (!is_of_a_letter(h.name)) headers.add(h.name, h.value);
  for (auto const& f : facts) headers.add(f.name, f.value);
  return producer.produce(topic, r.key(), r.value(), headers, any_partition, by);
}

}}}  // namespace sluice::v0::detail
