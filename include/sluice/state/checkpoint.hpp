/// \file state/checkpoint.hpp  State in a checkpoint: rows in its segments.
#pragma once
#include <sluice/offset_store/checkpoint.hpp>
#include <sluice/state/operators.hpp>

namespace sluice { inline namespace v0 { namespace detail {

template <>
class state_store<checkpoint_transaction> {
  transaction_rows& rows_;
  std::string_view name_;

 public:
  state_store(checkpoint_transaction& tx, std::string_view name) : rows_(tx.rows_), name_(name) {}

  template <class Found>
  void read(std::span<state_row const> keys, Found found) {
    rows_.read(name_, keys, found);
  }
  void write(std::span<state_row const> rows) { rows_.write(name_, rows); }
  template <class Found>
  void due(topic_partition const& of, std::int64_t until, std::size_t most, Found found) {
    rows_.due(name_, of, until, most, found);
  }
  template <class Found>
  void all(topic_partition const& of, Found found) {
    rows_.all(name_, of, found);
  }
  std::int32_t partitions(std::string const& topic) { return rows_.partitions(topic); }
};

template <>
class state_store<hosted_checkpoint_transaction> : public state_store<checkpoint_transaction> {
 public:
  using state_store<checkpoint_transaction>::state_store;
};

}}}  // namespace sluice::v0::detail
