/// \file member.hpp  A consumer that dies where it is told: what members on local stores and on servers share.
///
///     member DELIVERY STORE ADDRESS BROKERS GROUP FOLDER NAME END POINT N
///
/// reads the topic `in`, both partitions up to the offset END, and ends; or dies when it comes to the crash point POINT for the Nth
/// time (`-`: nowhere). It writes what it did, as the process NAME, to FOLDER/members.jsonl, and when it ends how often it
/// came to each point to FOLDER/points.
///
///     member make_results|results DELIVERY STORE ADDRESS GROUP FOLDER
///
/// makes the place that results go to, or writes those that are there to FOLDER/results.jsonl, in the order in which they came.
#pragma once
#include "crash_points.hpp"  // before the library

#include <sluice/sluice.hpp>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <sstream>

#include "history/history.hpp"

namespace crash {

namespace sl = sluice;
using namespace std::chrono_literals;

struct setup {
  std::string delivery, store, address, brokers, group, folder, name;
  std::int64_t end = 0;
  history::file out;

  explicit setup(char** a)
      : delivery(a[1]),
        store(a[2]),
        address(a[3]),
        brokers(a[4]),
        group(a[5]),
        folder(a[6]),
        name(a[7]),
        end(std::stoll(a[8])),
        out(folder + "/members.jsonl", name) {}
};

/// To the end of both partitions. On its way it seeks, once, to where it is; not with an output that is keyed by position, which
/// takes what is read behind a seek for something new.
template <class Consumer, class Handler>
int consume(setup const& s, Consumer& consumer, Handler& handler) {
  bool sought = s.delivery == "idempotent";
  for (auto const give_up = std::chrono::steady_clock::now() + 60s; std::chrono::steady_clock::now() < give_up;) {
    (void)consumer.step(handler, 20ms);
    auto const all = consumer.positions();
    if (std::count_if(all.begin(), all.end(), [&](auto const& p) { return p.next.value() == s.end; }) == 2) {
      consumer.close(10s);
      std::ofstream points{s.folder + "/points"};
      for (auto const& [name, count] : all_points().counts) points << count << ' ' << name << '\n';
      return 0;
    }
    if (!sought && !all.empty() && all[0].next.value() > 0) {
      consumer.seek(all[0].of, all[0].next);
      sought = true;
    }
  }
  std::cerr << s.name << ": did not come to the end:";
  for (auto const& p : consumer.positions()) std::cerr << " partition " << p.of.partition << " at " << p.next.value();
  std::cerr << '\n';
  return 3;
}

/// A store that commits in the background tells itself what is stored; an advance says nothing of it.
struct observer : history::loud_observer {
  bool stored_later = false;
  void on_advanced(sl::advance_event const& e) {
    if (!stored_later) history::observer::on_advanced(e);
  }
};

template <class Delivery, class Store, class Source, class Handler>
int with(setup const& s, Delivery delivery, Store const& store, Source const& source, Handler&& handler) {
  observer told;
  told.to = &s.out;
  told.name = s.name;
  told.may_run_again = std::is_same_v<Delivery, sl::transactional>;
  told.stored_later = std::is_same_v<Store, sl::periodic_kafka_offsets>;
  sl::stream_consumer consumer{delivery, store, source, sl::micro_batch{.max_records = 10}, sl::stop{}, told};
  return consume(s, consumer, handler);
}

inline sl::kafka_partitions by_hand(setup const& s) {
  return {.brokers = s.brokers, .group = s.group, .partitions = {{"in", 0}, {"in", 1}}};
}

/// A batch comes to a point of its own before its second record.
struct handler {
  history::file const* to = nullptr;
  void operator()(sl::batch const& b) const {
    std::size_t n = 0;
    for (sl::record r : b) {
      if (++n == 2) SLUICE_CRASH_POINT("in the handler");
      to->line("handled", r);
    }
  }
};

/// A result as text: PARTITION PLACE VALUE.
inline std::string line_of(sl::record const& r) {
  return std::to_string(r.partition()) + " " + std::to_string(r.offset().value()) + " " + std::string{r.text()} + "\n";
}
inline void write_results(std::string const& text, history::file const& out) {
  std::istringstream lines{text};
  std::int32_t partition = 0;
  std::int64_t place = 0;
  for (std::string value; lines >> partition >> place >> value;) out.line("applied", partition, place, value);
}

/// Results go to files in FOLDER, whatever the store.
template <class Store>
int idempotent(setup const& s, Store const& store) {
  sl::files_by_range out{s.folder, [](sl::record const& r, std::string& text) { text += line_of(r); }};
  return with(s, sl::idempotent{}, store, by_hand(s), sl::assume_idempotent{[&](sl::batch const& b) {
                out(b);
                handler{&s.out}(b);
              }});
}

template <class Store>
int without_transactions(setup const& s, Store const& store) {
  handler const handle{&s.out};
  if (s.delivery == "at_most_once") return with(s, sl::at_most_once{}, store, by_hand(s), handle);
  if (s.delivery == "at_least_once") return with(s, sl::at_least_once{}, store, by_hand(s), handle);
  if (s.delivery == "idempotent") return idempotent(s, store);
  return 2;
}

/// `write(record, transaction)` makes one result.
template <class Store, class Write>
int in_transactions(setup const& s, Store const& store, Write write) {
  if (s.delivery != "transactional") return 2;
  return with(s, sl::transactional{}, store, by_hand(s), [&](sl::batch const& b, auto& tx) {
    handler{&s.out}(b);
    for (sl::record r : b) write(r, tx);
  });
}
template <class Store, class Write>
int in_any_delivery(setup const& s, Store const& store, Write write) {
  return s.delivery == "transactional" ? in_transactions(s, store, write) : without_transactions(s, store);
}

/// What is asked for beside a run: the place that results go to.
struct results_of {
  std::string delivery, store, address, group, folder;
};

inline void idempotent_results(results_of const& of, history::file const& out) {
  for (std::int32_t p = 0; p < 2; ++p) write_results(sl::read_files(of.folder, {"in", p}), out);
}

/// Where transactions' results go: `make_results(of)`; `results(of, out)` writes them as lines. Both throw.
template <class Run, class Make, class Results>
int main_of(int argc, char** argv, Run run, Make make_results, Results results) {
  try {
    if (argc == 7) {
      results_of const of{argv[2], argv[3], argv[4], argv[5], argv[6]};
      bool const is_idempotent = of.delivery == "idempotent";
      if (std::string{argv[1]} == "make_results") {
        if (!is_idempotent) make_results(of);
      } else {
        history::file const out{of.folder + "/results.jsonl", "results"};
        if (is_idempotent)
          idempotent_results(of, out);
        else
          results(of, out);
      }
      return 0;
    }
    if (argc != 11) return 2;
    all_points().wanted = argv[9];
    all_points().wanted_time = std::stoi(argv[10]);
    return run(setup{argv});
  } catch (std::exception const& e) {
    std::cerr << "member: " << e.what() << '\n';
    return 1;
  }
}

}  // namespace crash
