#include <sluice/offset_store/s3_checkpoint.hpp>

#include <sluice/sluice.hpp>
#include <sluice/testing/embedded_broker.hpp>

#include "hosted_checkpoint_support.hpp"
#include "s3_support.hpp"
#include "state/state_cases.hpp"

#include <csignal>
#include <cstdlib>

namespace {

struct s3_checkpoint_base : s3_fixture {
  sl::s3_offsets config_at(int at) const {
    auto c = config;
    c.endpoint = the_s3().endpoint(at);
    return c;
  }
  std::vector<std::string> names(std::string const& below) const {
    sl::detail::s3::files_of s{sl::detail::s3::settings_of(config)};
    return s.list(config.prefix + below, contract::soon()).value();
  }
  void overwrite(std::string const& name, std::string const& content) const {
    sl::detail::s3::client c{sl::detail::s3::settings_of(config)};
    CHECK(c.ask("PUT", config.prefix + name, contract::soon(), content).status == 200);
  }
};
using fixture = hosted_checkpoint<s3_checkpoint_base>;
using checkpoint = sl::checkpoint_in<sl::s3_offsets>;

static_assert(sl::transactional_store<checkpoint::runtime> && !sl::sets_aside<checkpoint::runtime>);
static_assert(sl::legal<sl::transactional, checkpoint> && sl::legal<sl::at_most_once, checkpoint>);
static_assert(!sl::legal<sl::transactional, checkpoint, sl::skip>);

std::string from_environment(char const* name) {
  auto const* value = std::getenv(name);
  return value ? value : "";
}

/// Ends the process at its n-th call, wherever that is.
struct killer {
  long left;
  void operator()() {
    if (left > 0 && --left == 0) ::raise(SIGKILL);
  }
};
struct watcher {
  using slot = sl::observer_slot;
  killer* may_kill;
  void on_advancing(sl::advance_event const&) { (*may_kill)(); }
  void on_advanced(sl::advance_event const&) { (*may_kill)(); }
  void on_batch(sl::batch_event const&) { (*may_kill)(); }
};

constexpr std::int64_t total = 2'000;

/// What a child does: counts until all is counted, or it is killed.
void count_on() {
  killer may_kill{std::atol(from_environment("SLUICE_KILL_AT").c_str())};
  // Or in the midst of a request.
  if (auto const after = std::atol(from_environment("SLUICE_KILL_AFTER").c_str()); after > 0)
    std::thread{[after] {
      std::this_thread::sleep_for(std::chrono::milliseconds{after});
      ::raise(SIGKILL);
    }}.detach();
  sl::keyed_state<std::string, std::int64_t> counts{.name = "counts"};
  sl::stream_consumer consumer{
      sl::transactional{},
      checkpoint{.place = {.bucket = "offsets",
                           .endpoint = from_environment("SLUICE_S3"),
                           .path_style = true,
                           .prefix = "killed",
                           .access_key = from_environment("SLUICE_KEY"),
                           .secret_key_variable = "SLUICE_SECRET"}},
      sl::kafka_partitions{
          .brokers = from_environment("SLUICE_BROKERS"), .group = "counts", .partitions = {{"t", 0}, {"t", 1}}},
      sl::micro_batch{.max_records = 60},
      watcher{&may_kill},
  };
  for (std::int64_t at = 0; at < total;) {
    consumer.step(
        [&](sl::batch const& b, sl::hosted_checkpoint_transaction& tx) {
          may_kill();
          counts.update(
              b, tx, [](sl::record r) { return r.key_text(); },
              [&](auto records, std::optional<std::int64_t>& n) { n = n.value_or(0) + std::ssize(records); });
          may_kill();
        },
        std::chrono::milliseconds{100});
    at = 0;
    for (auto const& p : consumer.positions()) at += p.next.value();
  }
}

}  // namespace

TEST_CASE("a child of the test below", "[.child]") {
  if (!from_environment("SLUICE_S3").empty()) count_on();
}

TEST_CASE("counts in S3 are exact through kill -9, on whatever host they go on") {
  std::mt19937 random{seed()};
  sl::testing::embedded_broker broker;
  broker.create_topic("t", 2);
  std::map<std::string, std::int64_t> wanted;
  std::vector<std::vector<sl::testing::produced>> parts(2);
  for (std::int64_t i = 0; i < total; ++i) {
    auto const key = "key " + std::to_string(random() % 300);
    ++wanted[key];
    parts[random() % 2].push_back({.key = key, .value = "v"});
  }
  for (int p = 0; p < 2; ++p) broker.produce_all("t", p, parts[static_cast<std::size_t>(p)]);
  temporary_folder const folder;
  int killed = 0;
  for (bool ended = false; !ended;) {
    auto const at = [&](bool here, unsigned most) { return std::to_string(here ? 1 + random() % most : 0); };
    servers::process child{
        {"/proc/self/exe", "[child]"},
        folder.name() + "/log",
        {"SLUICE_S3=" + the_s3().endpoint(), "SLUICE_KEY=" + the_s3().key(), "SLUICE_SECRET=" + the_s3().secret(),
         "SLUICE_BROKERS=" + broker.bootstrap(), "SLUICE_KILL_AT=" + at(killed < 6 && killed % 2, 40),
         "SLUICE_KILL_AFTER=" + at(killed < 6 && killed % 2 == 0, 700)}};
    int status = 0;
    ::waitpid(child.pid(), &status, 0);
    ended = WIFEXITED(status);
    INFO(child.log());
    REQUIRE((ended ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGKILL));
    killed += !ended;
  }
  CHECK(killed >= 2);
  fixture f;
  f.config.prefix = "killed";
  std::map<std::string, std::int64_t> counted;
  sl::for_each_state<std::string, std::int64_t>(
      f.here(), {.group = "counts"}, "counts",
      [&](sl::topic_partition const&, std::string const& key, std::int64_t n) { counted[key] += n; });
  CHECK(counted == wanted);
  for (auto const& p : sl::read_positions(f.here(), {.group = "counts"}, contract::soon()))
    CHECK(p.next.value() == std::ssize(parts[static_cast<std::size_t>(p.of.partition)]));
}

TEST_CASE("a checkpoint in S3 keeps the contract of stores") { contract::holds<fixture>(); }
TEST_CASE("a checkpoint in S3 keeps the contract of stores behind a network") {
  contract::holds_over_network<fixture>();
}
TEST_CASE("a checkpoint in S3 holds state") { state_cases::hold<fixture>(); }
TEST_CASE("in S3 state follows its partition") {
  fixture f;
  hosted_cases::state_follows_its_partition<fixture>(f);
}
TEST_CASE("in S3 nothing is left behind") {
  fixture f;
  hosted_cases::what_was_left_behind<fixture>(f);
}
TEST_CASE("in S3 damage is told") {
  fixture f;
  hosted_cases::damage_is_told(f);
}
