#include <sluice/source/log_writer.hpp>

#include <future>

#include "catch.hpp"
#include "detail/simulated_files.hpp"

namespace {

namespace sl = sluice;
namespace d = sl::detail;
using namespace std::chrono_literals;

/// Lets so many syncs of files pass, and holds the next one up.
struct gate {
  std::mutex guard{};
  std::condition_variable changed{};
  int may_pass = 1'000'000;
  bool held = false;

  int pass() {
    std::unique_lock lock{guard};
    held = may_pass == 0;
    changed.notify_all();
    changed.wait(lock, [&] { return may_pass > 0; });
    --may_pass;
    held = false;
    return 0;
  }
  void let(int n) {
    std::lock_guard const lock{guard};
    may_pass = n;
    held = false;
    changed.notify_all();
  }
  bool wait_until_held() {
    std::unique_lock lock{guard};
    return changed.wait_for(lock, 10s, [&] { return held; });
  }
};

/// A log whose syncs pass a gate, and a record for it.
struct gated_log {
  gate syncs{};
  std::shared_ptr<simulated::disk> disk = std::make_shared<simulated::disk>();
  d::log_folder<simulated::files> folder{{disk}, "log"};
  sl::received const r{.value = "value"};
  std::string one{};  // the record as it stands in the log

  gated_log() {
    disk->fail = [&](std::string const& op, std::string const&) { return op == "sync" ? syncs.pass() : 0; };
    folder.open();
    d::append_frame(one, r, d::image_size(r), 0);
  }
};

}  // namespace

TEST_CASE_METHOD(gated_log, "the next group is filled while one is synced") {
  std::atomic<std::uint64_t> durable{0};
  auto const told = [&](std::uint64_t n) {
    durable = n;
    if (n == 1) std::this_thread::sleep_for(100ms);  // who waits for room looks meanwhile, and there is none yet
  };
  std::string four;
  for (std::uint64_t n = 0; n < 4; ++n) d::append_frame(four, r, d::image_size(r), n);
  d::log_writer<simulated::files> writer{folder,
                                         d::log_bounds{.max_group = four.size() + d::most_frame(d::image_size(r)) - 1},
                                         told, [](std::string const&) {}};
  syncs.let(1);  // of the first segment's header
  writer.start();
  writer.store(r, true);
  REQUIRE(syncs.wait_until_held());
  for (int i = 0; i < 4; ++i) CHECK(writer.store(r, false));
  CHECK_FALSE(writer.store(r, false));
  auto fifth = std::async(std::launch::async, [&] { return writer.store(r, true); });
  CHECK(fifth.wait_for(100ms) == std::future_status::timeout);  // by then it waits for room
  syncs.let(1);
  REQUIRE(syncs.wait_until_held());
  CHECK(fifth.wait_for(10s) == std::future_status::ready);
  CHECK(durable == 1);
  syncs.let(1'000'000);
  CHECK(fifth.get());
  writer.close();
  CHECK(durable == 6);
  CHECK(folder.end() == 6);
}

TEST_CASE_METHOD(gated_log, "who waits for a group's room hears of it when the log has become full meanwhile") {
  auto const most = d::most_frame(d::image_size(r)) + d::log_mark_size;
  std::promise<std::string> told;
  // Room for three, as long as the segment's header is not counted.
  d::log_writer<simulated::files> writer{
      folder, d::log_bounds{.max_bytes = 2 * one.size() + most + d::log_header_size / 2, .max_group = one.size()},
      [](std::uint64_t) {},
      [&, once = false](std::string text) mutable {
        if (!std::exchange(once, true)) told.set_value(std::move(text));
      }};
  syncs.let(1);
  writer.start();
  writer.store(r, true);
  REQUIRE(syncs.wait_until_held());
  CHECK(writer.store(r, false));
  auto third = std::async(std::launch::async, [&] { return writer.store(r, true); });
  CHECK(third.wait_for(100ms) == std::future_status::timeout);
  auto heard = told.get_future();
  CHECK(heard.wait_for(0ms) == std::future_status::timeout);
  syncs.let(1'000'000);
  bool const in_time = heard.wait_for(10s) == std::future_status::ready;
  writer.stop();
  CHECK_FALSE(third.get());
  REQUIRE(in_time);
  CHECK(heard.get().find("holds .max_bytes") != std::string::npos);
}

TEST_CASE_METHOD(gated_log, "that a log is full is told once, until there is room again") {
  std::atomic<int> told = 0;
  std::atomic<std::uint64_t> durable = 0;
  // Room for two, as long as the segment's header is not counted.
  d::log_writer<simulated::files> writer{
      folder, d::log_bounds{.max_bytes = one.size() + d::most_frame(d::image_size(r)) + d::log_mark_size},
      [&](std::uint64_t n) { durable = n; }, [&](std::string const&) { ++told; }};
  auto const soon = [](auto is) {
    for (int i = 0; i < 1000 && !is(); ++i) std::this_thread::sleep_for(10ms);
    return is();
  };
  syncs.let(1);
  writer.start();
  writer.store(r, true);
  REQUIRE(syncs.wait_until_held());
  CHECK(writer.store(r, false));
  auto third = std::async(std::launch::async, [&] { return writer.store(r, true); });
  CHECK(soon([&] { return told == 1; }));
  syncs.let(1'000'000);
  CHECK(soon([&] { return durable == 2; }));
  CHECK(third.wait_for(100ms) == std::future_status::timeout);
  writer.stop();
  CHECK_FALSE(third.get());
  CHECK(told == 1);
}
