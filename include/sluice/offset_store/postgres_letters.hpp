/// \file offset_store/postgres_letters.hpp  Records set aside, as rows of a table in PostgreSQL.
#pragma once
#include <sluice/detail/kept_letters.hpp>
#include <sluice/offset_store/postgres_tables.hpp>

namespace sluice { inline namespace v0 { namespace detail::postgres {

class letters : public table_letters {
 public:
  request row(tables const& t, std::string const& group, std::string const& table, dead_letter const& l) const {
    must_be_known(table);
    return insert(t, group, kept_letter::of_letter(table, l));
  }
  void add_waiting(tables const& t, std::string const& group, topic_partition const& of,
                   std::vector<request>& to) const {
    each_of(of, [&](kept_letter const& k) { to.push_back(insert(t, group, k)); });
  }

 private:
  static std::optional<bytes> blob(std::optional<std::string> const& text) {
    static constexpr std::byte none{};
    if (!text) return std::nullopt;
    return text->empty() ? bytes{&none, 0} : as_bytes(*text);
  }
  static request insert(tables const& t, std::string const& group, kept_letter const& k) {
    std::string error = k.error;
    std::replace(error.begin(), error.end(), '\0', ' ');
    return {"insert into " + t.named(k.table) +
                " (grp, topic, partition, \"offset\", incarnation, timestamp, \"key\", value, headers, error,"
                " attempts, \"first\") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) on conflict (grp, "
                "topic, partition,"
                " incarnation, \"offset\") do update set error = excluded.error, attempts = excluded.attempts",
            parameters::of(group, k.of.topic, k.of.partition, k.at, k.incarnation, k.timestamp, blob(k.key),
                           blob(k.value), k.headers, as_utf8(error), k.attempts, k.first)};
  }
};

}}}  // namespace sluice::v0::detail::postgres
