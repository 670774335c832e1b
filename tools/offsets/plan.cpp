#include "plan.hpp"

#include "../common/table.hpp"

namespace offsets_tool {

std::vector<change> planned(std::vector<sl::kept_position> const& stored, std::vector<sl::position> const& wanted) {
  std::vector<change> plan;
  for (auto const& w : wanted) {
    change c{.of = w.of, .after = w.next};
    for (auto const& p : stored)
      if (p.of == w.of) c.before = p.next;
    plan.push_back(std::move(c));
  }
  std::sort(plan.begin(), plan.end(), [](auto const& a, auto const& b) { return a.of < b.of; });
  for (std::size_t i = 1; i < plan.size(); ++i)
    if (plan[i].of == plan[i - 1].of) throw failure{to_string(plan[i].of) + " is given more than once"};
  return plan;
}

void fill_gaps(std::vector<change>& plan, std::vector<sl::kept_position> const& stored, brokers* kafka,
               sl::time_point by) {
  std::map<std::string, std::int32_t> known,
      needed;  // partitions: up to the last that is stored, and to the last that must be
  for (auto const& p : stored) known[p.of.topic] = std::max(known[p.of.topic], p.of.partition + 1);
  for (auto const& c : plan) needed[c.of.topic] = std::max(needed[c.of.topic], c.of.partition + 1);
  std::vector<sl::topic_partition> gaps;
  for (auto& [topic, n] : needed) {
    if (kafka && !known.contains(topic)) n = std::max(n, kafka->partition_count(topic, by));
    for (auto p = known[topic]; p < n; ++p) {
      sl::topic_partition const of{topic, p};
      if (std::none_of(plan.begin(), plan.end(), [&](auto const& c) { return c.of == of; })) gaps.push_back(of);
    }
  }
  if (gaps.empty()) return;
  if (!kafka)
    throw failure{to_string(gaps.front()) +
                  " has no position either, and partitions before the last one need one: give it "
                  "too, or --brokers, so that it starts at its earliest"};
  auto const ends = kafka->ends(gaps, by);
  for (auto const& of : gaps) plan.push_back({.of = of, .after = ends.at(of).low, .remark = "not given: its earliest"});
  std::sort(plan.begin(), plan.end(), [](auto const& a, auto const& b) { return a.of < b.of; });
}

void check_ends(std::vector<change>& plan, std::string const& from, brokers& kafka, sl::time_point by) {
  std::vector<sl::topic_partition> set;
  for (auto const& c : plan) set.push_back(c.of);
  auto const ends = kafka.ends(set, by);
  for (auto& c : plan) {
    auto const& log = ends.at(c.of);
    if (c.after > log.high)
      throw failure{fmt::format("{}: {} is to be {}, and its log ends at {}; nothing was changed", from,
                                to_string(c.of), c.after.value(), log.high.value())};
    if (c.after < log.low) c.remark = fmt::format("before the log's beginning, {}", log.low.value());
  }
}

std::string as_table(std::vector<change> const& plan) {
  std::vector<std::vector<std::string>> rows;
  for (auto const& c : plan) {
    auto const difference = c.before ? fmt::format("{:+}", c.after.value() - c.before->value()) : "new";
    rows.push_back({c.of.topic, std::to_string(c.of.partition), c.before ? std::to_string(c.before->value()) : "-",
                    std::to_string(c.after.value()), c.same() ? "=" : difference, c.remark});
  }
  return table({"TOPIC", ">PARTITION", ">BEFORE", ">AFTER", ">DIFFERENCE", ""}, rows);
}

sl::topic_start planned_starts::start_of(std::string const& topic, sl::time_point by) {
  std::int32_t n = kafka_ ? kafka_->partition_count(topic, by) : 0;
  for (auto const& c : plan_)
    if (c.of.topic == topic) n = std::max(n, c.of.partition + 1);
  std::vector<sl::topic_partition> rest;
  sl::topic_start start{topic, std::vector<sl::offset>(static_cast<std::size_t>(n))};
  for (std::int32_t p = 0; p < n; ++p) {
    auto const given =
        std::find_if(plan_.begin(), plan_.end(), [&](auto const& c) { return c.of == sl::topic_partition{topic, p}; });
    if (given == plan_.end())
      rest.push_back({topic, p});
    else
      start.starts[static_cast<std::size_t>(p)] = given->after;
  }
  if (rest.empty()) return start;
  if (!kafka_) throw failure{to_string(rest.front()) + " has no position: give it too, or --brokers"};
  for (auto const& [of, log] : kafka_->ends(rest, by)) start.starts[static_cast<std::size_t>(of.partition)] = log.low;
  return start;
}

sl::offset planned_starts::earliest(sl::topic_partition const& of, sl::time_point by) {
  for (auto const& c : plan_)
    if (c.of == of) return c.after;
  if (!kafka_) throw failure{to_string(of) + " has no position: give it too, or --brokers"};
  return kafka_->ends({of}, by).at(of).low;
}

}  // namespace offsets_tool
