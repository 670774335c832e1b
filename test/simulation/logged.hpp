/// \file simulation/logged.hpp  A consumer behind a write-ahead log: the library's log, its thread and its receiver's, on a disk that fails.
///
/// A sender sends again what was not acknowledged. What stands in the log is known from what was synced: the disk shows its watcher each
/// segment then, and only the values are looked for in it. So all checks of records hold for them, and these beside:
/// acknowledged, number, lost (of what was synced), trimmed, full, damaged.
#pragma once
#include <sluice/source/write_ahead_log.hpp>

#include "consumers.hpp"
#include "disk.hpp"

#ifdef SLUICE_SIMULATION_THREADS
namespace simulated_consumers {

/// All that outlives processes.
class log_bench final : disk::watcher {
  st::simulation& sim_;
  std::vector<bool> done_{};               // messages that were acknowledged
  std::vector<std::size_t> message_of_{};  // by record
  std::vector<bool> there_{};              // messages that were synced
  std::size_t acknowledged_ = 0;
  std::vector<std::int64_t> segment_of_{};  // by number: the first record of the one where it was synced

  st::simulated::topic& topic() { return sim_.around().cluster.topic; }
  std::int64_t stored() { return sim_.around().cluster.witness.stored(0); }
  static constexpr std::string_view tail = ";rec";
  static constexpr std::size_t digits = 8;

 public:
  sl::detail::log_bounds bounds{};
  disk files;

  explicit log_bench(st::simulation& sim) : sim_(sim), files(sim.around().world, *this) {}

  void begin() {
    auto& w = files.w;
    files.reset();
    done_.assign(static_cast<std::size_t>(w.plan.records), false);
    acknowledged_ = 0;
    segment_of_.clear();
    message_of_.clear();
    there_.assign(done_.size(), false);
    bounds.segment_bytes = 150 + w.luck.below(500);
    bounds.max_record = 200;
    bounds.max_bytes = std::max<std::uint64_t>(bounds.segment_bytes, bounds.max_record) * (4 + w.luck.below(4));
    bounds.max_group = bounds.segment_bytes;
    bounds.sync_every = std::chrono::milliseconds{w.luck.one_in(3) ? w.luck.below(20) : 0};
  }
  /// All is acknowledged, and what was stored is gone. Of segments that were removed some may be there again after a loss of power.
  bool sent() { return acknowledged_ == done_.size() && (files.losses > 0 || files.segments().second <= 2); }
  bool happen(st::decision const& d) {
    if (d.what == fault::bit_flip) return files.flip(static_cast<std::uint64_t>(d.amount));
    if (d.what != fault::power_loss) return false;
    files.w.note("power is lost");
    for (int i = 0; i < files.w.plan.processes; ++i) files.w.kill(i, d.amount % (500 * st::simulated::ms));
    files.lose_power();
    return true;
  }

  // ---- the sender

  std::size_t acknowledged() const { return acknowledged_; }
  std::size_t messages() const { return done_.size(); }
  bool sends_once = false;
  std::uint32_t make(std::size_t message) {
    auto const id = topic().make();
    if (!id) return none;
    outside const o;
    message_of_.push_back(message);
    return *id;
  }
  static constexpr std::uint32_t none = ~std::uint32_t{};
  std::size_t message_of(std::uint32_t id) const { return message_of_[id]; }
  void acknowledge(std::uint32_t id) {
    if (topic().record(id).at < 0)
      files.w.violated("acknowledged", "record " + std::to_string(id) + " is said to be durable, and was not synced");
    done_[message_of_[id]] = true;
    while (acknowledged_ < done_.size() && done_[acknowledged_]) ++acknowledged_;
  }

  // ---- records

  static std::string value_of(std::uint32_t id) {
    auto n = std::to_string(id);
    return std::string(digits - n.size(), '0') + n + std::string{tail} + std::string(id * 37 % 90, 'x');
  }
  void check(sl::record r) {
    auto const id = static_cast<std::uint32_t>(std::strtoul(std::string{r.text()}.c_str(), nullptr, 10));
    if (id >= topic().records().size() || r.text() != value_of(id) || r.key_text() != "k" ||
        topic().record(id).at != r.offset().value())
      files.w.violated("number", "offset " + std::to_string(r.offset().value()) + " is handed over as '" +
                                     std::string{r.text()} + "', which does not stand there");
  }

  // ---- damage

  void told_of_damage(std::string const& text) {
    if (files.flipped < 0) files.w.violated("damaged", "nothing is damaged, and it says: " + text);
    files.heal();
  }

