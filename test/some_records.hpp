/// \file some_records.hpp  Records that own their bytes, and one such record as a batch.
#pragma once
#include <sluice/batch.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "thrown.hpp"

namespace sl = sluice;

/// Records that own their bytes, of one partition, as a batch.
class some_records {
  struct owned {
    std::optional<std::string> key{};
    std::optional<std::string> value{};
    std::int64_t at = 0;
    std::vector<std::pair<std::string, std::optional<std::string>>> headers{};
  };
  std::vector<std::unique_ptr<owned>> owned_{};
  std::vector<sl::detail::message> messages_{};
  sl::detail::part part_{};
  static inline sl::detail::message_access const access_{
      [](void const* native) { return 1'700'000'000'000 + static_cast<owned const*>(native)->at; },
      [](void const* native, std::size_t i, sl::header& out) {
        auto const& all = static_cast<owned const*>(native)->headers;
        if (i >= all.size()) return false;
        out = {all[i].first, all[i].second ? sl::as_bytes(*all[i].second) : sl::bytes{}};
        return true;
      }};

 public:
  explicit some_records(sl::topic_partition const& of, std::int64_t incarnation = 1) {
    part_.range = {.of = of, .incarnation = incarnation};
    part_.access = &access_;
  }
  some_records& add(std::int64_t at, std::optional<std::string> key, std::optional<std::string> value,
                    std::vector<std::pair<std::string, std::optional<std::string>>> headers = {}) {
    owned_.push_back(std::make_unique<owned>(owned{std::move(key), std::move(value), at, std::move(headers)}));
    auto const& o = *owned_.back();
    sl::detail::message m;
    if (o.key) m.key = o.key->data(), m.key_size = static_cast<std::uint32_t>(o.key->size());
    if (o.value) m.value = o.value->data(), m.value_size = static_cast<std::uint32_t>(o.value->size());
    m.at = at;
    m.native = &o;
    messages_.push_back(m);
    part_.begin = messages_.data();
    part_.end = part_.begin + messages_.size();
    part_.range.from = sl::offset{messages_.front().at};
    part_.range.until = sl::offset{at + 1};
    return *this;
  }
  sl::detail::part const& part() const { return part_; }
  sl::batch batch() const { return {{&part_, 1}, {}}; }
  sl::record operator[](std::size_t i) const { return {&messages_[i], &part_}; }
};
