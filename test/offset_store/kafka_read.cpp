#include <sluice/offset_store/kafka_read.hpp>

#include <sluice/source/rdkafka_client.hpp>
#include <sluice/testing/embedded_broker.hpp>

#include "reading.hpp"

namespace sl = sluice;

namespace {

sl::testing::embedded_broker& broker() {
  static sl::testing::embedded_broker one;
  static bool const made = [] {
    for (auto const& [topic, n] : {std::pair{"orders", 2}, {"clicks", 1}}) one.create_topic(topic, n);
    return true;
  }();
  static_cast<void>(made);
  return one;
}

/// A store that claims as a member does, on a client that is none.
struct bound {
  sl::rdkafka_client client;
  sl::kafka_offsets::runtime runtime;
  explicit bound(sl::context const& c)
      : client({.brokers = c.brokers, .group = c.group, .subscribe = false}), runtime(sl::kafka_offsets::open({}, c)) {
    runtime.bind(client.positions());
  }
};

struct fixture {
  using store = sl::kafka_offsets::runtime;
  sl::kafka_offsets config{};
  sl::context context() const { return {.brokers = broker().bootstrap(), .group = "billing"}; }
  std::shared_ptr<store> open() {
    auto const b = std::make_shared<bound>(context());
    return {b, &b->runtime};
  }
  void commit(std::string const& note) {
    bound b{context()};
    auto const done =
        b.client.positions().store({{.of = {"clicks", 0}, .next = sl::offset{3}, .note = note}}, contract::soon());
    REQUIRE(done == contract::all{sl::outcome::applied});
  }
  void newer() { commit("sluice2;x=1"); }
};

}  // namespace

TEST_CASE("offsets in Kafka are read without joining the group") { reading::holds<fixture>(); }

TEST_CASE("what others committed is read too, and a mirror names its store") {
  fixture f;
  f.commit("");
  auto const bare = reading::read(f);
  auto const clicks = [](auto const& all) {
    for (auto const& p : all)
      if (p.of.topic == "clicks") return p;
    throw std::logic_error("not found");
  };
  CHECK(clicks(bare).next == sl::offset{3});
  CHECK(clicks(bare).log == sl::log_state{});
  f.commit("sluice1;i=7;id=abc");
  CHECK(clicks(reading::read(f)).store_id == "abc");
  CHECK(clicks(reading::read(f)).log.incarnation == 7);
}

TEST_CASE("brokers that don't tell who is in a group are an error, not an empty group") {
  fixture f;
  try {
    sl::group_members(f.context(), std::chrono::steady_clock::now() + std::chrono::seconds{2});
    FAIL("the embedded broker can't describe groups");
  } catch (sl::error const& e) { CHECK_THAT(e.what(), Catch::Matchers::ContainsSubstring("billing")); }
  CHECK_THROWS_WITH(sl::group_members({.brokers = broker().bootstrap()}, contract::soon()),
                    Catch::Matchers::ContainsSubstring("no group is named"));
}
