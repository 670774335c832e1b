/// \file history.hpp  What one process of a test did, as lines that check_history reads.
#pragma once
#include <sluice/batch.hpp>
#include <sluice/observer.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace history {

namespace sl = sluice;

/// Each line is one write at the end of the file: it outlives the process that is killed behind it.
class file {
  int fd_;
  std::string process_;

 public:
  /// `process`: another name for each start. Values must be letters that JSON takes as they are.
  file(std::string const& path, std::string process)
      : fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)), process_(std::move(process)) {
    if (fd_ < 0) std::abort();
  }
  file(file const&) = delete;
  file& operator=(file const&) = delete;
  ~file() { ::close(fd_); }

  void line(char const* what, std::int32_t partition, std::int64_t offset, std::string_view value = {}) const {
    auto const now = std::chrono::steady_clock::now().time_since_epoch();
    std::string text = R"({"what":")" + std::string{what} + R"(","process":")" + process_ + R"(","time":)" +
                       std::to_string(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()) +
                       R"(,"partition":)" + std::to_string(partition) + R"(,"offset":)" + std::to_string(offset);
    if (!value.empty()) text += R"(,"value":")" + std::string{value} + '"';
    text += "}\n";
    if (::write(fd_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) std::abort();
  }
  void line(char const* what, sl::record r) const { line(what, r.partition(), r.offset().value(), r.text()); }
};

/// Writes what the consumer tells. A transaction's batch that is handed over again is not polled again.
struct observer {
  using slot = sl::observer_slot;
  file const* to = nullptr;
  bool may_run_again = false;  ///< transactional
  std::map<std::int32_t, std::int64_t> next{};
  sl::wall_time last{};

  void on_claim(sl::claimed const& c) {
    if (c.what > sl::claimed::added) return;
    to->line("assigned", c.of.partition, c.next.value());
    next.erase(c.of.partition);
  }
  void on_rebalance(sl::rebalance_event const& e) {
    if (e.what != sl::rebalance_event::assigned)
      for (auto const& of : e.partitions) to->line("revoked", of.partition, 0);
  }
  void on_handling(sl::batch const& b) {
    bool const again = may_run_again && b.time() == last;
    last = b.time();
    for (sl::record r : b) {
      auto& behind = next[r.partition()];
      if (again && r.offset().value() < behind) continue;
      to->line("polled", r);
      behind = r.offset().value() + 1;
    }
  }
  void on_advanced(sl::advance_event const& e) {
    for (std::size_t i = 0; i < e.moves.size(); ++i)
      if (e.outcomes[i] == sl::outcome::applied) to->line("stored", e.moves[i].of.partition, e.moves[i].until.value());
  }
};

/// The same, and what a person would want to see goes to the standard error.
struct loud_observer : observer {
  sl::log_to log{&std::cerr};
  std::string name{};

  void say() const { std::cerr << name << ": "; }
  void on_claim(sl::claimed const& c) {
    observer::on_claim(c);
    say();
    log.on_claim(c);
  }
  void on_rebalance(sl::rebalance_event const& e) {
    observer::on_rebalance(e);
    say();
    log.on_rebalance(e);
  }
  void on_refused(sl::move const& m) {
    say();
    log.on_refused(m);
  }
  void on_retry(sl::retry_event const& e) {
    say();
    log.on_retry(e);
  }
  void on_log(sl::log_event const& e) {
    say();
    log.on_log(e);
  }
};

}  // namespace history
