/// A store that is wrong on purpose: it answers `applied` at once and stores later. Buffered writes, asynchronous
/// clients and "commit in the background" are the same mistake; no type can see it, so the contract forbids it in words.
#pragma once
#include "parent_link.hpp"

#include <sluice/offset_store/sqlite.hpp>

#include <chrono>

namespace crash_course {

struct write_behind_offsets;

class write_behind {
  sl::sqlite_offsets::runtime real_;
  std::vector<sl::move> waiting_{};
  std::vector<sl::outcome> answers_{};

 public:
  static constexpr bool durable_at_advance = true;  // not so
  static constexpr sl::fencing fencing = sl::fencing::compare_and_set;

  write_behind(write_behind_offsets const& policy, sl::context const& context);

  /// What `advance` promised.
  void flush(marks& tell) {
    if (waiting_.empty()) return;
    tell.advancing(waiting_);
    auto const answers = store();
    tell.advanced(waiting_, answers);
    waiting_.clear();
  }
  std::vector<sl::claimed> claim(std::string const& group, std::vector<sl::topic_partition> const& set,
                                 sl::start_resolver& resolve, sl::time_point by) {
    catch_up();
    return real_.claim(group, set, resolve, by);
  }
  std::span<sl::outcome const> advance(std::span<sl::move const> moves, sl::time_point) {
    catch_up();
    waiting_.assign(moves.begin(), moves.end());
    answers_.assign(moves.size(), sl::outcome::applied);
    return answers_;
  }
  std::span<sl::outcome const> settle(std::span<sl::move const> moves, sl::time_point by) {
    return real_.settle(moves, by);
  }
  std::vector<sl::claimed> record(std::vector<sl::rewind> const& rewinds, sl::time_point by) {
    catch_up();
    return real_.record(rewinds, by);
  }
  void release(std::vector<sl::claimed> const& claims, sl::time_point by) {
    catch_up();
    real_.release(claims, by);
  }
  std::optional<std::string> local_id() { return real_.local_id(); }

 private:
  std::span<sl::outcome const> store() {
    return real_.advance(waiting_, std::chrono::steady_clock::now() + std::chrono::seconds{5});
  }
  void catch_up() {
    if (!waiting_.empty()) store();
    waiting_.clear();
  }
};

struct write_behind_offsets {
  using slot = sl::offset_store_slot;
  using must_be_configured = void;
  using runtime = write_behind;
  sl::sqlite_offsets real{};
  write_behind** made = nullptr;  ///< is told where the runtime is

  static runtime open(write_behind_offsets const& self, sl::context const& context) { return {self, context}; }
};

inline write_behind::write_behind(write_behind_offsets const& policy, sl::context const& context)
    : real_(sl::sqlite_offsets::open(policy.real, context)) {
  *policy.made = this;
}

}  // namespace crash_course
