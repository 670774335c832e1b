/// \file batches.hpp  Batches for tests: what a source would hold, made by hand.
#pragma once
#include <sluice/batch.hpp>

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// One record to be: its offset, key (none: null) and value (none: a tombstone).
struct made {
  std::int64_t at = 0;
  std::optional<std::string> key{};
  std::optional<std::string> value{};
  std::int64_t timestamp = -1;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers{};
};

/// Owns what the records of a batch look at. Add all parts, then ask for the batch.
class held {
  std::deque<made> records_{};
  std::vector<sluice::detail::message> messages_{};
  std::vector<sluice::detail::part> parts_{};
  std::vector<std::size_t> sizes_{};

  static std::int64_t timestamp(void const* native) { return static_cast<made const*>(native)->timestamp; }
  static bool header(void const* native, std::size_t index, sluice::header& out) {
    auto const& all = static_cast<made const*>(native)->headers;
    if (index >= all.size()) return false;
    auto const& [name, value] = all[index];
    out = {name, value ? sluice::as_bytes(*value) : sluice::bytes{}};
    return true;
  }

 public:
  static constexpr sluice::detail::message_access access{&timestamp, &header};

  held() = default;
  held(held const&) = delete;
  held& operator=(held const&) = delete;
  ~held() = default;

  /// A part is never empty.
  void part(std::string topic, std::int32_t partition, std::vector<made> records, std::int64_t incarnation = 1) {
    sizes_.push_back(records.size());
    parts_.push_back({nullptr,
                      nullptr,
                      {{std::move(topic), partition},
                       sluice::offset{records.front().at},
                       sluice::offset{records.back().at}.next(),
                       incarnation},
                      &access});
    for (auto& r : records) {
      auto const& m = records_.emplace_back(std::move(r));
      auto const size = [](auto const& text) { return text ? static_cast<std::uint32_t>(text->size()) : 0U; };
      messages_.push_back(
          {m.key ? m.key->data() : nullptr, m.value ? m.value->data() : nullptr, size(m.key), size(m.value), m.at, &m});
    }
  }
  sluice::batch batch(sluice::wall_time time = {}, std::chrono::milliseconds interval = {}) {
    auto const* at = messages_.data();
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      parts_[i].begin = at;
      parts_[i].end = at += sizes_[i];
    }
    return {parts_, time, interval};
  }
};
