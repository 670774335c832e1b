#include "commands.hpp"

#include <sluice/detail/letter_json.hpp>

#include <fmt/chrono.h>

#include <iostream>
#include <thread>

#include "../common/table.hpp"
#include "json.hpp"
#include "sender.hpp"

namespace letters_tool {

namespace {

std::string counted(std::size_t n, char const* what = "letter") {
  return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
}

/// The beginning, so that a terminal can show it.
std::string beginning(std::string_view text, std::size_t most = 40) {
  std::string out;
  for (std::size_t n = 0; !text.empty(); ++n) {
    if (n == most) return out + "…";
    auto const length = sl::detail::utf8_length(text);
    auto const c = static_cast<unsigned char>(text.front());
    if (length == 0 || c < 0x20 || c == 0x7f)
      out += '?';
    else
      out += text.substr(0, length);
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

std::string when(std::int64_t ms) {
  if (ms <= 0 || ms > 253'402'300'799'000) return "-";
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(ms / 1000)));
}

std::string or_dash(std::int64_t n) { return n < 0 ? "-" : std::to_string(n); }

std::string remark(found const& f, fate what, wishes const& w) {
  switch (what) {
    case fate::goes:
      return "goes to " + destination(f.what, w);
    case fate::too_often:
      return fmt::format("stays: returned {} already", counted(times_returned(f.what), "time"));
    case fate::damaged:
      return "stays: damaged";
    case fate::not_meant:
      break;
  }
  return "stays: not asked for";
}

/// Of a letter that stays for another reason the header may say anything.
std::string returned(letter const& l) {
  try {
    return std::to_string(times_returned(l));
  } catch (failure const&) { return "?"; }
}

std::vector<std::string> row(found const& f, fate what, wishes const& w, bool with_fate) {
  auto const& l = f.what;
  std::vector<std::string> all{l.topic,
                               or_dash(l.partition),
                               or_dash(l.offset),
                               l.key ? beginning(*l.key, 20) : "-",
                               beginning(l.error),
                               std::to_string(l.attempts),
                               when(l.first),
                               returned(l)};
  if (with_fate) all.push_back(remark(f, what, w));
  return all;
}
std::vector<std::string> titles(bool with_fate) {
  std::vector<std::string> all{"TOPIC", ">PARTITION", ">OFFSET", "KEY", "ERROR", ">ATTEMPTS", "FIRST", ">RETURNED"};
  if (with_fate) all.push_back("");
  return all;
}

/// Letters as a table or as lines, and after them what is none.
int print(place& from, showing const& how, bool with_fate) {
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> damaged;
  std::map<fate, std::size_t> counts;
  std::size_t seen = 0;
  bool more = false;
  from.begin();
  for (auto page = from.next(); !page.empty() && !more; page = from.next())
    for (auto& f : page) {
      auto const what = fate_of(f, how.only);
      if (what == fate::not_meant && !with_fate) continue;
      if (seen == how.limit) {
        more = true;
        break;
      }
      ++seen, ++counts[what];
      if (what == fate::damaged) damaged.push_back(f.where + ": " + f.damage);
      if (how.json)
        fmt::print("{}\n", json_of(f));
      else if (what != fate::damaged)
        rows.push_back(row(f, what, how.only, with_fate));
    }
  if (!how.json) {
    if (!rows.empty()) fmt::print("{}", table(titles(with_fate), rows));
    fmt::print("{} in {}", counted(rows.size()), from.name());
    if (with_fate) fmt::print("; {} would go. Dry run: nothing was changed", counts[fate::goes]);
    fmt::print(".\n");
  }
  std::fflush(stdout);
  if (more) std::cerr << "sluice-letters: there are more than " << how.limit << ": --limit\n";
  for (auto const& line : damaged) std::cerr << "sluice-letters: damaged: " << line << '\n';
  return damaged.empty() ? exits::done : exits::failed;
}

/// Topics that letters go to, each asked for once.
class destinations {
  place_words const& words_;
  std::optional<brokers> kafka_{};
  std::set<std::string> known_{};

 public:
  explicit destinations(place_words const& w) : words_(w) {}
  void must_be_there(std::string const& topic) {
    if (known_.contains(topic)) return;
    auto& kafka = kafka_ ? *kafka_ : kafka_.emplace(words_.brokers, words_.group, words_.properties);
    try {
      kafka.partition_count(topic, words_.by());
    } catch (sl::error const& e) {
      if (e.code() != sl::errc::unknown_topic) throw;
      throw failure{"the topic " + as_found(topic) + ", where it belongs, isn't there: create it, or give --to"};
    }
    known_.insert(topic);
  }
};

class returning {
  place& from_;
  place_words const& words_;
  wishes const& which_;
  destinations topics_{words_};
  sender out_{words_};

