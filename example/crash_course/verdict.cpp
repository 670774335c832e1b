#include "verdict.hpp"

#include "access_log.hpp"
#include "database.hpp"
#include "store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <unordered_map>

namespace crash_course {
namespace {

/// calls[partition][offset]: how often a handler was given the record.
struct calls {
  std::vector<std::vector<int>> of{};
  std::array<std::size_t, 2> by_child{};
  std::string damage{};
};

calls read_calls(course const& c, setup const& s, input const& in) {
  calls result;
  for (auto const& lines : in) result.of.emplace_back(lines.size());
  std::ifstream file{s.log()};
  std::string name;
  std::size_t child = 0;
  std::size_t partition = 0;
  std::size_t offset = 0;
  while (file >> name >> child >> partition >> offset) {
    if (name != c.name || child > 1 || partition >= in.size() || offset >= in[partition].size()) {
      result.damage = "the log names a record that was never written";
      continue;
    }
    ++result.of[partition][offset];
    ++result.by_child[child];
  }
  if (!file.eof()) result.damage = "the log has a broken line";
  return result;
}

void for_each_record(input const& in, auto&& f) {
  for (std::size_t p = 0; p < in.size(); ++p)
    for (std::size_t o = 0; o < in[p].size(); ++o) f(p, o, std::string_view{in[p][o]});
}

hits_of_clients expected_hits(input const& in) {
  hits_of_clients result;
  for_each_record(in, [&](auto, auto, auto line) { result[std::string(address_of(line))].add(line); });
  return result;
}

hits_of_clients read_hits(course const& c, setup const& s) {
  return c.promise == course::exactly_once ? store_of(s.store).take_hits(s) : database_hits(s.results());
}

/// For each client the most that may be missing: its records that were in hand when a child was killed.
hits_of_clients in_flight_hits(input const& in, seen const& saw) {
  std::vector<std::vector<bool>> once;
  for (auto const& lines : in) once.emplace_back(lines.size());
  hits_of_clients result;
  for (auto const& r : saw.in_flight)
    for (auto o = r.from; o < r.until; ++o) {
      auto const p = static_cast<std::size_t>(r.partition);
      auto const at = static_cast<std::size_t>(o);
      if (once[p][at]) continue;
      once[p][at] = true;
      result[std::string(address_of(in[p][at]))].add(in[p][at]);
    }
  return result;
}

void judge_hits(course const& c, setup const& s, input const& in, seen const& saw, verdict& v) {
  auto const wanted = expected_hits(in);
  auto const found = read_hits(c, s);
  auto const in_flight = in_flight_hits(in, saw);
  std::int64_t missing = 0;
  std::int64_t missing_too_many = 0;
  std::int64_t wrong = 0;
  for (auto const& [address, want] : wanted) {
    auto const at = found.find(address);
    auto const have = at == found.end() ? hits{} : at->second;
    missing += std::max<std::int64_t>(0, want.count - have.count);
    v.doubled += std::max<std::int64_t>(0, have.count - want.count);
    wrong += have != want;
    auto const may = in_flight.find(address);
    auto const allowed = may == in_flight.end() ? hits{} : may->second;
    missing_too_many += want.count - have.count > allowed.count || want.bytes - have.bytes > allowed.bytes;
  }
  for (auto const& [address, have] : found) {
    if (wanted.contains(address)) continue;
    v.doubled += have.count;
    ++wrong;
  }
  v.lost = std::max(v.lost, missing);
  switch (c.promise) {
    case course::at_most_once:
      if (v.doubled > 0)
        v.why = fmt::format("{} effects doubled", v.doubled);
      else if (v.handled_again > 0)
        v.why = fmt::format("{} records handled again", v.handled_again);
      else if (missing_too_many > 0)
        v.why = fmt::format("{} clients lost what was not in flight", missing_too_many);
      break;
    case course::exactly_once:
      if (wrong > 0)
        v.why = fmt::format("{} rows are not the fold of the input", wrong);
      else if (v.lost > 0)
        v.why = fmt::format("{} records never handled", v.lost);
      break;
    default:
      if (v.lost > 0) v.why = fmt::format("{} records lost", v.lost);
  }
}

void judge_last_requests(setup const& s, input const& in, verdict& v) {
  std::unordered_map<std::string, std::string_view> last;
  for_each_record(in, [&](auto, auto, auto line) { last[std::string(address_of(line))] = line; });
  database db{s.results()};
  std::size_t right = 0;
  for (auto q = db.prepare("select address, line from last_request"); q.step();) {
    auto const at = last.find(q.text(0));
    if (at == last.end())
      ++v.doubled;
    else
      right += at->second == q.text(1);
  }
  auto const wrong = static_cast<std::int64_t>(last.size() - right);
  if (v.lost > 0)
    v.why = fmt::format("{} records never handled", v.lost);
  else if (wrong + v.doubled > 0)
    v.why = fmt::format("{} rows are not the last request", wrong + v.doubled);
  v.lost += wrong;
}

}  // namespace

verdict judge(course const& c, setup const& s, input const& in, seen const& saw) {
  verdict v;
  if (!saw.failure.empty()) {
    v.why = saw.failure;
    return v;
  }
  auto const given = read_calls(c, s, in);
  std::size_t all = 0;
  for_each_record(in, [&](auto p, auto o, auto) {
    auto const times = static_cast<std::size_t>(given.of[p][o]);
    all += times;
    v.handled += times > 0;
    v.handled_again += times > 1 ? times - 1 : 0;
    v.lost += times == 0;
  });
  for (std::size_t i = 0; i < v.shares.size(); ++i)
    v.shares[i] = all == 0 ? 0 : static_cast<double>(given.by_child[i]) / static_cast<double>(all);

  if (c.promise == course::last_request_of_each)
    judge_last_requests(s, in, v);
  else
    judge_hits(c, s, in, saw, v);
  if (!given.damage.empty()) v.why = given.damage;
  v.kept = v.why.empty();
  return v;
}

std::string too_easy(seen const& saw, verdict const& v, int kills) {
  if (saw.all_kills() < kills) return fmt::format("only {} kills", saw.all_kills());
  if (*std::ranges::min_element(saw.kills) < std::min(3, kills / static_cast<int>(killing_places)))
    return "too few kills in one of the places";
  if (saw.rebalances < std::min(5, kills)) return fmt::format("only {} rebalances", saw.rebalances);
  if (saw.rebalances_in_hand < std::min(2, kills / 5))
    return fmt::format("only {} rebalances met a batch in hand", saw.rebalances_in_hand);
  if (kills >= 15 && std::ranges::min(v.shares) < .2)
    return fmt::format("one child handled only {:.0f} %", 100 * std::ranges::min(v.shares));
  return {};
}

}  // namespace crash_course
