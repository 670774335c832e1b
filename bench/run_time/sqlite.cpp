// Rows and offset in one SQLite transaction: by hand on the C API, and through sqlite_offsets and its transaction.
// The argument is the number of records in a batch; items are records.
#include <sluice/batch.hpp>
#include <sluice/offset_store/sqlite.hpp>

#include <benchmark/benchmark.h>

#include <filesystem>

namespace sl = sluice;

namespace {

constexpr auto insert_row = "insert into orders (id, line) values (?, ?)";

/// A folder where the machine's disk is, not in memory.
struct folder {
  std::filesystem::path path = std::filesystem::current_path() / ("sluice-bench-" + std::to_string(::getpid()));
  folder() { std::filesystem::create_directory(path); }
  folder(folder const&) = delete;
  folder& operator=(folder const&) = delete;
  ~folder() { std::filesystem::remove_all(path); }
  std::string file() const { return (path / "orders.db").string(); }
};

struct records {
  std::string const line = std::string(100, 'x');
  std::vector<sl::detail::message> messages{};
  sl::detail::part part{};

  explicit records(std::size_t n) : messages(n) {
    part.range.of = {"orders", 0};
    for (auto& m : messages) {
      m.value = line.data();
      m.value_size = static_cast<std::uint32_t>(line.size());
    }
    part.begin = messages.data();
    part.end = messages.data() + n;
  }
  sl::batch next() {
    part.range.from = part.range.until;
    for (auto& m : messages) m.at = part.range.until.value(), part.range.until = part.range.until.next();
    return {{&part, 1}, {}};
  }
};

void ok(int rc) {
  if (rc != SQLITE_OK && rc != SQLITE_DONE) throw std::runtime_error(sqlite3_errstr(rc));
}

void by_hand(benchmark::State& state) {
  folder const in;
  records r{static_cast<std::size_t>(state.range(0))};
  sqlite3* db = nullptr;
  ok(sqlite3_open_v2(in.file().c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                     nullptr));
  ok(sqlite3_exec(db,
                  "pragma journal_mode = wal; pragma synchronous = full; create table orders (id integer, line blob);"
                  "create table offsets (topic text, partition integer, next integer, turn integer, nonce integer,"
                  " primary key (topic, partition)) without rowid; insert into offsets values ('orders', 0, 0, 1, 7)",
                  nullptr, nullptr, nullptr));
  auto const prepare = [&](char const* sql) {
    sqlite3_stmt* s = nullptr;
    ok(sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, nullptr));
    return s;
  };
  auto* begin = prepare("begin immediate");
  auto* commit = prepare("commit");
  auto* insert = prepare(insert_row);
  auto* advance =
      prepare("update offsets set next = ? where topic = ? and partition = ? and next = ? and turn = 1 and nonce = 7");
  auto const run = [](sqlite3_stmt* s) {
    ok(sqlite3_step(s));
    ok(sqlite3_reset(s));
  };
  for (auto _ : state) {
    auto const batch = r.next();
    run(begin);
    for (sl::record const one : batch) {
      ok(sqlite3_bind_int64(insert, 1, one.offset().value()));
      ok(sqlite3_bind_blob(insert, 2, one.value().data(), static_cast<int>(one.value().size()), SQLITE_STATIC));
      run(insert);
    }
    ok(sqlite3_bind_int64(advance, 1, r.part.range.until.value()));
    ok(sqlite3_bind_text(advance, 2, "orders", 6, SQLITE_STATIC));
    ok(sqlite3_bind_int64(advance, 3, 0));
    ok(sqlite3_bind_int64(advance, 4, r.part.range.from.value()));
    run(advance);
    if (sqlite3_changes(db) != 1) throw std::runtime_error("the offset did not move");
    run(commit);
  }
  for (auto* s : {begin, commit, insert, advance}) sqlite3_finalize(s);
  sqlite3_close(db);
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

struct from_zero final : sl::start_resolver {
  sl::topic_start start_of(std::string const& topic, sl::time_point) override { return {topic, {sl::offset{0}}}; }
  sl::offset earliest(sl::topic_partition const&, sl::time_point) override { return {}; }
};

/// `write(batch, transaction)` is what a handler would be.
template <class Write>
void through_sluice(benchmark::State& state, Write write) {
  folder const in;
  records r{static_cast<std::size_t>(state.range(0))};
  auto store = sl::sqlite_offsets::open({.path = in.file()}, {});
  from_zero start;
  auto const soon = [] { return std::chrono::steady_clock::now() + std::chrono::seconds{5}; };
  auto const claim = store.claim("bench", {{"orders", 0}}, start, soon());
  std::vector moves{sl::move{.of = claim[0].of, .mine = claim[0].mine, .log = claim[0].log}};
  {
    auto& tx = store.begin(moves, soon());
    tx.execute("create table orders (id integer, line blob)");
    store.advance(tx, moves, soon());
    store.commit(tx, soon());
  }
  for (auto _ : state) {
    auto const batch = r.next();
    moves[0].from = r.part.range.from;
    moves[0].until = r.part.range.until;
    auto& tx = store.begin(moves, soon());
    write(batch, tx);
    if (store.advance(tx, moves, soon())[0] != sl::outcome::applied || store.commit(tx, soon()) != sl::outcome::applied)
      throw std::runtime_error("the offset did not move");
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void execute(benchmark::State& state) {
  through_sluice(state, [](sl::batch const& batch, sl::sqlite_transaction& tx) {
    for (sl::record const one : batch) tx.execute(insert_row, one.offset(), one.value());
  });
}

void prepared(benchmark::State& state) {
  through_sluice(state, [](sl::batch const& batch, sl::sqlite_transaction& tx) {
    auto insert = tx.prepare(insert_row);
    for (sl::record const one : batch) insert.execute(one.offset(), one.value());
  });
}

}  // namespace

BENCHMARK(by_hand)->RangeMultiplier(10)->Range(1, 10'000)->UseRealTime();
BENCHMARK(execute)->RangeMultiplier(10)->Range(1, 10'000)->UseRealTime();
BENCHMARK(prepared)->RangeMultiplier(10)->Range(1, 10'000)->UseRealTime();
BENCHMARK_MAIN();
