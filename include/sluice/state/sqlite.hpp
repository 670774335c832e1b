/// \file state/sqlite.hpp  State in the SQLite file of sqlite_offsets: the table NAME_state beside the offsets.
#pragma once
#include <sluice/offset_store/sqlite.hpp>
#include <sluice/state/operators.hpp>

namespace sluice { inline namespace v0 { namespace detail {

/// The table is made in the first transaction that needs it. Each row is one run of a prepared statement: there is no round
/// trip to save.
template <>
class state_store<sqlite_transaction> {
  sqlite_transaction& tx_;
  std::string_view name_;
  sql_home const& home_;
  std::string read_, put_, remove_;

  static std::string place() { return " where grp = ? and name = ? and topic = ? and partition = ?"; }

 public:
  state_store(sqlite_transaction& tx, std::string_view name)
      : tx_(tx),
        name_(name),
        home_(tx.home()),
        read_("select value, due from " + home_.state + place() + " and \"key\" = ?"),
        put_("insert into " + home_.state +
             " values (?, ?, ?, ?, ?, ?, ?) on conflict do update set value = excluded.value, due = excluded.due"),
        remove_("delete from " + home_.state + place() + " and \"key\" = ?") {
    tx_.execute(
        "create table if not exists " + home_.state +
        " (grp text not null, name text not null, topic text not null, partition integer not null, \"key\" blob "
        "not null, value blob not null, due integer, primary key (grp, name, topic, partition, \"key\")) "
        "strict, without rowid");
    tx_.execute("create index if not exists " + home_.state.substr(0, home_.state.size() - 1) + "_due\" on " +
                home_.state + " (grp, name, topic, partition, due, \"key\") where due is not null");
  }

  template <class Found>
  void read(std::span<state_row const> keys, Found found) {
    for (std::size_t i = 0; i < keys.size(); ++i)
      for (auto const& row :
           tx_.query(read_, home_.group, name_, keys[i].of->topic, keys[i].of->partition, as_bytes(keys[i].key)))
        found(i, row.template get<std::string_view>(0),
              row.template get<std::optional<std::int64_t>>(1).value_or(never));
  }
  void write(std::span<state_row const> rows) {
    for (auto const& r : rows)
      if (r.there) put(r);
    for (auto const& r : rows)
      if (!r.there) tx_.execute(remove_, home_.group, name_, r.of->topic, r.of->partition, as_bytes(r.key));
  }
  template <class Found>
  void due(topic_partition const& of, std::int64_t until, std::size_t most, Found found) {
    each(" and due <= ? order by due, \"key\" limit ?", found, of, until, most);
  }
  template <class Found>
  void all(topic_partition const& of, Found found) {
    each("", found, of);
  }
  std::int32_t partitions(std::string const& topic) {
    for (auto const& row :
         tx_.query("select partitions from " + home_.topics + " where grp = ? and topic = ?", home_.group, topic))
      return row.template get<std::int32_t>(0);
    return 0;
  }

 private:
  void put(state_row const& r) {
    // An empty value is one: its bytes must not look like null.
    auto const value = r.value.data() ? r.value : std::string_view{""};
    std::optional<std::int64_t> due;
    if (r.due != never) due = r.due;
    tx_.execute(put_, home_.group, name_, r.of->topic, r.of->partition, as_bytes(r.key), as_bytes(value), due);
  }
  template <class Found, class... A>
  void each(char const* which, Found found, topic_partition const& of, A const&... more) {
    for (auto const& row : tx_.query("select \"key\", value, due from " + home_.state + place() + which, home_.group,
                                     name_, of.topic, of.partition, more...))
      found(row.template get<std::string_view>(0), row.template get<std::string_view>(1),
            row.template get<std::optional<std::int64_t>>(2).value_or(never));
  }
};

}}}  // namespace sluice::v0::detail
