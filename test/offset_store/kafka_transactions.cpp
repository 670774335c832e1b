#include <sluice/offset_store/kafka_transactions.hpp>

#include "../source/written_records.hpp"
#include "catch.hpp"
#include "scripted_positions.hpp"

#include <sluice/offset_store/kafka.hpp>

namespace sl = sluice;
using namespace std::chrono_literals;
using scripted::of;
using scripted::onward;
using scripted::soon;
using sl::outcome;
using sl::testing::request;
using written::within;

namespace {

constexpr auto init_producer_id = static_cast<request>(22), add_offsets = static_cast<request>(25),
               end_txn = static_cast<request>(26), txn_offset_commit = static_cast<request>(28);

/// As librdkafka writes it of a member.
std::string membership(std::string const& member, int generation) {
  auto* const m = rd_kafka_consumer_group_metadata_new_with_genid("billing", generation, member.c_str(), nullptr);
  void* data = nullptr;
  std::size_t size = 0;
  sl::detail::rdkafka_error const failed{rd_kafka_consumer_group_metadata_write(m, &data, &size)};
  REQUIRE_FALSE(failed);
  std::string text{static_cast<char*>(data), size};
  rd_kafka_mem_free(nullptr, data);
  rd_kafka_consumer_group_metadata_destroy(m);
  return text;
}

/// The mock cluster throws away what a transaction commits, so the tests write it into the script.
struct fixture {
  sl::testing::embedded_broker own{};
  sl::testing::embedded_broker& broker() { return own; }
  static std::string new_name(std::string const& base) {
    static int n = 0;
    return base + std::to_string(++n);
  }
  scripted::log_of_commits group{};
  scripted::positions positions{group};
  scripted::starts starts{};
  std::string topic = new_name("clean");
  sl::kafka_offsets policy{.transactional_id = new_name("billing-"), .transaction_timeout = 2000ms};
  sl::context where{
      .brokers = broker().bootstrap(), .group = "billing", .properties = {{"session.timeout.ms", "9000"}}};
  sl::kafka_offsets::runtime store{sl::kafka_offsets::open(policy, where)};
  std::vector<sl::claimed> claims{};

  fixture() {
    broker().create_topic(topic, 1);
    broker().create_topic("orders", 4);  // librdkafka 2.8 looks for it
    positions.metadata = membership("member-1", 3);
    store.prepare_transactions();
    store.bind(positions);
    claims = store.claim("billing", of("orders", {0, 1}), starts, within(5s));
    positions.stores.clear();
    store.batch_taken();
  }
  std::vector<sl::move> moves() { return {onward(claims[0], 5), onward(claims[1], 7)}; }
  outcome transact(std::vector<sl::move> const& moves, std::string const& value) {
    auto& tx = store.begin(moves, within(5s));
    tx.produce(topic, "k", value);
    store.advance(tx, moves, soon());
    return store.commit(tx, within(2s));
  }
  std::vector<outcome> settle(std::vector<sl::move> const& moves) {
    auto const o = store.settle(moves, within(5s));
    return {o.begin(), o.end()};
  }
  /// As though the transaction had been committed.
  void lands(std::vector<sl::move> const& moves) {
    for (auto const& m : moves) group.at[m.of] = {m.until, sl::to_text({.log = m.log, .mine = m.mine})};
  }
  std::vector<std::string> results(std::size_t count) {
    std::vector<std::string> values;
    for (auto const& r : written::in(broker(), topic, 1, count)) values.push_back(*r.value);
    return values;
  }
};
using all = std::vector<outcome>;
using texts = std::vector<std::string>;

sl::errc code_of(std::function<void()> const& f) {
  try {
    f();
  } catch (sl::store_error const& e) { return e.code(); } catch (sl::error const& e) {
    FAIL("no store_error: " << e.what());
  }
  return {};
}

}  // namespace

TEST_CASE("results and offsets go together, batch after batch") {
  fixture f;
  auto const first = f.moves();
  CHECK(f.transact(first, "one") == outcome::applied);
  CHECK(f.settle(first) == all{outcome::applied, outcome::applied});
  f.store.batch_taken();
  for (std::size_t i = 0; i < 2; ++i) f.claims[i].next = first[i].until;
  CHECK(f.transact(f.moves(), "two") == outcome::applied);
  CHECK(f.results(2) == texts{"one", "two"});
  CHECK(f.positions.stores.empty());
  CHECK(f.positions.abandoned == 0);
}

TEST_CASE("moves that go nowhere hold under their fence only") {
  fixture f;
  std::vector still{onward(f.claims[0], 0), onward(f.claims[1], 0)};
  CHECK(f.transact(still, "one") == outcome::applied);
  CHECK(f.settle(still) == all{outcome::applied, outcome::applied});
  f.store.batch_taken();
  CHECK(f.transact({onward(f.claims[0], 5), still[1]}, "two") == outcome::applied);
  f.store.batch_taken();
  still[1].mine.nonce ^= 1;
  CHECK(f.transact({still[1]}, "not three") == outcome::refused);
  CHECK(f.results(2) == texts{"one", "two"});
}