  /// Letters that were refused together are tried one by one: another's fault is not theirs. Those that were delivered are
  /// noted, whatever became of the others.
  tally a_page(std::vector<found>& page) {
    tally t;
    std::vector<bool> goes;
    for (auto& f : page) {
      auto what = fate_of(f, which_);
      goes.push_back(what == fate::goes);
      if (!goes.back()) t.stays(f, what, which_);
      if (goes.back()) try {
          topics_.must_be_there(destination(f.what, which_));
        } catch (failure const& e) {
          goes.back() = false;
          ++t.not_returned;
          t.remarks.push_back(f.where + ": " + e.what());
        }
    }
    std::vector<dispatch> outcomes(page.size());
    auto wrong = out_.send(page, goes, which_, outcomes);
    for (std::size_t i = 0; i < page.size() && !wrong; ++i) {
      if (!outcomes[i].refused()) continue;
      std::vector<bool> alone(page.size());
      alone[i] = true;
      wrong = out_.send(page, alone, which_, outcomes);
      if (!outcomes[i].refused()) continue;
      ++t.not_returned;
      t.remarks.push_back(page[i].where + ": not delivered to " + outcomes[i].why.why);
    }
    for (std::size_t i = 0; i < page.size(); ++i) goes[i] = outcomes[i].delivered();
    for (auto& line : from_.gone(goes)) t.remarks.push_back(std::move(line));
    if (wrong) throw sl::store_error{*wrong};
    for (std::size_t i = 0; i < page.size(); ++i)
      if (goes[i]) ++t.returned[destination(page[i].what, which_)];
    return t;
  }

 public:
  returning(place& from, place_words const& words, wishes const& which) : from_(from), words_(words), which_(which) {}

  tally run(stop_asked const& stop) {
    if (auto all = from_.return_all(which_, [&](std::string const& topic) { topics_.must_be_there(topic); }, stop))
      return *all;
    tally t;
    from_.begin();
    for (auto page = from_.next(); !page.empty(); page = from_.next()) {
      t.add(a_page(page));
      if (stop()) break;
    }
    return t;
  }
};

/// Whether trying again later may help.
bool passes(sl::error const& e) {
  switch (e.code()) {
    case sl::errc::store_unavailable:
    case sl::errc::no_broker:
    case sl::errc::client_failed:
    case sl::errc::conflict:
      return true;
    default:
      return false;
  }
}

}  // namespace

void tally::stays(found const& f, fate why, wishes const& w) {
  if (why == fate::not_meant) ++not_meant;
  if (why == fate::too_often) {
    ++too_often;
    remarks.push_back(fmt::format("{}, {}/{} offset {}: returned {} already (--at-most {})", f.where, f.what.topic,
                                  or_dash(f.what.partition), or_dash(f.what.offset),
                                  counted(times_returned(f.what), "time"), w.at_most));
  }
  if (why == fate::damaged) {
    ++damaged;
    remarks.push_back(f.where + ": damaged: " + f.damage);
  }
}

int show(place& from, showing const& how) { return print(from, how, false); }

int give_back(place& from, place_words const& words, wishes const& which, std::chrono::milliseconds every,
              stop_asked const& stop) {
  if (which.dry_run) return print(from, {.only = which, .limit = SIZE_MAX}, true);
  returning all{from, words, which};
  std::set<std::string> told;  // each letter that stays is told once
  int status = exits::done;
  for (;;) {
    auto const due = std::chrono::steady_clock::now() + every;
    try {
      auto const t = all.run(stop);
      for (auto const& line : t.remarks)
        if (told.insert(line).second) std::cerr << "sluice-letters: stays: " << line << '\n' << std::flush;
      if (t.damaged + t.not_returned > 0) status = exits::failed;
      std::string where;
      for (auto const& [topic, n] : t.returned)
        where += fmt::format("{}{} to {}", where.empty() ? ": " : ", ", n, topic);
      auto const left = t.not_meant + t.too_often + t.damaged + t.not_returned;
      if (every.count() == 0 || t.all_returned() > 0 || left > 0)
        fmt::print("{} of {} returned from {}{}{}.\n", t.all_returned(), counted(t.all_returned() + left), from.name(),
                   where, left ? fmt::format("; {} left", left) : "");
      std::fflush(stdout);
    } catch (sl::error const& e) {
      if (every.count() == 0 || !passes(e)) throw;
      std::cerr << "sluice-letters: " << said_by(e) << "; trying again in " << every.count() / 1000 << " s" << '\n'
                << std::flush;
    }
    if (every.count() == 0 || stop()) return status;
    while (std::chrono::steady_clock::now() < due) {
      if (stop()) return status;
      std::this_thread::sleep_for(std::chrono::milliseconds{50});
    }
  }
}

}  // namespace letters_tool
