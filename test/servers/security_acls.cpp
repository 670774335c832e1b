// The rights that each configuration needs, as OPERATORS.md lists them: with exactly these it works, with one less it ends
// in an error that names what is missing.
#include <sluice/offset_store/sqlite.hpp>

#include <functional>

#include "servers/security_kafka.hpp"

using namespace servers;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr std::size_t records = 4;

/// One row of the page's table: what runs, and what its user may do.
struct configuration {
  std::string name{};  ///< the user's, too; and the group's, and the transactional id
  std::vector<right> rights{};
  std::function<trial(sl::kafka const& source)> run{};
};

right reading(std::string const& topic) { return {resource::topic, topic, operation::read}; }
right writing(std::string const& topic) { return {resource::topic, topic, operation::write}; }

std::vector<configuration> all() {
  static temporary_folder const folder;
  auto const group = [](char const* name) { return right{resource::group, name, operation::read}; };
  auto const sqlite = [](sl::kafka const& s) {
    return sl::sqlite_offsets{(folder.path / (s.properties.at("sasl.username") + ".db")).string()};
  };
  auto const by_hand = [](sl::kafka const& s, std::string const& in_group) {
    return sl::kafka_partitions{
        .brokers = s.brokers, .group = in_group, .partitions = {{"in", 0}, {"in", 1}}, .properties = s.properties};
  };
  auto const run = [](auto... policies) { return try_out(records, 15s, policies...); };
  auto const fail = [](sl::record) { throw std::runtime_error("no good"); };
  return {
      {"atmostonce",
       {reading("in"), group("atmostonce")},
       [=](auto const& s) { return run(read_only, sl::at_most_once{}, sl::kafka_offsets{}, s); }},
      {"atleastonce",
       {reading("in"), group("atleastonce")},
       [=](auto const& s) { return run(read_only, sl::at_least_once{}, sl::kafka_offsets{}, s); }},
      {"periodic",
       {reading("in"), group("periodic")},
       [=](auto const& s) { return run(read_only, sl::at_least_once{}, sl::periodic_kafka_offsets{}, s); }},
      {"idempotent",
       {reading("in"), group("idempotent")},
       [=](auto const& s) { return run(sl::assume_idempotent{read_only}, sl::idempotent{}, sl::kafka_offsets{}, s); }},
      {"local",
       {reading("in"), group("local")},
       [=](auto const& s) {
         return run([](sl::batch const&, sl::sqlite_transaction&) {}, sl::transactional{}, sqlite(s), s);
       }},
      {"nowhere",
       {reading("in"), group("nowhere")},
       [=](auto const& s) { return run(read_only, sl::at_least_once{}, sl::no_offsets<sl::from::earliest>{}, s); }},
      {"byhand",
       {reading("in")},
       [=](auto const& s) {
         return run(read_only, sl::at_least_once{}, sl::no_offsets<sl::from::earliest>{}, by_hand(s, ""));
       }},
      {"byhandkept",
       {reading("in"), group("byhandkept")},
       [=](auto const& s) { return run(read_only, sl::at_least_once{}, sl::kafka_offsets{}, by_hand(s, s.group)); }},
      {"byhandlocal",
       {reading("in"), group("byhandlocal")},
       [=](auto const& s) { return run(read_only, sl::at_least_once{}, sqlite(s), by_hand(s, s.group)); }},
      {"copying",
       {reading("in"), group("copying"), writing("out"), {resource::transactional_id, "copying", operation::write}},
       [=](auto const& s) {
         return run(copy_to_out, sl::transactional{}, sl::kafka_offsets{.transactional_id = s.group}, s);
       }},
      {"copyingonly",
       {reading("in"),
        group("copyingonly"),
        writing("out"),
        {resource::transactional_id, "copyingonly", operation::write}},
       [=](auto const& s) {
         return run(copy_to_out, sl::transactional{}, sl::kafka_offsets{.transactional_id = s.group}, s, sl::retry<>{});
       }},
      {"setaside",
       {reading("in"), group("setaside"), writing("dead")},
       [=](auto const& s) {
         return run(sl::each(fail), sl::at_least_once{}, sl::kafka_offsets{}, s,
                    sl::dead_letter_topic{.topic = "dead"});
       }},
      {"writing",
       {reading("in"), group("writing"), writing("out")},
       [=](auto const& s) {
         sl::kafka_output out{{.brokers = s.brokers, .properties = s.properties}};
         return run(
             [&](sl::batch const& batch) {
               for (sl::record r : batch) out.produce("out", r.key(), r.value());
               out.flush();
             },
             sl::at_least_once{}, sl::kafka_offsets{}, s);
       }},
  };
}