TEST_CASE("a rollback moves nothing, and the same batch can be run again") {
  fixture f;
  auto const moves = f.moves();
  auto& tx = f.store.begin(moves, within(5s));
  f.store.advance(tx, moves, soon());
  f.store.rollback(tx);
  CHECK(f.store.commit(tx, soon()) == outcome::refused);
  f.store.rollback(tx);
  CHECK(f.settle(moves) == all{outcome::refused, outcome::refused});
  CHECK(f.transact(moves, "again") == outcome::applied);
}

TEST_CASE("one move that does not hold rolls back all") {
  fixture f;
  auto moves = f.moves();
  moves[1].mine.nonce ^= 1;
  auto& tx = f.store.begin(moves, within(5s));
  auto const answers = f.store.advance(tx, moves, soon());
  CHECK(all{answers.begin(), answers.end()} == all{outcome::applied, outcome::refused});
  CHECK(f.store.commit(tx, soon()) == outcome::refused);
  CHECK(f.settle(moves) == all{outcome::refused, outcome::refused});
  CHECK(f.transact({f.moves()[0]}, "the rest") == outcome::applied);
}

TEST_CASE("a claim that is given up or renewed while the transaction is open refuses it") {
  bool const renewed = GENERATE(true, false);
  fixture f;
  auto const moves = f.moves();
  auto& tx = f.store.begin(moves, within(5s));
  CHECK(f.store.advance(tx, moves, soon())[0] == outcome::applied);
  if (renewed) {
    f.store.claim("billing", of("orders", {0}), f.starts, within(5s));
  } else {
    f.store.release({f.claims[0]}, soon());
  }
  CHECK(f.store.commit(tx, soon()) == outcome::refused);
}

TEST_CASE("what was applied before is not committed twice") {
  fixture f;
  CHECK(f.transact(f.moves(), "once") == outcome::applied);
  CHECK(f.transact(f.moves(), "twice") == outcome::refused);
}

TEST_CASE("a subscribed source needs a membership, one by hand does not") {
  fixture f;
  f.positions.metadata.clear();
  SECTION("subscribed") {
    f.store.batch_taken();
    auto const moves = f.moves();
    auto& tx = f.store.begin(moves, within(5s));
    CHECK(f.store.advance(tx, moves, soon())[0] == outcome::refused);
    CHECK(f.store.commit(tx, soon()) == outcome::refused);
  }
  SECTION("by hand") {
    f.store.bind(f.positions, false);
    f.claims = f.store.claim("billing", of("orders", {0, 1}), f.starts, within(5s));
    f.store.batch_taken();
    CHECK(f.transact(f.moves(), "x") == outcome::applied);
  }
}

TEST_CASE("each attempt at a batch goes by the membership that it was taken under") {
  struct counting : scripted::positions {
    using positions::positions;
    int asked = 0;
    std::string group_metadata() override { return ++asked, metadata; }
  };
  fixture f;
  counting positions{f.group};
  positions.metadata = membership("member-1", 3);
  f.store.bind(positions);
  f.claims = f.store.claim("billing", of("orders", {0, 1}), f.starts, within(5s));
  f.store.batch_taken();
  CHECK(positions.asked == 1);
  positions.metadata = membership("member-1", 4);
  auto const moves = f.moves();
  for (int i = 0; i < 2; ++i) {
    auto& tx = f.store.begin(moves, within(5s));
    f.store.advance(tx, moves, soon());
    f.store.rollback(tx);
  }
  CHECK(f.transact(moves, "x") == outcome::applied);
  CHECK(positions.asked == 1);
}

TEST_CASE("a group that has moved on refuses; nothing has moved, and a new claim goes on") {
  auto const code = GENERATE(RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID);
  fixture f;
  f.broker().fail_next(txn_offset_commit, {code});
  CHECK(f.transact(f.moves(), "gone") == outcome::refused);
  CHECK(f.settle(f.moves()) == all{outcome::refused, outcome::refused});
  f.claims = f.store.claim("billing", of("orders", {0, 1}), f.starts, within(5s));
  f.store.batch_taken();
  CHECK(f.transact(f.moves(), "kept") == outcome::applied);
}

TEST_CASE("a result that the brokers refuse is the store's failure, never the record's") {
  fixture f;
  f.broker().fail_next(request::produce, {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE});
  auto const code = code_of([&] { f.transact(f.moves(), "x"); });
  CHECK(code == sl::errc::store_unavailable);
  CHECK(f.transact(f.moves(), "y") == outcome::applied);
}

