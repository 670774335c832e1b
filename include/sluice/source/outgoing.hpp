/// \file source/outgoing.hpp  What a program writes to a topic: keys, values and headers, borrowed for one call.
#pragma once
#include <sluice/record.hpp>

#include <concepts>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

namespace sluice { inline namespace v0 {

/// A key or a value: text, bytes, or null (`nullptr`, or a view whose data() is null; an empty one is not null). Copied
/// by the call that takes it.
class payload {
  bytes data_{};

 public:
  payload(std::nullptr_t) {}
  payload(std::nullopt_t) {}
  payload(std::string_view text) : data_(as_bytes(text)) {}
  payload(std::string const& text) : data_(as_bytes(text)) {}
  payload(char const* text) : data_(text ? as_bytes(text) : bytes{}) {}
  template <class T>
    requires std::convertible_to<T const&, bytes>
  payload(T const& data) : data_(data) {}

  bytes data() const { return data_; }
};

/// Headers to be written, in their order; those of a record can be handed on as they are. Names and values are borrowed.
class header_list {
  std::vector<header> all_{};

 public:
  header_list() = default;
  header_list(std::initializer_list<header> all) : all_(all) {}
  header_list(std::vector<header> all) : all_(std::move(all)) {}
  header_list(headers const& all) {
    for (auto const& h : all) all_.push_back(h);
  }
  void add(std::string_view name, payload value) { all_.push_back({name, value.data()}); }
  std::vector<header> const& all() const { return all_; }
};

/// The producer's partitioner chooses, by the key.
inline constexpr std::int32_t any_partition = -1;

}}  // namespace sluice::v0
