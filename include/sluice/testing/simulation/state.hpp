/// \file testing/simulation/state.hpp  State in simulated_offsets: keyed states and windows, as programs use them, in simulations.
///
/// What is read stands as it is committed at that moment, and need not stand so at the commit: only its fence sees to that, as in
/// Redis. Each call is one request, which may fail, or meet another transaction (store_conflict).
#pragma once
#include <sluice/state/operators.hpp>
#include <sluice/testing/simulation/offsets.hpp>

namespace sluice { inline namespace v0 { namespace detail {

template <>
class state_store<testing::simulated_transaction> {
  using row = testing::basic_state_row<std::string>;
  testing::simulated_transaction& tx_;
  std::string_view name_;

 public:
  state_store(testing::simulated_transaction& tx, std::string_view name) : tx_(tx), name_(name) {}

  template <class Found>
  void read(std::span<state_row const> keys, Found found) {
    tx_.asks(keys.front().of->partition, keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i)
      if (auto const r = tx_.row(name_, keys[i].of->partition, keys[i].key))
        found(i, std::string_view{r->value}, r->due);
  }
  void write(std::span<state_row const> rows) {
    tx_.asks(rows.front().of->partition, rows.size());
    for (auto const& r : rows)
      tx_.write({std::string{name_}, r.of->partition, std::string{r.key}, std::string{r.value}, r.due, r.there});
  }
  template <class Found>
  void due(topic_partition const& of, std::int64_t until, std::size_t most, Found found) {
    tx_.asks(of.partition, most);
    auto rows = tx_.rows(name_, of.partition);
    std::erase_if(rows, [&](row const& r) { return r.due > until; });
    std::stable_sort(rows.begin(), rows.end(), [](row const& a, row const& b) { return a.due < b.due; });
    if (rows.size() > most) rows.resize(most);
    for (auto const& r : rows) found(std::string_view{r.key}, std::string_view{r.value}, r.due);
  }
  template <class Found>
  void all(topic_partition const& of, Found found) {
    tx_.asks(of.partition, 0);
    for (auto const& r : tx_.rows(name_, of.partition))
      found(std::string_view{r.key}, std::string_view{r.value}, r.due);
  }
  std::int32_t partitions(std::string const&) { return tx_.partitions(); }
};

}}}  // namespace sluice::v0::detail