TEST_CASE("after a commit without an answer a stable read tells what became of it") {
  bool const landed = GENERATE(true, false);
  fixture f;
  auto const moves = f.moves();
  f.broker().delay_next(end_txn, 6s);
  CHECK(f.transact(moves, "x") == outcome::unknown);

  // Before it is settled nothing can be built on it.
  auto& tx = f.store.begin(moves, within(5s));
  CHECK(f.store.advance(tx, moves, soon())[0] == outcome::refused);
  f.store.rollback(tx);

  if (landed) f.lands(moves);
  f.positions.unreadable = {{"orders", 1}};
  CHECK(f.settle(moves)[1] == outcome::unknown);
  f.positions.unreadable.clear();
  auto const final = landed ? outcome::applied : outcome::refused;
  CHECK(f.settle(moves) == all{final, final});
  CHECK(f.settle(moves) == all{final, final});
  CHECK(f.positions.abandoned == 0);

  f.store.batch_taken();
  for (std::size_t i = 0; landed && i < 2; ++i) f.claims[i].next = moves[i].until;
  CHECK(f.transact(f.moves(), "y") == outcome::applied);
}

TEST_CASE("an offset that somebody else stored is not taken for ours") {
  fixture f;
  auto const moves = f.moves();
  f.broker().delay_next(end_txn, 6s);
  CHECK(f.transact(moves, "x") == outcome::unknown);
  auto theirs = moves;
  for (auto& m : theirs) m.mine.nonce ^= 1;
  f.lands(theirs);
  CHECK(f.settle(moves) == all{outcome::refused, outcome::refused});
  CHECK(f.transact(moves, "z") == outcome::refused);
}

TEST_CASE("fenced at once: refused, and this instance ends instead of fencing its successor") {
  fixture f;
  f.broker().fail_next(add_offsets, {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH});
  CHECK(f.transact(f.moves(), "x") == outcome::refused);
  f.broker().fail_next(init_producer_id, {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED});
  f.claims = f.store.claim("billing", of("orders", {0, 1}), f.starts, within(5s));  // without a new producer
  CHECK(code_of([&] { f.store.begin(f.moves(), within(5s)); }) == sl::errc::fenced);
  CHECK(code_of([&] { f.store.begin(f.moves(), within(5s)); }) == sl::errc::fenced);
}

TEST_CASE("fenced at the commit: a stable read tells, and no new producer is made for it") {
  bool const landed = GENERATE(true, false);
  fixture f;
  auto const moves = f.moves();
  f.broker().fail_next(end_txn, {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH});
  if (landed) f.lands(moves);
  CHECK(f.transact(moves, "x") == (landed ? outcome::applied : outcome::refused));
  CHECK(code_of([&] { f.store.begin(moves, within(5s)); }) == sl::errc::fenced);
}

TEST_CASE("fenced by a coordinator that waited too long: a member that is still one goes on") {
  bool const still_member = GENERATE(true, false);
  fixture f;
  f.policy.transaction_timeout = 1000ms;
  sl::kafka_offsets::runtime store{sl::kafka_offsets::open(f.policy, f.where)};
  store.prepare_transactions();
  store.bind(f.positions);
  f.claims = store.claim("billing", of("orders", {0, 1}), f.starts, within(5s));
  store.batch_taken();
  auto const moves = f.moves();
  auto& tx = store.begin(moves, within(5s));
  tx.produce(f.topic, "k", "late");
  store.advance(tx, moves, soon());
  std::this_thread::sleep_for(1100ms);  // the handler takes longer than transaction_timeout
  f.broker().fail_next(add_offsets, {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH});
  CHECK(store.commit(tx, soon()) == outcome::refused);
  if (!still_member) f.positions.metadata = membership("member-2", 5);
  auto const code = code_of([&] { store.rollback(store.begin(moves, within(5s))); });
  CHECK(code == (still_member ? sl::errc{} : sl::errc::fenced));
}

TEST_CASE("no offset is read before what an earlier instance has left open is ended") {
  fixture f;
  f.policy.transactional_id = fixture::new_name("billing-");
  sl::kafka_offsets::runtime store{sl::kafka_offsets::open(f.policy, f.where)};
  store.prepare_transactions();
  store.bind(f.positions);
  auto const reads = f.positions.reads;
  f.broker().fail_next(init_producer_id, {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED});
  CHECK(code_of([&] { store.claim("billing", of("orders", {0, 1}), f.starts, within(5s)); }) ==
        sl::errc::access_denied);
  CHECK(f.positions.reads == reads);
}

TEST_CASE("a dead letter is part of the transaction") {
  fixture f;
  sl::detail::message const message{.key = "k", .value = "bad", .key_size = 1, .value_size = 3, .at = 41};
  sl::detail::part const part{.begin = &message, .end = &message + 1, .range = {.of = {"orders", 2}}};
  sl::dead_letter const letter{.what = {&message, &part}, .error = "no number"};
  CHECK_THROWS_AS(f.store.set_aside(f.topic, letter), sl::error);
  auto const moves = f.moves();
  auto& tx = f.store.begin(moves, within(5s));
  CHECK_THROWS_AS(f.store.set_aside("", letter), sl::error);
  f.store.set_aside(f.topic, letter);
  f.store.advance(tx, moves, soon());
  CHECK(f.store.commit(tx, soon()) == outcome::applied);
  auto const found = written::in(f.broker(), f.topic, 1, 1);
  REQUIRE(found.size() == 1);
  CHECK(found[0].value == "bad");
  CHECK(found[0].headers[2] == std::pair{std::string("sluice.offset"), std::optional<std::string>("41")});
}
