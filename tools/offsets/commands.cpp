#include "commands.hpp"

#include <fmt/chrono.h>
#include <unistd.h>

#include <fstream>
#include <iostream>
#include <iterator>
#include <thread>

#include "../common/table.hpp"
#include "changing.hpp"
#include "json.hpp"

namespace offsets_tool {

namespace {

using positions = std::vector<sl::kept_position>;
using ends_of = std::map<sl::topic_partition, sl::client::watermarks>;

positions read(circumstances const& c, store& s, std::string const& group) {
  auto all = s.read(group, c.by());
  std::erase_if(all, [&](auto const& p) { return !c.wants(p.of.topic); });
  return all;
}
/// There must be something.
positions found(circumstances const& c, store& s) {
  auto all = read(c, s, c.group);
  if (all.empty())
    throw failure{fmt::format("group {} has no positions{} in {}", c.group,
                              c.topics.empty() ? "" : " in " + fmt::format("{}", fmt::join(c.topics, ", ")), s.name())};
  return all;
}

std::vector<sl::topic_partition> partitions(positions const& all) {
  std::vector<sl::topic_partition> set;
  for (auto const& p : all) set.push_back(p.of);
  return set;
}

std::string now() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())));
}

std::string last_record(sl::kept_position const& p) {
  return p.log.last ? fmt::format("{} {:016x}", p.log.last->of.value(), p.log.last->hash) : "-";
}

/// Of those that are there; empty where nobody is asked.
ends_of ends(std::unique_ptr<brokers> const& kafka, positions const& all, sl::time_point by) {
  ends_of logs;
  std::map<std::string, std::vector<sl::topic_partition>> topics;
  for (auto const& p : all) topics[p.of.topic].push_back(p.of);
  if (!kafka) return logs;
  for (auto& [topic, set] : topics) try {
      auto const n = kafka->partition_count(topic, by);
      std::erase_if(set, [&](auto const& of) { return of.partition >= n; });
      logs.merge(kafka->ends(set, by));
    } catch (sl::error const& e) {
      if (e.code() != sl::errc::unknown_topic) throw;
    }
  return logs;
}
std::unique_ptr<brokers> asked(circumstances const& c) {
  return c.brokers.empty() ? nullptr : std::make_unique<brokers>(c.brokers, c.group, c.properties);
}

std::string as_table(store const& s, positions const& all, ends_of const& logs, bool with_logs) {
  std::vector<std::string> titles{"TOPIC", ">PARTITION", ">NEXT"};
  if (with_logs) titles.insert(titles.end(), {">BEGINS", ">ENDS", ">LAG"});
  titles.insert(titles.end(), {"HELD", "LAST RECORD", ""});
  std::vector<std::vector<std::string>> rows;
  for (auto const& p : all) {
    auto& row = rows.emplace_back();
    row = {p.of.topic, std::to_string(p.of.partition), std::to_string(p.next.value())};
    std::string remark = s.is_kafka() && !p.store_id.empty() ? "a copy; kept in the local store " + p.store_id : "";
    if (auto const at = logs.find(p.of); at != logs.end()) {
      auto const low = at->second.low.value(), high = at->second.high.value();
      row.insert(row.end(), {std::to_string(low), std::to_string(high), std::to_string(high - p.next.value())});
      if (p.next.value() < low) remark = "before the log's beginning";
      if (p.next.value() > high) remark = "beyond the log's end";
    } else if (with_logs) {
      row.insert(row.end(), {"-", "-", "-"});
      remark = "there is no such partition in Kafka";
    }
    row.insert(row.end(), {s.is_kafka() || s.is_foreign() ? "-" : p.held ? "yes" : "no", last_record(p), remark});
  }
  return table(titles, rows);
}

void print_lines(positions const& all, ends_of const& logs) {
  auto const time = now();
  for (auto const& p : all) {
    auto const at = logs.find(p.of);
    fmt::print("{} {} next {}{}\n", time, to_string(p.of), p.next.value(),
               at == logs.end() ? "" : fmt::format(" lag {}", at->second.high.value() - p.next.value()));
  }
}

/// All partitions of the topics that are meant: named, or those that the group has positions in.
std::vector<sl::topic_partition> meant(circumstances const& c, positions const& stored, brokers& kafka) {
  std::set<std::string> topics{c.topics.begin(), c.topics.end()};
  if (topics.empty())
    for (auto const& p : stored) topics.insert(p.of.topic);
  if (topics.empty()) throw failure{"group " + c.group + " has no positions yet: name topics by --topic"};
  std::vector<sl::topic_partition> set;
  for (auto const& t : topics)
    for (std::int32_t p = 0, n = kafka.partition_count(t, c.by()); p < n; ++p) set.push_back({t, p});
  return set;
}

}  // namespace

