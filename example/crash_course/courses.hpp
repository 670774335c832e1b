/// The four deliveries on any store: what a child does until it is killed or told to finish.
#pragma once
#include "access_log.hpp"
#include "database.hpp"
#include "parent_link.hpp"

#include <sluice/output/sqlite.hpp>
#include <sluice/sluice.hpp>

#include <fmt/format.h>

#include <chrono>
#include <cstdio>

namespace crash_course {

using namespace std::chrono_literals;

/// What the parent counts from: a line for each record that a handler was given, written at once.
class handled_log {
  int fd_;
  std::string_view course_;
  std::int32_t child_;
  parent_link& parent_;

 public:
  handled_log(setup const& s, parent_link& parent)
      : fd_(::open(s.log().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)),
        course_(s.course),
        child_(s.child),
        parent_(parent) {
    if (fd_ < 0) throw std::runtime_error("can't open " + s.log());
  }
  handled_log(handled_log const&) = delete;
  ~handled_log() { ::close(fd_); }

  void write(std::int32_t partition, std::int64_t offset) {
    auto const line = fmt::format("{} {} {} {}\n", course_, child_, partition, offset);
    if (::write(fd_, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
      throw std::runtime_error("can't write the log of what was handled");
    parent_.pass(place::handler);
  }
  void write(sl::record r) { write(r.partition(), r.offset().value()); }
};

inline constexpr char const* create_hits =
    "create table if not exists hits (address text primary key, hits integer not null, bytes integer not null) without "
    "rowid";
inline constexpr char const* count_hit =
    "insert into hits values (?, 1, ?) on conflict (address) do update set hits = hits + 1, bytes = bytes + "
    "excluded.bytes";

/// Hits and bytes of each client, on a connection that knows nothing of offsets. Each record is its own transaction.
class hits_table {
  database db_;
  database::statement count_;
  static database open(std::string const& path) {
    database db{path};
    db.run("pragma synchronous=normal");  // a killed process loses nothing that it wrote
    db.run(create_hits);
    return db;
  }

 public:
  explicit hits_table(setup const& s) : db_(open(s.results())), count_(db_.prepare(count_hit)) {}
  void add(std::string_view line) { count_.bind(address_of(line)).bind(bytes_of(line)).step(); }
};

/// What all courses have in common.
struct member {
  setup const& s;
  parent_link& parent;
  marks tell{&parent, s.course == "at_most_once"};

  sl::kafka source() const {
    return {.brokers = s.brokers,
            .group = s.group,
            .topics = {s.topic},
            .properties = {{"session.timeout.ms", std::to_string(s.session_ms)}, {"heartbeat.interval.ms", "300"}}};
  }
  paced pace() const { return {&parent, s.sizes}; }
  static sl::micro_batch batching() { return {.max_records = batch_size}; }

  /// Until the parent says that it is enough; `after` is called behind each batch.
  void read(auto& consumer, auto&& handler, auto&& after) const {
    parent.say(said::ready);
    while (!parent.finished()) {
      if (consumer.step(handler, 20ms).what != sl::step_result::handled) continue;
      after();
      parent.say(said::idle);
      parent.pass(place::batches);
    }
    if (consumer.drain(5s) != sl::close_result::drained) fmt::print(stderr, "not drained\n");
    parent.say(said::done);
  }
  void read(auto& consumer, auto&& handler) const {
    read(consumer, handler, [] {});
  }
};

/// at_most_once or at_least_once: each record is an effect of its own.
template <class Delivery, class Store>
void count_each(member m, Delivery delivery, Store const& store) {
  sl::stream_consumer consumer{delivery, store, m.source(), m.batching(), m.pace(), m.tell};
  hits_table hits{m.s};
  handled_log log{m.s, m.parent};
  m.read(consumer, [&](sl::batch const& batch) {
    for (sl::record r : batch) {
      log.write(r);
      hits.add(r.text());
    }
  });
}

template <class Store>
void idempotent(member m, Store const& store) {
  sl::stream_consumer consumer{sl::idempotent{}, store, m.source(), m.batching(), m.pace(), m.tell};
  sl::sqlite_upsert last_request{
      {.path = m.s.results(), .table = "last_request", .key = {"address"}, .columns = {"line"}},
      [](sl::record r, auto& row) { row(r.key_text(), r.text()); }};
  handled_log log{m.s, m.parent};
  m.read(consumer, sl::assume_idempotent([&](sl::batch const& batch) {  // the log is the parent's, not an effect
           for (sl::record r : batch) log.write(r);
           last_request(batch);
         }));
}

/// `count(tx, address, bytes)` counts one hit, in the store's transaction.
template <class Store, class Count>
void transactional(member m, Store const& store, Count count) {
  sl::stream_consumer consumer{sl::transactional{}, store, m.source(), m.batching(), m.pace(), m.tell};
  handled_log log{m.s, m.parent};
  m.read(consumer, [&](sl::batch const& batch, auto& tx) {
    for (sl::record r : batch) {
      log.write(r);
      count(tx, address_of(r.text()), bytes_of(r.text()));
    }
  });
}

/// Which courses a store is in. A store that has transactions may be left out of that course.
template <class Store, bool Counts = true>
bool promised_by(std::string_view course) {
  if (course == "at_most_once") return sl::legal<sl::at_most_once, Store>;
  if (course == "transactional") return Counts && sl::legal<sl::transactional, Store>;
  return true;
}

/// The course that the setup names, on a store. `count` as above; null where the store has no transactions.
template <class Store, class Count = std::nullptr_t>
void run_course(member const& m, Store const& store, Count count = nullptr) {
  if constexpr (sl::legal<sl::at_most_once, Store>)
    if (m.s.course == "at_most_once") count_each(m, sl::at_most_once{}, store);
  if (m.s.course == "at_least_once") count_each(m, sl::at_least_once{}, store);
  if (m.s.course == "idempotent") idempotent(m, store);
  if constexpr (!std::same_as<Count, std::nullptr_t>)
    if (m.s.course == "transactional") transactional(m, store, count);
}

}  // namespace crash_course
