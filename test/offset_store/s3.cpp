#include <sluice/offset_store/s3.hpp>

#include <sluice/legality.hpp>

#include "contract_network.hpp"
#include "s3_support.hpp"
#include "servers/small_s3.hpp"
#include "thrown.hpp"

static_assert(sl::offset_store<sl::s3_offset_store> && !sl::transactional_store<sl::s3_offset_store>);
static_assert(sl::legal<sl::at_most_once, sl::s3_offsets> && sl::legal<sl::idempotent, sl::s3_offsets>);
static_assert(!sl::legal<sl::transactional, sl::s3_offsets>);

namespace {

using contract::advance;
using contract::claim;
using contract::partitions;
using contract::resolver;
using contract::soon;
using contract::to;
using servers::error_answer;
using servers::http_answer;
using servers::http_request;
using servers::no_answer;
using servers::small_s3;
using sl::errc;
using sl::offset;
using sl::outcome;
using all_of = std::vector<outcome>;

resolver orders() { return resolver{{{"orders", {offset{10}, offset{20}}}}}; }

}  // namespace

TEST_CASE("s3_offsets keeps the contract of stores") { contract::holds<s3_fixture>(); }
TEST_CASE("s3_offsets keeps the contract of stores behind a network") { contract::holds_over_network<s3_fixture>(); }

TEST_CASE("each request bears the session token, and no secret") {
  small_s3 s;
  auto store = sl::s3_offsets::open(s.config(), sl::context{});
  auto r = orders();
  auto const c = claim(store, "billing", partitions("orders", {0}), r);
  auto const etag = s.objects["/offsets/sluice/billing"].etag;
  advance(store, {to(c[0], 15)});
  auto const requests = s.server.requests();
  CHECK(requests.size() == 6);
  for (auto const& one : requests) {
    CHECK(one.header("x-amz-security-token") == "canary-token");
    CHECK_THAT(one.header("authorization"), ContainsSubstring("x-amz-security-token"));
    CHECK(one.header("x-amz-content-sha256") == sl::detail::sha256(one.content));
    CHECK(one.head.find("canary") == one.head.rfind("canary"));
  }
  CHECK(requests[4].target == "/offsets/sluice/billing");
  CHECK(requests[4].header("if-none-match") == "*");
  CHECK(requests[5].header("if-match") == etag);
}

TEST_CASE("a conflict is tried again, an overloaded server leaves it unknown") {
  small_s3 s;
  auto store = sl::s3_offsets::open(s.config(), sl::context{});
  auto r = orders();
  auto const c = claim(store, "billing", partitions("orders", {0}), r);
  std::vector const moves{to(c[0], 15)};
  int times = 0;
  auto const first_put = [&](http_answer const& a, bool stored) {
    times = 0;
    s.say = [&, a, stored](http_request const& q) -> std::optional<http_answer> {
      if (q.method != "PUT" || times++ > 0) return {};
      if (stored) s.answer(q);
      return a;
    };
  };
  SECTION("409") {
    first_put(error_answer(409, "ConditionalRequestConflict"), false);
    CHECK(advance(store, moves) == all_of{outcome::applied});
    CHECK(times == 2);
  }
  SECTION("412 though nobody else was there: the same request came twice") {
    first_put(error_answer(412, "PreconditionFailed"), true);
    CHECK(advance(store, moves) == all_of{outcome::applied});
    CHECK(times == 1);
  }
  SECTION("500, and 503, stored or not") {
    auto const a = GENERATE(error_answer(500, "InternalError"), error_answer(503, "SlowDown"),
                            http_answer{.status = 502}, no_answer);
    bool const stored = GENERATE(true, false);
    first_put(a, stored);
    auto answers = advance(store, moves);
    if (a.status != 0) CHECK(answers == all_of{outcome::unknown});  // libcurl itself asks again where nothing came
    answers = contract::copy(store.settle(moves, soon()));
    CHECK(answers == all_of{outcome::applied});
  }
  SECTION("a claim") {
    first_put(error_answer(503, "SlowDown"), true);
    auto const failed = store.claim("billing", partitions("orders", {0}), r, soon());
    CHECK(failed[0].what == sl::claimed::failed);
    CHECK_THAT(failed[0].why, ContainsSubstring("s3://offsets/sluice/billing"));
  }
  SECTION("reading") {
    auto bad = error_answer(503, "SlowDown");
    s.say = [&](http_request const& q) -> std::optional<http_answer> {
      if (q.method == "GET") return bad;
      return {};
    };
    auto const e = error_of([&] { store.claim("billing", partitions("orders", {0}), r, soon()); });
    CHECK(e.code == errc::store_unavailable);
    CHECK_THAT(e.text, ContainsSubstring("503 SlowDown"));
    bad = error_answer(404, "NoSuchBucket");
    CHECK(error_of([&] { store.claim("new", partitions("orders", {0}), r, soon()); }).code == errc::bad_configuration);
    bad = {.status = 404, .content = "not found"};
    CHECK(error_of([&] { store.claim("new", partitions("orders", {0}), r, soon()); }).code == errc::store_unavailable);
  }
  SECTION("no space") {
    first_put(error_answer(507, "XMinioStorageFull"), false);
    CHECK(error_of([&] { store.advance(moves, soon()); }).code == errc::store_full);
    CHECK(advance(store, moves) == all_of{outcome::applied});
  }
  SECTION("an answer without an ETag") {
    first_put({}, true);
    CHECK(advance(store, moves) == all_of{outcome::applied});
    auto further = to(c[0], 18);
    further.from = offset{15};
    CHECK(advance(store, {further}) == all_of{outcome::applied});
  }
}