 private:
  static std::int64_t first_of(std::string const& name) { return std::strtoll(name.c_str() + 8, nullptr, 10); }
  template <class F>
  std::int64_t each_record(std::string const& name, std::string const& bytes, F f) {
    auto number = first_of(name);
    for (std::size_t at = 0; (at = bytes.find(tail, at)) != bytes.npos; at += tail.size(), ++number)
      f(number, static_cast<std::uint32_t>(std::strtoul(bytes.substr(at - digits, digits).c_str(), nullptr, 10)));
    return number;
  }
  void synced(std::string const& name, std::string const& bytes) override {
    auto& t = topic();
    auto const end = each_record(name, bytes, [&](std::int64_t number, std::uint32_t id) {
      auto const high = t.log(0).high;
      if (number == high && t.record(id).at < 0) {
        segment_of_.push_back(first_of(name));
        if (there_[message_of_[id]] && sends_once)
          files.w.violated("doubled", "message " + std::to_string(message_of_[id]) + " is in the log twice");
        there_[message_of_[id]] = true;
        return t.place(0, id);
      }
      if (number < high && t.log(0).entries[static_cast<std::size_t>(number)] == id) return;
      files.w.violated("number", "record " + std::to_string(id) + " is synced as number " + std::to_string(number) +
                                     (number < high ? ", which another one has" : ", out of its turn"));
    });
    if (end < t.log(0).high)
      files.w.violated("lost", "the log goes on from " + std::to_string(end) + ", and was synced up to " +
                                   std::to_string(t.log(0).high));
  }
  void removed(std::string const& name, std::string const& bytes) override {
    each_record(name, bytes, [&](std::int64_t number, std::uint32_t id) {
      if (topic().record(id).at == number && number >= stored() - 1 &&
          segment_of_[static_cast<std::size_t>(number)] == first_of(name))
        files.w.violated("trimmed", "the segment of record " + std::to_string(number) + " is removed, and " +
                                        std::to_string(stored()) + " is stored");
    });
  }
  /// Beside what it may hold: what failures and losses of power have left; heads of two groups are not counted before.
  void grown(std::uint64_t bytes) override {
    auto const left = files.failures * (bounds.max_group + bounds.max_record) + files.losses * bounds.max_bytes;
    if (bytes > bounds.max_bytes + 2 * (sl::detail::log_header_size + sl::detail::log_mark_size) + left)
      files.w.violated(
          "full", std::to_string(bytes) + " bytes are in use, and .max_bytes is " + std::to_string(bounds.max_bytes));
  }
};

inline thread_local log_bench* bench = nullptr;  // of the schedule that runs

/// Sends what was not acknowledged; now and then it fails, or has no patience.
class simulated_receiver {
  std::vector<std::uint32_t> sent_{};
  std::size_t durable_ = 0;

 protected:
  st::process& p_;

 public:
  explicit simulated_receiver(st::process& p) : p_(p) {}

  void start(sl::receiving& to) {
    auto next = bench->acknowledged();
    send(to, [&]() -> std::size_t& { return next; });
  }
  void durable(std::uint64_t n) {
    durable(n, [](std::size_t) {});
  }

 protected:
  template <class Seen>
  void durable(std::uint64_t n, Seen seen) {
    for (; durable_ < n; ++durable_) {
      bench->acknowledge(sent_[durable_]);
      seen(bench->message_of(sent_[durable_]));
    }
    if (p_.choose(50) == 0) throw std::runtime_error("nobody hears it");
  }
  /// next(): the message to be sent, to be counted up.
  template <class Next>
  void send(sl::receiving& to, Next next) {
    while (!to.stop_requested()) {
      if (p_.choose(80) == 0) throw std::runtime_error("the line is dead");
      std::size_t& message = next();
      auto const id = message < bench->messages() ? bench->make(message) : log_bench::none;
      if (id == log_bench::none) {
        p_.rest(std::chrono::milliseconds{20});
        continue;
      }
      sent_.push_back(id);  // it may be durable before store() comes back
      auto const value = log_bench::value_of(id);
      sl::received const r{.value = std::string_view{value}, .key = "k"};
      if (p_.choose(4) == 0 ? to.try_store(r) : to.store(r))
        ++message;
      else
        sent_.pop_back();
      if (p_.choose(3) == 0) p_.rest(std::chrono::milliseconds{1 + p_.choose(30)});
    }
  }
};

/// Two lines, the first of which soon has no more to say. It knows from the log and its note what it has sent: each message is
/// there once.
class remembering_receiver : public simulated_receiver {
  std::array<std::size_t, 2> known_{0, middle()}, next_{known_};  // by line: durable, and sent
  bool recalled_ = false;

