#include <sluice/offset_store/zookeeper_paths.hpp>

#include <map>

#include "catch.hpp"

namespace sl = sluice;
namespace zk = sluice::detail::zookeeper;
using sl::offset;

TEST_CASE("names are nodes' names as they are, but for what ZooKeeper does not take") {
  std::map<std::string, std::string> const known{{"orders", "orders"},
                                                 {"a.b-c_d", "a.b-c_d"},
                                                 {"a b:c@d", "a b:c@d"},
                                                 {".hidden", ".hidden"},
                                                 {"...", "..."},
                                                 {"", "%"},
                                                 {".", "%2E"},
                                                 {"..", "%2E."},
                                                 {"zookeeper", "%7Aookeeper"},
                                                 {"zookeepers", "zookeepers"},
                                                 {"a/b", "a%2Fb"},
                                                 {"a%2Fb", "a%252Fb"},
                                                 {"%", "%25"},
                                                 {"caf\xc3\xa9", "caf%C3%A9"},
                                                 {"a\nb\x7f", "a%0Ab%7F"},
                                                 {std::string{"a\0b", 3}, "a%00b"}};
  for (auto const& [text, name] : known) CHECK(zk::node_name(text) == name);
}

TEST_CASE("where a topic lies") {
  zk::group_paths const spark{"", "/consumers/offsets/{group}/{topic}/{partition}", "/sluice", "bill/ing"};
  CHECK(spark.topic("orders").offset_of(3) == "/consumers/offsets/bill%2Fing/orders/3");
  CHECK(spark.topic("orders").state == "/sluice/consumers/offsets/bill%2Fing/orders");
  CHECK(spark.topic("orders").rewinds() == "/sluice/consumers/offsets/bill%2Fing/orders/rewinds");
  CHECK(spark.shared() == std::vector<std::string>{"/consumers", "/consumers/offsets", "/sluice"});
  zk::group_paths const kafka{"/streams/a", "/consumers/{group}/offsets/{topic}/{partition}", "/x/y", "g"};
  CHECK(kafka.of("{topic}").topic("{group}").offset_of(0) == "/streams/a/consumers/{topic}/offsets/{group}/0");
  CHECK(kafka.topic("t").state == "/streams/a/x/y/consumers/g/offsets/t");
  CHECK(kafka.shared() ==
        std::vector<std::string>{"/streams", "/streams/a", "/streams/a/consumers", "/streams/a/x", "/streams/a/x/y"});
}

TEST_CASE("paths that can't be") {
  CHECK(zk::wrong_with_path("/a/b c/..d").empty());
  for (auto const* bad : {"", "a", "/", "//", "/a/", "/a//b", "/.", "/a/..", "/a/../b", "/a\nb", "/caf\xc3\xa9",
                          "/zookeeper", "/zookeeper/quota"}) {
    INFO(bad);
    CHECK_FALSE(zk::wrong_with_path(bad).empty());
  }
  CHECK(zk::wrong_with_pattern("/{topic}/{group}/{partition}").empty());
  for (auto const* bad :
       {"/{group}/{topic}", "/{group}/{topic}/{partition}/x", "/{group}/{group}/{topic}/{partition}",
        "/a{group}/{topic}/{partition}", "/{partition}/{group}/{topic}", "{group}/{topic}/{partition}"}) {
    INFO(bad);
    CHECK_FALSE(zk::wrong_with_pattern(bad).empty());
  }
}

TEST_CASE("the name of a state holds its fence") {
  sl::fence const f{7, 0xfedcba9876543210u};
  CHECK(zk::state_name(12, f) == "12-7-fedcba9876543210");
  CHECK(zk::state_name(0, {}) == "0-0-0000000000000000");
  auto const key = zk::read_state_name("12-7-fedcba9876543210");
  REQUIRE(key);
  CHECK(key->partition == 12);
  CHECK(key->mine == f);
  for (auto const* bad : {"", "rewinds", "12", "12-7", "12-7-fedcba987654321", "012-7-fedcba9876543210",
                          "12-07-fedcba9876543210", "12-7-FEDCBA9876543210", "-12-7-fedcba9876543210",
                          "12-7-fedcba9876543210 ", "12-7-fedcba98765432100", "12--fedcba9876543210"}) {
    INFO(bad);
    CHECK_FALSE(zk::read_state_name(bad));
  }
}

TEST_CASE("a topic's record") {
  zk::topic_record const r{3, {offset{10}, offset{20}}};
  CHECK(zk::to_text(r) == "sluice 1 3 10 20");
  auto const back = zk::read_topic_record("sluice 1 3 10 20");
  REQUIRE(back);
  CHECK(back->made == 3);
  CHECK(back->to_make == r.to_make);
  CHECK(zk::read_topic_record("sluice 1 0")->to_make.empty());
  CHECK(zk::format_of("sluice 2 anything") == 2);
  for (auto const* bad : {"", "sluice", "sluice 1", "sluice 1 ", "sluice 1 x", "sluice 1 3 x", "sluice 1 3 10  20",
                          "sluice 1 -1", "sluice 1 99999999999", "sluice 2 3", "other 1 3", "sluice 1 3 10 "}) {
    INFO(bad);
    CHECK_FALSE(zk::read_topic_record(bad));
  }
}

TEST_CASE("offsets and partitions as others write them") {
  CHECK(zk::read_offset("0") == offset{0});
  CHECK(zk::read_offset("0012") == offset{12});
  CHECK(zk::read_offset("9223372036854775807") == offset{INT64_MAX});
  for (auto const* bad : {"", "-1", "+1", " 1", "1 ", "1\n", "1.5", "x", "9223372036854775808"})
    CHECK_FALSE(zk::read_offset(bad));
  CHECK(zk::read_partition("10") == 10);
  for (auto const* bad : {"", "-1", "01", "x", "2147483648", "1 "}) CHECK_FALSE(zk::read_partition(bad));
}

TEST_CASE("a node's name gives the text back that it was made from, and no other name does") {
  for (std::string const text : {"", "orders", ".", "..", "zookeeper", "a/b", "100%", "%", "\xc3\xa9", "a b"})
    CHECK(zk::text_of_node_name(zk::node_name(text)) == text);
  for (auto const* name : {"%4", "%zz", "%41", "a/b", "%2e", "."}) CHECK_FALSE(zk::text_of_node_name(name));
}