TEST_CASE("what is in the object and can't be read is told, and left as it was") {
  small_s3 s;
  auto store = sl::s3_offsets::open(s.config(), sl::context{});
  auto r = orders();
  auto const set = partitions("orders", {0, 1});
  auto const c = claim(store, "billing", set, r);
  std::vector const moves{to(c[0], 15), to(c[1], 25)};
  auto& object = s.objects.at("/offsets/sluice/billing");
  auto const good = object.content;
  auto const everything = [&](errc code, std::string const& part) {
    object.etag = "\"other\"";
    auto const told = [&](auto call) {
      auto const before = object.content;
      auto const e = error_of(call);
      INFO(e.text);
      CHECK(e.of_store);
      CHECK_THAT(e.text, ContainsSubstring("s3://offsets/sluice/billing") && ContainsSubstring(part));
      CHECK(object.content == before);
      CHECK(e.code == code);
    };
    told([&] { store.advance(moves, soon()); });
    told([&] { store.claim("billing", set, r, soon()); });
    told([&] { store.record({{set[1], offset{1}, c[1].mine, "seek"}}, soon()); });
    CHECK(contract::copy(store.settle(moves, soon())) == all_of(2, outcome::unknown));
    store.release(c, soon());
  };
  SECTION("somebody else's") {
    object.content = "canary";
    everything(errc::store_damaged, "no file of offsets");
  }
  SECTION("nothing") {
    object.content = "";
    everything(errc::store_damaged, "put an earlier version back");
  }
  SECTION("cut short") {
    object.content = good.substr(0, good.size() - 1);
    everything(errc::store_damaged, "its length");
  }
  SECTION("a bit") {
    object.content[40] ^= 1;
    everything(errc::store_damaged, "its checksum");
  }
  SECTION("of another group") {
    claim(store, "other", set, r);
    claim(store, "billing", set, r);
    s.objects.at("/offsets/sluice/billing").content = s.objects.at("/offsets/sluice/other").content;
    everything(errc::store_damaged, "the group 'other'");
  }
  SECTION("a newer format") {
    std::string head{sl::detail::generation_magic}, length;
    sl::detail::byte_writer{head}.number(std::uint32_t{2});
    sl::detail::byte_writer{length}.number(std::uint64_t{3});
    auto const crc = sl::detail::crc32c("new", sl::detail::crc32c(length, sl::detail::crc32c(head)));
    sl::detail::byte_writer{head}.number(crc);
    object.content = head + length + "new";
    everything(errc::store_newer, "later version");
  }
  SECTION("it is gone") {
    s.say = [&](http_request const&) -> std::optional<http_answer> { return error_answer(404, "NoSuchKey"); };
    everything(errc::store_damaged, "is gone");
  }
}
