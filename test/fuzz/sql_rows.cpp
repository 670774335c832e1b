// Rows as PostgreSQL, MariaDB and SQLite answer them: values are what stands there, or refused, and positions are read as they
// were written.
#include <sluice/offset_store/mysql_values.hpp>
#include <sluice/offset_store/postgres_positions.hpp>
#include <sluice/offset_store/postgres_rows.hpp>
#include <sluice/offset_store/sqlite_positions.hpp>

#include "fuzz.hpp"

namespace {

using namespace fuzz;
namespace pg = sl::detail::postgres;
namespace my = sl::detail::mysql;
namespace lite = sl::detail::sqlite;

/// One value of a row.
struct cell {
  enum { null, integer, real, text, bytes } kind = null;
  std::string is{};
  std::int64_t number() const { return std::strtoll(is.c_str(), nullptr, 10); }
};
using cells = std::vector<cell>;

/// A line each, of which the first letter says what it is.
cells cells_in(pieces& in) {
  constexpr std::string_view kinds = "-irtb";
  cells all;
  while (!in.empty() && all.size() < 7) {
    auto const line = in.line();
    auto const kind = line.empty() ? line.npos : kinds.find(line[0]);
    if (kind == line.npos)
      all.push_back({cell::text, line});
    else
      all.push_back({static_cast<decltype(cell::kind)>(kind), line.substr(1)});
  }
  return all;
}

/// A column's value as T; absent where it is refused.
template <class T, class Row>
std::optional<T> as(Row const& row, int i) {
  std::optional<T> value;
  must_be_shown(refused([&] { value.emplace(row.template get<T>(i)); }));
  return value;
}

/// PostgreSQL and MariaDB have numbers as text, too; there -0 is none without a sign.
template <class N, class Row>
void is_whole(Row const& row, int i, std::int64_t n) {
  auto const found = as<N>(row, i);
  must(found || !std::in_range<N>(n) || n == 0, "a number that fits is read");
  must(!found || std::cmp_equal(*found, n), "a number is whole, or refused");
}

template <class Row>
void look_into(Row const& row, cells const& all) {
  must(row.size() == static_cast<int>(all.size()), "each value is there");
  for (int const i : {-1, row.size()}) must(!as<std::optional<std::string>>(row, i), "and no other");
  for (int i = 0; i < row.size(); ++i) {
    auto const& one = all[static_cast<std::size_t>(i)];
    auto const number = as<std::int64_t>(row, i);
    auto const text = as<std::string>(row, i);
    auto const data = as<sl::bytes>(row, i);
    if (one.kind == cell::null) {
      must(!number && !text && !data && !as<bool>(row, i) && !as<double>(row, i), "null is no value");
      auto const absent = as<std::optional<std::string>>(row, i);
      must(absent && !*absent, "but absent");
      continue;
    }
    must(as<std::optional<std::int64_t>>(row, i).value_or(std::nullopt) == number, "what is there is not absent");
    must(as<std::string_view>(row, i) == text, "a text and a view of it are the same");
    if (one.kind == cell::integer) must(number == one.number(), "a number is read as it was written");
    if (one.kind == cell::text) must(text == one.is, "a text is read as it was written");
    if (one.kind == cell::bytes) must(data && sl::as_text(*data) == one.is && text == one.is, "bytes, too");
    if (!number) continue;
    must(as<sl::offset>(row, i) == sl::offset{*number}, "an offset is a number");
    must(as<double>(row, i) == static_cast<double>(*number), "and so is a real one");
    is_whole<std::int32_t>(row, i, *number);
    is_whole<std::uint8_t>(row, i, *number);
    is_whole<std::uint64_t>(row, i, *number);
  }
}

std::string as_bytea(std::string_view data) {
  std::string text = "\\x";
  for (char const one : data) {
    auto const c = static_cast<unsigned char>(one);
    text += {"0123456789abcdef"[c >> 4], "0123456789abcdef"[c & 15]};
  }
  return text;
}

/// An answer of one row.
pg::result postgres_answer(cells const& all) {
  pg::result r{PQmakeEmptyPGresult(nullptr, PGRES_TUPLES_OK)};
  char name[] = "c";
  std::vector<PGresAttDesc> columns(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    columns[i].name = name;
    if (all[i].kind == cell::bytes) columns[i].typid = pg::bytea_type;
  }
  PQsetResultAttrs(r.get(), static_cast<int>(all.size()), columns.data());
  for (int i = 0; i < static_cast<int>(all.size()); ++i) {
    auto const& one = all[static_cast<std::size_t>(i)];
    auto text = one.is.substr(0, one.is.find('\0'));
    if (one.kind == cell::integer) text = std::to_string(one.number());
    if (one.kind == cell::bytes) text = as_bytea(one.is);
    PQsetvalue(r.get(), 0, i, text.data(), one.kind == cell::null ? -1 : static_cast<int>(text.size()));
  }
  return r;
}

std::vector<my::cell> mysql_row(cells const& all) {
  std::vector<my::cell> row;
  for (auto const& one : all) {
    my::cell c;
    if (one.kind == cell::integer) c.value = one.number();
    if (one.kind == cell::real) c.value = std::strtod(one.is.c_str(), nullptr);
    if (one.kind == cell::text || one.kind == cell::bytes) c = {one.is, one.kind == cell::bytes};
    row.push_back(std::move(c));
  }
  return row;
}

/// Calls f with a row that SQLite answers.
template <class F>
void sqlite_row(cells const& all, F f) {
  static sqlite3* const db = [] {
    sqlite3* made = nullptr;
    must(sqlite3_open(":memory:", &made) == SQLITE_OK, "SQLite is there");
    return made;
  }();
  std::string sql = "select ";
  for (std::size_t i = 0; i < all.size(); ++i) sql += i > 0 ? ", ?" : "?";
  sqlite3_stmt* s = nullptr;
  must(sqlite3_prepare_v2(db, sql.c_str(), -1, &s, nullptr) == SQLITE_OK, "a row can be asked for");
  int i = 0;
  for (auto const& one : all) {
    auto const bound = [&](auto const& value) { return lite::bind(s, ++i, value, SQLITE_STATIC) == SQLITE_OK; };
    must(one.kind == cell::null      ? bound(nullptr)
         : one.kind == cell::integer ? bound(one.number())
         : one.kind == cell::real    ? bound(std::strtod(one.is.c_str(), nullptr))
         : one.kind == cell::text    ? bound(one.is)
                                     : bound(sl::as_bytes(one.is)),
         "a value can be bound");
  }
  must(sqlite3_step(s) == SQLITE_ROW, "SQLite answers a row");
  f(sl::sqlite_row{s});
  sqlite3_finalize(s);
}

/// Everything but `next`, which each store has as another type.
bool same(auto const& a, auto const& b) { return a.mine == b.mine && a.log == b.log && a.owned == b.owned; }

}  // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  pieces in{text_of(data, size)};
  sl::detail::stored_position p;
  auto const number = [&] { return static_cast<std::int64_t>(in.number()); };
  auto const has = in.number();
  p.next = std::max<std::int64_t>(number(), sl::detail::no_next);
  p.log.incarnation = number();
  p.owned = has & 1;
  p.mine.turn = in.number();
  p.mine.nonce = p.owned ? in.number() : 0;
  p.log.leader_epoch = static_cast<std::int32_t>(number());
  if (has & 2) p.log.last = sl::fingerprint{sl::offset{number()}, in.number()};

  auto const written = [](std::int64_t n) { return cell{cell::integer, std::to_string(n)}; };
  auto const bits = [&](std::uint64_t n) { return written(sl::detail::bits(n)); };
  cells position{written(p.next),
                 written(p.log.incarnation),
                 bits(p.mine.turn),
                 p.owned ? bits(p.mine.nonce) : cell{},
                 written(p.log.leader_epoch),
                 {},
                 {}};
  if (p.log.last) position[5] = written(p.log.last->of.value()), position[6] = bits(p.log.last->hash);
  sqlite_row(position, [&](auto row) {
    auto const read = lite::read_position(row);
    must(read.missing == (p.next == lite::gone) && read.next.value() == std::max<std::int64_t>(p.next, 0) &&
             same(read, p),
         "SQLite's positions are read as they were written");
  });
  position.insert(position.begin(), written(8));
  pg::positions::each(postgres_answer(position), [&](std::size_t i, auto const& read) {
    must(i == 7 && read.next == p.next && same(read, p), "PostgreSQL's positions are read as they were written");
  });

  auto all = cells_in(in);
  if (all.empty()) return 0;
  auto const row = mysql_row(all);
  look_into(sl::mysql_row{row.data(), static_cast<int>(row.size())}, all);
  sqlite_row(all, [&](auto one) {
    look_into(one, all);
    must_be_shown(refused([&] { static_cast<void>(lite::read_position(one)); }));
  });
  for (auto& one : all) {
    if (one.kind == cell::real) one.kind = cell::text;
    if (one.kind == cell::text) one.is.resize(std::min(one.is.find('\0'), one.is.size()));
  }
  sl::postgres_rows rows{postgres_answer(all)};
  must(rows.size() == 1, "one row is one");
  for (auto const one : rows) look_into(one, all);
  return 0;
}