void show(circumstances const& c, store& s) {
  auto const all = found(c, s);
  auto kafka = asked(c);
  fmt::print("{}", as_table(s, all, ends(kafka, all, c.by()), kafka != nullptr));
  fmt::print("Group {} in {}: {} position{}", c.group, s.name(), all.size(), all.size() == 1 ? "" : "s");
  if (!kafka) {
    fmt::print(".\n");
    return;
  }
  try {
    auto const members = kafka->members(c.by());
    fmt::print("; {} member{} in Kafka.\n", members.size(), members.size() == 1 ? "" : "s");
  } catch (sl::error const& e) { fmt::print(".\n{}\n", said_by(e)); }
}

void watch(circumstances const& c, store& s, std::chrono::milliseconds every, std::size_t times) {
  auto kafka = asked(c);
  bool const terminal = ::isatty(STDOUT_FILENO) != 0;
  for (std::size_t n = 0; times == 0 || n < times; ++n) {
    if (n > 0) std::this_thread::sleep_for(every);
    auto const all = read(c, s, c.group);
    auto const logs = ends(kafka, all, c.by());
    if (terminal)
      fmt::print("\033[H\033[2J{}Group {} in {}, {}. Ctrl-C ends.\n", as_table(s, all, logs, kafka != nullptr), c.group,
                 s.name(), now());
    else
      print_lines(all, logs);
    std::fflush(stdout);
  }
}

void set(circumstances const& c, store& s, target const& to) {
  auto const stored = read(c, s, c.group);
  auto wanted = to.given;
  if (to.what != target::as_given) {
    auto kafka = asked(c);
    if (!kafka) throw failure{"--to needs --brokers: only they know where logs begin and end"};
    auto const set = meant(c, stored, *kafka);
    if (to.what == target::time) {
      auto const at = kafka->offsets_at(set, to.at, c.by());
      for (std::size_t i = 0; i < set.size(); ++i) wanted.push_back({set[i], at[i]});
    } else {
      for (auto const& [of, log] : kafka->ends(set, c.by()))
        wanted.push_back({of, to.what == target::earliest ? log.low : log.high});
    }
  }
  change_positions(c, s, stored, wanted, {.name = "set"}, "set");
}

void clamp(circumstances const& c, store& s) {
  auto const stored = found(c, s);
  auto kafka = asked(c);
  if (!kafka) throw failure{"clamp needs --brokers: only they know where logs begin and end"};
  std::vector<sl::position> wanted;
  for (auto const& [of, log] : kafka->ends(partitions(stored), c.by()))
    for (auto const& p : stored)
      if (p.of == of) wanted.push_back({of, std::clamp(p.next, log.low, log.high)});
  change_positions(c, s, stored, wanted, {.name = "clamp"}, "clamp");
}

void copy(circumstances const& c, store& from, store& to, std::string const& to_group) {
  auto const source = found(c, from);
  auto there = c;
  if (!to_group.empty()) there.group = to_group;
  auto const stored = read(there, to, there.group);
  std::vector<sl::position> wanted;
  for (auto const& p : source) wanted.push_back({p.of, p.next});
  change_positions(there, to, stored, wanted,
                   {.name = from.name(),
                    .store_id = from.is_kafka() ? std::string{} : source.front().store_id,
                    .read_from = &from,
                    .group = c.group,
                    .positions = source},
                   "copy from " + from.name());
}

void export_to(circumstances const& c, store& s, std::string const& file) {
  auto const text = to_json(c.group, s.name(), found(c, s), now());
  if (file == "-") {
    std::cout << text << std::flush;
    return;
  }
  std::ofstream out{file, std::ios::binary | std::ios::trunc};
  out << text << std::flush;
  if (!out) throw failure{file + " can't be written"};
}

void import_from(circumstances c, store& s, std::string const& file) {
  std::string text;
  if (file == "-") {
    text.assign(std::istreambuf_iterator<char>{std::cin}, {});
  } else {
    std::ifstream in{file, std::ios::binary};
    text.assign(std::istreambuf_iterator<char>{in}, {});
    if (!in) throw failure{file + " can't be read"};
  }
  auto const where = file == "-" ? std::string{"standard input"} : file;
  auto const doc = from_json(text, where);
  if (c.group.empty()) c.group = doc.group;
  if (c.group.empty()) throw failure{where + " names no group: give --group"};
  std::vector<sl::position> wanted;
  for (auto const& p : doc.positions)
    if (c.wants(p.of.topic)) wanted.push_back({p.of, p.next});
  change_positions(c, s, read(c, s, c.group), wanted, {.name = where, .store_id = doc.store_id}, "import");
}

}  // namespace offsets_tool
