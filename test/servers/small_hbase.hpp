/// \file small_hbase.hpp  An HBase within a test, whose answers the test may change: for what a real one does seldom, or takes long to do.
#pragma once
#include <sluice/offset_store/hbase.hpp>

#include <map>

#include "http.hpp"

namespace servers {

/// One table, `t`, as HBase 2.6.1 behaves. Where `say` answers, that is the answer; with status 0 there is none.
class small_hbase {
 public:
  using cells = std::map<std::string, std::string>;  // "FAMILY:QUALIFIER"
  std::map<std::string, cells> rows{};
  std::string schema =
      R"({"name":"t","ColumnSchema":[{"name":"current","TTL":"2147483647"},{"name":"offsets","TTL":"2592000"}]})";
  bool there = true;                                                     // the table
  std::function<std::optional<http_answer>(http_request const&)> say{};  // set only while nobody asks
  http_server server{[this](http_request const& r) -> std::optional<http_answer> {
    if (say)
      if (auto a = say(r)) return a->status == 0 ? std::nullopt : a;
    return answer(r);
  }};

  http_answer answer(http_request const& r) {
    if (r.target == "/") return {.content = there ? R"({"table":[{"name":"t"}]})" : R"({"table":[]})"};
    if (r.method == "POST" && r.target == "/t/schema") {
      there = true;
      schema = r.content;
      return {.status = 201};
    }
    if (!there) return {.status = 404, .content = "Not found\r\norg.apache.hadoop.hbase.TableNotFoundException: t"};
    if (r.target == "/t/schema") return {.content = schema};
    if (r.method == "PUT") return r.target.ends_with("?check=put") ? check_put(r) : put(r);
    if (r.target.starts_with("/t/*?")) return scan(r);
    auto const path = r.target.substr(3);
    auto const slash = path.find('/');
    auto const row = rows.find(path.substr(0, slash));
    if (row == rows.end() || !row->second.contains(path.substr(slash + 1)))
      return {.status = 404, .content = "Not found\r\n"};
    return {.content = row->second.at(path.substr(slash + 1))};
  }

  /// How many requests of that method began so.
  std::size_t asked(std::string const& method, std::string const& target) const {
    std::size_t n = 0;
    for (auto const& r : server.requests()) n += r.method == method && r.target.starts_with(target);
    return n;
  }
  sluice::hbase_offsets config() const {
    return {.address = server.url(),
            .table = "t",
            .user = "billing",
            .password = "canary",
            .timeout = std::chrono::milliseconds{2000}};
  }

 private:
  static std::string parameter(std::string const& target, std::string const& name) {
    auto const at = target.find("&" + name + "=");
    if (at == target.npos) return {};
    auto const from = at + name.size() + 2;
    std::string text, coded = target.substr(from, target.find('&', from) - from);
    for (std::size_t i = 0; i < coded.size(); ++i)
      if (coded[i] == '%') {
        text += static_cast<char>(std::stoi(coded.substr(i + 1, 2), nullptr, 16));
        i += 2;
      } else {
        text += coded[i];
      }
    return text;
  }
  http_answer check_put(http_request const& r) {
    auto const sent = sluice::detail::hbase::rows_of(r.content).value().at(0);
    auto const &after = sent.cells.at(0), &before = sent.cells.at(1);
    auto& row = rows[sent.key];
    auto const now = row.find(after.column);
    if ((now == row.end() ? "" : now->second) != before.value) return {.status = 304};
    row[after.column] = after.value;
    return {};
  }
  http_answer put(http_request const& r) {
    auto const all = sluice::detail::hbase::rows_of(r.content).value();
    for (auto const& sent : all)
      for (auto const& c : sent.cells) rows[sent.key][c.column] = c.value;
    return {};
  }
  http_answer scan(http_request const& r) const {
    auto const first = parameter(r.target, "startrow"), beyond = parameter(r.target, "endrow");
    auto const of = [&](auto const& one) {
      sluice::detail::hbase::row found{.key = one.first};
      for (auto const& [column, value] : one.second)
        if (column.starts_with(parameter(r.target, "column") + ":")) found.cells.push_back({column, value});
      return found;
    };
    std::vector<sluice::detail::hbase::row> found;
    if (r.target.find("&reversed=true") != r.target.npos) {
      for (auto at = rows.rbegin(); at != rows.rend() && found.empty(); ++at)
        if (at->first <= first && at->first > beyond)
          if (auto one = of(*at); !one.cells.empty()) found.push_back(one);
    } else {
      for (auto at = rows.lower_bound(first); at != rows.end() && found.empty(); ++at)
        if (auto one = of(*at); !one.cells.empty()) found.push_back(one);
    }
    return {.content = sluice::detail::hbase::json_of(found)};
  }
};

}  // namespace servers
