/// \file offset_store/postgres_letters.hpp  Records set aside, as rows of a table in PostgreSQL.
#pragma once
#include <sluice/detail/kept_letters.hpp>
#include <sluice/offset_store/postgres_tables.hpp>

namespace sluice { inline namespace v0 { namespace detail::postgres {

class letters {
  std::vector<std::string> known_{};
  kept_letters waiting_{};

 public:
  void known(std::string const& table) { known_.push_back(table); }
  bool is_known(std::string const& table) const {
    return std::find(known_.begin(), known_.end(), table) != known_.end();
  }

  /// For the next advance of its partition.
  void keep(std::string const& table, dead_letter const& l) {
    check(table);
    waiting_.keep(table, l);
  }
  bool empty() const { return waiting_.empty(); }
  void forget(topic_partition const& of) { waiting_.forget(of); }

  request row(tables const& t, std::string const& group, std::string const& table, dead_letter const& l) const {
    check(table);
    return insert(t, group, kept_letter::of_letter(table, l));
  }
  void add_waiting(tables const& t, std::string const& group, topic_partition const& of,
                   std::vector<request>& to) const {
    waiting_.each_of(of, [&](kept_letter const& k) { to.push_back(insert(t, group, k)); });
  }

 private:
  void check(std::string const& table) const {
    if (!is_known(table))
      throw error(errc::bad_configuration, "a record is to be set aside in a table that was not prepared");
  }
  static std::optional<bytes> blob(std::optional<std::string> const& text) {
    static constexpr std::byte none{};
    if (!text) return std::nullopt;
    return text->empty() ? bytes{&none, 0} : as_bytes(*text);
  }
  static request insert(tables const& t, std::string const& group, kept_letter const& k) {
    std::string error = k.error;
    std::replace(error.begin(), error.end(), '\0', ' ');
    return {"insert into " + t.named(k.table) +
                " (grp, topic, partition, \"offset\", incarnation, timestamp, \"key\", value, error, attempts,"
                " \"first\") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict (grp, topic, partition,"
                " incarnation, \"offset\") do update set error = excluded.error, attempts = excluded.attempts",
            parameters::of(group, k.of.topic, k.of.partition, k.at, k.incarnation, k.timestamp, blob(k.key),
                           blob(k.value), as_utf8(error), k.attempts, k.first)};
  }
  /// What an exception says may be in any encoding; the server takes UTF-8 only.
  static std::string as_utf8(std::string const& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
      auto const c = static_cast<unsigned char>(text[i]);
      std::size_t const n = c < 0x80                ? 1
                            : c >= 0xC2 && c < 0xE0 ? 2
                            : c >= 0xE0 && c < 0xF0 ? 3
                            : c >= 0xF0 && c < 0xF5 ? 4
                                                    : 0;
      bool good = n > 0 && i + n <= text.size();
      for (std::size_t k = 1; good && k < n; ++k) good = (static_cast<unsigned char>(text[i + k]) & 0xC0) == 0x80;
      auto const second = good && n > 1 ? static_cast<unsigned char>(text[i + 1]) : 0;
      if (c == 0xE0) good = good && second >= 0xA0;
      if (c == 0xED) good = good && second < 0xA0;
      if (c == 0xF0) good = good && second >= 0x90;
      if (c == 0xF4) good = good && second < 0x90;
      out += good ? text.substr(i, n) : "?";
      i += good ? n : 1;
    }
    return out;
  }
};

}}}  // namespace sluice::v0::detail::postgres
