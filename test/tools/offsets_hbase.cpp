// sluice-offsets on HBase: the library's own cells, and the rows of programs on Spark.
#include "offset_store/hbase_support.hpp"
#include "offsets.hpp"

using namespace offsets;

namespace {

/// A table as Spark users have it, without a family of the library's.
struct spark_table {
  std::string name = "spark" + std::to_string(++hbase_fixtures);
  place own{"hbase:" + the_hbase().address() + "/" + name};
  place rows{own.word, {"--family", "offsets"}};
  place last{own.word, {"--family", "offsets", "--stored-offset-is", "last"}};

  spark_table() { the_hbase().must("POST", "/" + name + "/schema", schema(R"({"name":"offsets","TTL":"2592000"})")); }
  std::string schema(std::string const& families) const {
    return R"({"name":")" + name + R"(","ColumnSchema":[)" + families + "]}";
  }
  /// The library's family too.
  void extend() const { the_hbase().must("POST", "/" + name + "/schema", schema(R"({"name":"current"})")); }
  hb::table table() const {
    return hb::table{hb::settings_of(sl::hbase_offsets{.address = the_hbase().address(), .table = name})};
  }
  void put(std::string const& key, std::vector<std::string> const& values) const {
    hb::row r{.key = key};
    for (std::size_t p = 0; p < values.size(); ++p) r.cells.push_back({"offsets:" + std::to_string(p), values[p]});
    table().put({r}, contract::soon());
  }
  hb::history_row newest(std::string const& topic) const {
    auto t = table();
    return hb::newest_row(t, topic, "billing", contract::soon()).value();
  }
};

void copy(place const& from, place const& to) {
  done(words{"copy"} + from.as("from") + to.as("to") + words{"--group", "billing"} + at_once);
}

}  // namespace

TEST_CASE("the rows of Spark's go to another store and back, and no other group's") {
  spark_table spark;
  spark.put("orders:billing:1795310688000", {"1", "1", "1"});
  spark.put("orders:billing:1795310688831", {"41", "17"});
  spark.put("clicks:billing:1795310688831", {"3"});
  spark.put("orders:billing:7:1795310688831", {"9"});
  spark.put("orders:other:1795310688831", {"8"});
  spark.put("views:other:1795310688831", {"8"});
  CHECK(at(spark.rows, "billing") == words{"clicks:0=3", "orders:0=41", "orders:1=17"});
  CHECK(at(spark.rows, "billing:7") == words{"orders:0=9"});
  CHECK(at(spark.rows, "nobody").empty());
  CHECK(at(spark.last, "billing") == words{"clicks:0=4", "orders:0=42", "orders:1=18"});

  temporary_folder folder;
  place const sqlite{"sqlite:" + (folder.path / "offsets.db").string()};
  copy(spark.rows, sqlite);
  CHECK(at(sqlite, "billing") == words{"clicks:0=3", "orders:0=41", "orders:1=17"});
  done(words{"set"} + sqlite.as_store() + words{"--group", "billing", "orders:1=99", "orders:2=5", "views:0=0"} +
       at_once);
  copy(sqlite, spark.rows);
  CHECK(at(spark.rows, "billing") == words{"clicks:0=3", "orders:0=41", "orders:1=99", "orders:2=5", "views:0=0"});
  CHECK(at(spark.rows, "other") == words{"orders:0=8", "views:0=8"});
  CHECK(spark.newest("orders").next ==
        std::vector<std::optional<sl::offset>>{sl::offset{41}, sl::offset{99}, sl::offset{5}});
  CHECK(spark.newest("clicks").key == "clicks:billing:1795310688831");  // nothing has changed there

  done(words{"set"} + spark.last.as_store() + words{"--group", "billing", "clicks:0=0", "orders:0=7"} + at_once);
  CHECK(at(spark.last, "billing")[0] == "clicks:0=0");
  auto const clicks = spark.newest("orders").next;
  CHECK(clicks[0] == sl::offset{6});
}

TEST_CASE("a change is the newest row, though a clock ran ahead") {
  spark_table spark;
  spark.put("orders:billing:9795310688831", {"41"});
  done(words{"set"} + spark.rows.as_store() + words{"--group", "billing", "orders:0=7"} + at_once);
  CHECK(at(spark.rows, "billing") == words{"orders:0=7"});
  CHECK(spark.newest("orders").key == "orders:billing:9795310688832");
}

TEST_CASE("the library's own cells are read and set, and what Spark left is taken over as it is") {
  spark_table spark;
  spark.put("orders:billing:1795310688831", {"41", "17"});
  CHECK_THAT(fails(words{"set"} + spark.own.as_store() + words{"--group", "billing", "orders:0=7"} + at_once),
             ContainsSubstring("has no column family 'current'"));
  spark.extend();
  CHECK(at(spark.own, "billing").empty());
  done(words{"set"} + spark.own.as_store() + words{"--group", "billing", "orders:0=7"} + at_once);
  CHECK(at(spark.own, "billing") == words{"orders:0=7", "orders:1=17"});
  CHECK(at(spark.rows, "billing") == words{"orders:0=7", "orders:1=17"});

  temporary_folder folder;
  place const file{"file:" + folder.name()};
  copy(spark.own, file);
  CHECK(at(file, "billing") == words{"orders:0=7", "orders:1=17"});
}

TEST_CASE("what is wrong with HBase's words, rows and values is told") {
  spark_table spark;
  auto const show = [&](words const& store, words const& more = {}) {
    return fails(words{"show"} + store + words{"--group", "billing"} + more);
  };
  CHECK_THAT(show({"hbase:here"}), ContainsSubstring("hbase:http://HOST:PORT/TABLE"));
  CHECK_THAT(show({"hbase:http://here:1/a/b"}), ContainsSubstring("hbase_offsets.table"));
  CHECK_THAT(show(spark.own.as_store(), {"--stored-offset-is", "last"}), ContainsSubstring("--family"));
  CHECK_THAT(show({spark.own.word, "--family", ""}), ContainsSubstring("history_family"));
  CHECK_THAT(show({spark.own.word, "--family", "none"}), ContainsSubstring("no column family 'none'"));
  CHECK_THAT(show({"hbase:" + the_hbase().address() + "/nosuch", "--family", "offsets"}),
             ContainsSubstring("has no table nosuch"));
  CHECK_THAT(show(spark.own.as_store(), {"--user", "a"}), ContainsSubstring("password"));
  spark.put("orders:billing:1795310688831", {"41", "x"});
  CHECK_THAT(show(spark.rows.as_store()), ContainsSubstring("column offsets:1") && ContainsSubstring("no offset"));
  spark.put("some row", {"41"});
  CHECK_THAT(show(spark.rows.as_store()), ContainsSubstring("\"some row\""));
}
