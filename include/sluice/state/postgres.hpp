/// \file state/postgres.hpp  State in the database of postgres_offsets: the table NAME_state beside the offsets.
///
/// With `create = false` nothing is created; whoever may, runs what the error prints. For the table sluice_offsets:
///
///     create table sluice_offsets_state (grp text not null, name text not null, topic text not null,
///       partition integer not null, "key" bytea not null, value bytea not null, due bigint,
///       primary key (grp, name, topic, partition, "key"));
///     create index sluice_offsets_statedue on sluice_offsets_state (grp, name, topic, partition, due)
///       where due is not null;
///
/// Its user needs the right to delete there, too.
#pragma once
#include <sluice/offset_store/postgres.hpp>
#include <sluice/state/operators.hpp>

namespace sluice { inline namespace v0 { namespace detail {

/// Rows go as arrays: a read is one statement, a write one for what is put and one for what is removed. The transaction's
/// isolation, repeatable read, makes whoever writes a row that another has changed since run again.
template <>
class state_store<postgres_transaction> {
  using array = postgres::array;

  postgres_transaction& tx_;
  std::string_view name_;
  sql_home const& home_;

  static constexpr std::size_t most_bytes = 16 << 20;  // of one statement's rows, in hexadecimal digits

  /// Of the row of v's key. `limit 1` makes the server look into the index for each: free to choose, it reads all of the
  /// state for a join, of which it has no statistics yet.
  std::string row_of_key(char const* columns) const {
    return ", lateral (select " + std::string{columns} + " from " + home_.state +
           " where grp = $1 and name = $2 and topic = v.topic and partition = v.partition and \"key\" = v.k limit 1) s";
  }

 public:
  state_store(postgres_transaction& tx, std::string_view name) : tx_(tx), name_(name), home_(tx.home()) {
    if (tx.state_is_there_) return;
    for (auto const& row : tx_.query("select to_regclass($1) is not null", home_.state))
      tx.state_is_there_ = row.template get<bool>(0);
    if (tx.state_is_there_) return;
    tx.state_is_wanted_ = true;
    throw store_conflict(errc::conflict, "the table for state is made first; then the batch runs again");
  }

  template <class Found>
  void read(std::span<state_row const> keys, Found found) {
    for (std::size_t begin = 0; begin < keys.size();) {
      array topics, partitions, all;
      auto const end = chunk(keys, begin, [&](state_row const& r) {
        topics.add(r.of->topic);
        partitions.add(r.of->partition);
        all.add(as_bytes(r.key));
      });
      for (auto const& row : tx_.query("select v.i, s.value, s.due from unnest($3::text[], $4::integer[], $5::bytea[]) "
                                       "with ordinality as v (topic, partition, k, i)" +
                                           row_of_key("value, due"),
                                       home_.group, name_, topics.text(), partitions.text(), all.text()))
        found(begin + row.template get<std::size_t>(0) - 1, row.template get<std::string_view>(1), due_of(row, 2));
      begin = end;
    }
  }
  void write(std::span<state_row const> rows) {
    std::vector<state_row> put, leaving;
    for (auto const& r : rows) (r.there ? put : leaving).push_back(r);
    for (std::size_t begin = 0; begin < put.size();) {
      array topics, partitions, keys, values, dues;
      begin = chunk(put, begin, [&](state_row const& r) {
        topics.add(r.of->topic);
        partitions.add(r.of->partition);
        keys.add(as_bytes(r.key));
        values.add(as_bytes(r.value.data() ? r.value : std::string_view{""}));
        dues.add(r.due == never ? std::optional<std::int64_t>{} : r.due);
      });
      tx_.execute("insert into " + home_.state +
                      " (grp, name, topic, partition, \"key\", value, due) select $1::text, $2::text, v.* from "
                      "unnest($3::text[], "
                      "$4::integer[], $5::bytea[], $6::bytea[], $7::bigint[]) as v on conflict (grp, name, topic, "
                      "partition, \"key\") do update set value = excluded.value, due = excluded.due",
                  home_.group, name_, topics.text(), partitions.text(), keys.text(), values.text(), dues.text());
    }
    for (std::size_t begin = 0; begin < leaving.size();) {
      array topics, partitions, keys;
      begin = chunk(leaving, begin, [&](state_row const& r) {
        topics.add(r.of->topic);
        partitions.add(r.of->partition);
        keys.add(as_bytes(r.key));
      });
      tx_.execute("delete from " + home_.state +
                      " where ctid = any (array(select s.ctid from unnest($3::text[], $4::integer[], $5::bytea[]) as v "
                      "(topic, partition, k)" +
                      row_of_key("ctid") + "))",
                  home_.group, name_, topics.text(), partitions.text(), keys.text());
    }
  }
  template <class Found>
  void due(topic_partition const& of, std::int64_t until, std::size_t most, Found found) {
    each(" and due <= $5 order by due, \"key\" limit $6", found, of, until, most);
  }
  template <class Found>
  void all(topic_partition const& of, Found found) {
    each("", found, of);
  }
  std::int32_t partitions(std::string const& topic) {
    for (auto const& row :
         tx_.query("select partitions from " + home_.topics + " where grp = $1 and topic = $2", home_.group, topic))
      return row.template get<std::int32_t>(0);
    return 0;
  }

 private:
  template <class Row>
  static std::int64_t due_of(Row const& row, int column) {
    return row.template get<std::optional<std::int64_t>>(column).value_or(never);
  }
  template <class Add>
  static std::size_t chunk(std::span<state_row const> rows, std::size_t begin, Add add) {
    std::size_t data = 0;
    for (; begin < rows.size() && data < most_bytes; ++begin) {
      add(rows[begin]);
      data += 2 * (rows[begin].key.size() + rows[begin].value.size()) + rows[begin].of->topic.size();
    }
    return begin;
  }
  template <class Found, class... A>
  void each(char const* which, Found found, topic_partition const& of, A const&... more) {
    for (auto const& row : tx_.query("select \"key\", value, due from " + home_.state +
                                         " where grp = $1 and name = $2 and topic = $3 and partition = $4" + which,
                                     home_.group, name_, of.topic, of.partition, more...))
      found(row.template get<std::string_view>(0), row.template get<std::string_view>(1), due_of(row, 2));
  }
};

}}}  // namespace sluice::v0::detail
