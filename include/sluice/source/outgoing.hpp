/// \file source/outgoing.hpp  What a program writes to a topic: keys, values and headers, borrowed for one call.
#pragma once
#include <sluice/detail/late.hpp>
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
template <class Late>
class basic_header_list {
  using list = detail::late<std::vector<header>, Late>;
  list all_{};

 public:
  basic_header_list() = default;
  basic_header_list(std::initializer_list<header> all) : all_(all) {}
  basic_header_list(std::vector<header> all) : all_(std::move(all)) {}
  basic_header_list(headers const& all) {
    for (auto const& h : all) all_.push_back(h);
  }
  void add(std::string_view name, payload value) { all_.push_back({name, value.data()}); }
  list const& all() const { return all_; }
};
using header_list = basic_header_list<void>;

/// The producer's partitioner chooses, by the key.
inline constexpr std::int32_t any_partition = -1;

}}  // namespace sluice::v0
