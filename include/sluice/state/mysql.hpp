/// \file state/mysql.hpp  State in the database of mysql_offsets: the table NAME_state beside the offsets.
///
/// With `create = false` nothing is created; whoever may, runs what the error prints. For the table sluice_offsets:
///
///     create table sluice_offsets_state (grp varchar(255) not null, name varchar(63) not null, topic varchar(255) not null, `partition` integer not null, `key` varbinary(700) not null,
///       value longblob not null, due bigint, primary key (grp, name, topic, `partition`, `key`),
///       key due (grp, name, topic, `partition`, due));
///
/// with engine = InnoDB character set utf8mb4 collate utf8mb4_nopad_bin.
#pragma once
#include <sluice/offset_store/mysql.hpp>
#include <sluice/state/operators.hpp>

namespace sluice { inline namespace v0 { namespace detail {

/// Rows go as one JSON text, bytes as hexadecimal digits: a read is one statement, a write one for what is put and one for what is
/// removed. Repeatable read with innodb_snapshot_isolation makes whoever writes a row that another has changed since run
/// again.
template <>
class state_store<mysql_transaction> {
  mysql_transaction& tx_;
  std::string_view name_;
  sql_home const& home_;

  static constexpr std::size_t most_bytes = 1 << 20;  // of one statement's rows, in digits; a row alone may have more

  static std::string digits(std::string_view data) {
    std::string text;
    text.reserve(2 * data.size());
    for (auto const c : data) {
      auto const byte = static_cast<unsigned char>(c);
      text += "0123456789abcdef"[byte >> 4];
      text += "0123456789abcdef"[byte & 15];
    }
    return text;
  }
  static constexpr char const* rows =
      "json_table(?, '$[*]' columns (i bigint path '$[0]', topic varchar(255) path '$[1]', part integer path '$[2]', k "
      "varchar(1400) path '$[3]', v longtext path '$[4]', due bigint path '$[5]')) v";
  static constexpr char const* joined =
      " s on s.grp = ? and s.name = ? and s.topic = v.topic and s.`partition` = v.part and s.`key` = unhex(v.k)";

 public:
  state_store(mysql_transaction& tx, std::string_view name) : tx_(tx), name_(name), home_(tx.home()) {
    if (tx.state_is_there_) return;
    for (auto const& row :
         tx_.query("select count(*) from information_schema.tables where concat('`', replace(table_schema, "
                   "'`', '``'), '`.`', replace(table_name, '`', '``'), '`') = ?",
                   home_.state))
      tx.state_is_there_ = row.template get<std::int64_t>(0) > 0;
    if (tx.state_is_there_) return;
    tx.state_is_wanted_ = true;
    throw store_conflict(errc::conflict, "the table for state is made first; then the batch runs again");
  }

  template <class Found>
  void read(std::span<state_row const> keys, Found found) {
    for (std::size_t begin = 0; begin < keys.size();) {
      auto const [json, end] = chunk(keys, begin);
      for (auto const& row :
           tx_.query("select v.i, s.value, s.due from " + std::string{rows} + " straight_join " + home_.state + joined,
                     json, home_.group, name_))
        found(row.template get<std::size_t>(0), row.template get<std::string_view>(1), due_of(row, 2));
      begin = end;
    }
  }
  void write(std::span<state_row const> all) {
    std::vector<state_row> put, leaving;
    for (auto const& r : all) (r.there ? put : leaving).push_back(r);
    for (std::size_t begin = 0; begin < put.size();) {
      auto const [json, end] = chunk(put, begin);
      tx_.execute("insert into " + home_.state +
                      " (grp, name, topic, `partition`, `key`, value, due) select ?, ?, v.topic, v.part, unhex(v.k), "
                      "unhex(v.v), v.due from " +
                      rows + " on duplicate key update value = values(value), due = values(due)",
                  home_.group, name_, json);
      begin = end;
    }
    for (std::size_t begin = 0; begin < leaving.size();) {
      auto const [json, end] = chunk(leaving, begin);
      tx_.execute("delete s from " + std::string{rows} + " straight_join " + home_.state + joined, json, home_.group,
                  name_);
      begin = end;
    }
  }
  template <class Found>
  void due(topic_partition const& of, std::int64_t until, std::size_t most, Found found) {
    each(" and due <= ? order by due, `key` limit ?", found, of, until, most);
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
  template <class Row>
  static std::int64_t due_of(Row const& row, int column) {
    return row.template get<std::optional<std::int64_t>>(column).value_or(never);
  }
  static std::pair<std::string, std::size_t> chunk(std::span<state_row const> all, std::size_t begin) {
    mysql::row_set set;
    std::size_t data = 0;
    for (; begin < all.size() && data < most_bytes; ++begin) {
      auto const& r = all[begin];
      set.row(begin, r.of->topic, r.of->partition, digits(r.key), digits(r.value),
              r.due == never ? std::optional<std::int64_t>{} : r.due);
      data += 2 * (r.key.size() + r.value.size()) + r.of->topic.size() + 40;
    }
    return {set.json(), begin};
  }
  template <class Found, class... A>
  void each(char const* which, Found found, topic_partition const& of, A const&... more) {
    for (auto const& row : tx_.query("select `key`, value, due from " + home_.state +
                                         " where grp = ? and name = ? and topic = ? and `partition` = ?" + which,
                                     home_.group, name_, of.topic, of.partition, more...))
      found(row.template get<std::string_view>(0), row.template get<std::string_view>(1), due_of(row, 2));
  }
};

}}}  // namespace sluice::v0::detail
