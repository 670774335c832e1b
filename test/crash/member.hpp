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

#include "history/history.hpp"

namespace crash {

namespace sl = sluice;
using namespace std::chrono_literals;

struct setup {
  std::string delivery, store, address, brokers, group, folder;
  std::int64_t end = 0;
  history::file out;

  explicit setup(char** a)
      : delivery(a[1]),
        store(a[2]),
        address(a[3]),
        brokers(a[4]),
        group(a[5]),
        folder(a[6]),
        end(std::stoll(a[8])),
        out(folder + "/members.jsonl", a[7]) {}
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
  std::cerr << "did not come to the end\n";
  return 3;
}

template <class Delivery, class Store, class Source, class Handler>
int with(setup const& s, Delivery delivery, Store const& store, Source const& source, Handler&& handler) {
  sl::stream_consumer consumer{
      delivery,   store,
      source,     sl::micro_batch{.max_records = 10},
      sl::stop{}, history::observer{.to = &s.out, .may_run_again = std::is_same_v<Delivery, sl::transactional>}};
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

template <class Store>
int without_results(setup const& s, Store const& store) {
  handler const handle{&s.out};
  if (s.delivery == "at_most_once") return with(s, sl::at_most_once{}, store, by_hand(s), handle);
  if (s.delivery == "at_least_once") return with(s, sl::at_least_once{}, store, by_hand(s), handle);
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
int with_results(setup const& s, Store const& store, Write write) {
  return s.delivery == "transactional" ? in_transactions(s, store, write) : without_results(s, store);
}

/// What is asked for beside a run: the place that results go to.
struct results_of {
  std::string delivery, store, address, group, folder;
};

/// `make_results(of)`; `results(of, out)` writes them as lines. Both throw.
template <class Run, class Make, class Results>
int main_of(int argc, char** argv, Run run, Make make_results, Results results) {
  try {
    if (argc == 7) {
      results_of const of{argv[2], argv[3], argv[4], argv[5], argv[6]};
      if (std::string{argv[1]} == "make_results")
        make_results(of);
      else
        results(of, history::file{of.folder + "/results.jsonl", "results"});
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