struct fixture {
  std::vector<configuration> configurations = all();
  security_kafka server{users()};

  /// Each configuration has a user with all that it needs, and one for each right that is left out.
  std::vector<std::string> users() const {
    std::vector<std::string> names;
    for (auto const& c : configurations)
      for (std::size_t without = 0; without <= c.rights.size(); ++without) names.push_back(user(c, without));
    names.insert(names.end(), {"seestopic", "seesgroup"});
    return names;
  }
  static std::string user(configuration const& c, std::size_t without) { return c.name + std::to_string(without); }

  fixture() {
    granting rights;
    for (auto const& c : configurations)
      for (std::size_t without = 0; without <= c.rights.size(); ++without)
        for (std::size_t i = 0; i < c.rights.size(); ++i)
          if (i != without) rights.add(user(c, without), c.rights[i]);
    for (auto const* name : {"seestopic", "seesgroup"}) {
      rights.add(name,
                 {resource::topic, "in", name == std::string("seestopic") ? operation::describe : operation::read});
      rights.add(name,
                 {resource::group, name, name == std::string("seesgroup") ? operation::describe : operation::read});
    }
    rights.send(server.plain_port());
    for (auto const* topic : {"in", "out", "dead"}) server.topics.create(topic, 2);
    for (std::int32_t p = 0; p < 2; ++p) server.topics.produce("in", p, {{"a", "1"}, {"b", "2"}});
  }

  sl::kafka source(std::string const& name, std::string const& group) const {
    return {.brokers = server.broker.address("plain"),
            .group = group,
            .topics = {"in"},
            .properties = server.login(name, {{"debug", "security,cgrp"}})};
  }
};
fixture& shared() {
  static fixture one;
  return one;
}

}  // namespace

TEST_CASE("with the rights that are listed a consumer works, with one less it ends in an error that names it") {
  auto const& f = shared();
  for (auto const& c : f.configurations) {
    for (std::size_t without = 0; without < c.rights.size(); ++without) {
      auto const& missing = c.rights[without];
      auto const t = c.run(f.source(f.user(c, without), c.name));
      INFO(c.name << " without the right to " << missing.name << ": " << t.what << "\n" << t.heard);
      CHECK(t.code == (missing.name == "dead" ? sl::errc::dead_letter_failed : sl::errc::access_denied));
      CHECK(t.records == 0);
      CHECK_THAT(t.what, ContainsSubstring(missing.name) &&
                             ContainsSubstring(missing.may == operation::read ? "READ" : "WRITE"));
      CHECK(t.took < 8s);
      CHECK_THAT(t.what + t.heard, !ContainsSubstring(f.server.password));
    }
    auto const t = c.run(f.source(f.user(c, c.rights.size()), c.name));
    INFO(c.name << ": " << t.what << "\n" << t.heard);
    CHECK(t.code == sl::errc{});
    CHECK(t.records == records);
    CHECK_THAT(t.heard, !ContainsSubstring(f.server.password));
  }
}

TEST_CASE("who may see a topic or a group, and not read it, is told by step()") {
  auto const& f = shared();
  for (auto const& [name, right] : {std::pair{"seestopic", "READ on the topic"}, {"seesgroup", "READ on the group"}}) {
    auto const t =
        try_out(records, 10s, read_only, sl::at_least_once{}, sl::kafka_offsets{}, f.source(name, name), sl::retry<>{});
    INFO(name << ": " << t.what << "\n" << t.heard);
    CHECK(t.constructed);
    CHECK(t.code == sl::errc::access_denied);
    CHECK_THAT(t.what, ContainsSubstring(right));
    CHECK(t.took < 8s);
    CHECK_THAT(t.what + t.heard, !ContainsSubstring(f.server.password));
  }
}