  static std::size_t middle() { return bench->messages() / 2; }
  void knows(std::size_t message) {
    auto& known = known_[message < middle() ? 0 : 1];
    known = std::max(known, message + 1);
  }

 public:
  using simulated_receiver::simulated_receiver;

  void start(sl::receiving& to) {
    if (!std::exchange(recalled_, true)) next_ = known_;
    send(to, [&]() -> std::size_t& { return next_[next_[0] < middle() && p_.choose(4) != 0 ? 0 : 1]; });
  }
  void durable(std::uint64_t n) {
    simulated_receiver::durable(n, [this](std::size_t message) { knows(message); });
  }
  std::string note() {
    if (p_.choose(20) == 0) throw std::runtime_error("no paper");
    return std::to_string(known_[0]) + " " + std::to_string(known_[1]);
  }
  void recall(std::optional<std::string> const& note) {
    char* second = nullptr;
    if (note) known_[0] = std::strtoul(note->c_str(), &second, 10), known_[1] = std::strtoul(second, nullptr, 10);
  }
  void recall(sl::record const& r) {
    auto const id = static_cast<std::uint32_t>(std::strtoul(std::string{r.text()}.c_str(), nullptr, 10));
    bench->acknowledge(id);
    knows(bench->message_of(id));
  }
};

/// In the place of write_ahead_log: over a simulated disk.
template <class Receiver>
struct simulated_log {
  using slot = sl::source_slot;
  using must_be_configured = void;
  using runtime = sl::local_source<sl::logged_log<Receiver, disk_files>>;
  static constexpr bool has_group = false;
  static constexpr bool assigned_by_hand = true;
  static constexpr bool discards_what_is_stored = true;

  st::process* in = nullptr;

  static std::string group_of(simulated_log const&) { return "g"; }
  template <class Context>
  static sl::detail::late<runtime, Context> open(simulated_log const& self, Context const&) {
    return sl::detail::late<runtime, Context>{sl::local_plan{},
                                              std::make_shared<Receiver>(*self.in),
                                              std::string{st::process::topic()},
                                              std::string{"log"},
                                              bench->bounds,
                                              disk_files{&bench->files}};
  }
};

/// A bit of a format's number may flip, too.
inline bool is_damage(sl::store_error const& e) {
  return e.code() == sl::errc::store_damaged || e.code() == sl::errc::store_newer;
}

template <class Delivery, class Receiver = simulated_receiver>
void logged(st::process& p) {
  p.around()->cluster.presence_of(p.number()).owned.push_back(0);
  try {
    sl::stream_consumer<Delivery, st::simulated_offsets, simulated_log<Receiver>, st::simulated_clock> c{
        simulated_log<Receiver>{&p}, p.offsets(), p.clock(), sl::micro_batch{.max_records = 1 + p.choose(8)}};
    auto const step = [&](auto const& handler) {
      while (p.running()) {
        try {
          c.step(handler, std::chrono::milliseconds{1 + p.choose(200)});
        } catch (st::handler_failure const&) {
          if (p.choose(4) == 0) throw;
        } catch (sl::store_error const& e) {
          if (is_damage(e) || p.choose(8) == 0) throw;
        }
      }
      (void)c.drain(std::chrono::seconds{10});
    };
    auto const check = [](sl::batch const& b) {
      for (sl::record r : b) bench->check(r);
    };
    if constexpr (std::same_as<Delivery, sl::transactional>)
      step([&](sl::batch const& b, st::simulated_transaction& tx) {
        check(b);
        p.handle(b, tx);
      });
    else
      step([&](sl::batch const& b) {
        check(b);
        p.handle(b);
      });
  } catch (sl::store_error const& e) {
    if (is_damage(e)) bench->told_of_damage(e.what());
    throw;
  }
}

template <bool Once = false>
void on_a_disk(st::simulation& sim) {
  auto const mine = std::make_shared<log_bench>(sim);
  mine->sends_once = Once;
  // Of one partition nothing is answered in parts.
  sim.possible = st::all_faults & ~(st::log_faults | st::only(fault::rebalance) | st::only(fault::outage) |
                                    st::only(fault::stuck) | st::only(fault::new_leader) | st::only(fault::moved) |
                                    st::only(fault::twin) | st::only(fault::cut) | st::only(fault::partly));
  sim.on_begin = [mine] {
    bench = mine.get();
    mine->begin();
  };
  sim.sent = [mine] { return mine->sent(); };
  sim.on_disk_fault = [mine](st::decision const& d) { return mine->happen(d); };
}

}  // namespace simulated_consumers
#endif
