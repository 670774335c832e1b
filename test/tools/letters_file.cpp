// sluice-letters with letters in a file, and a real Kafka.
#include "letters.hpp"

using namespace letters;

namespace {

struct letter_file {
  temporary_folder folder{};
  std::string path = (folder.path / "letters").string();
  words give_back = words{"return", "file:" + path} + at_brokers();

  void add(std::string const& text) { std::ofstream{path, std::ios::app} << text; }
  void add(std::string const& topic, std::string const& value, std::string const& error,
           json const& others = json::object()) {
    std::string encoded;
    sl::detail::append_base64(encoded, sl::as_bytes(value));
    json letter{{"topic", topic}, {"partition", 0}, {"offset", 1},      {"incarnation", 1},
                {"timestamp", 1}, {"key", nullptr}, {"value", encoded}, {"headers", json::array()},
                {"error", error}, {"attempts", 1},  {"first", 1}};
    letter.update(others);
    add(letter.dump() + "\n");
  }
};

std::multiset<std::string> values(std::string const& topic, std::size_t count) {
  std::multiset<std::string> all;
  for (auto const& r : in(topic, 1, count)) all.insert(r.value.value_or("null"));
  return all;
}
using texts = std::multiset<std::string>;

}  // namespace

TEST_CASE("letters in a file") {
  letter_file f;
  words const place{"file:" + f.path};
  comes_back_as_it_was(place, "file", sl::kafka_offsets{}, sl::dead_letter_file{f.path});
  CHECK_THAT(done(words{"show"} + place + words{"--all"}), ContainsSubstring("5 letters in "));
  poison_goes_round(place, "file.poison", sl::kafka_offsets{}, sl::dead_letter_file{f.path});
}

TEST_CASE("a damaged line is told with its number, stays, and holds up no other") {
  letter_file f;
  kafka().topics.create("lines", 1);
  f.add("lines", "1", "e");
  f.add("canary\n");
  f.add("lines", "3", "e");
  f.add("{\"topic\":\"lines\"}\n");
  f.add("lines", "5", "e");
  f.add("{\"topic\":\"half a line");
  for (int i = 0; i < 2; ++i) {
    auto const a = run(f.give_back);
    CHECK(a.status == 1);
    CHECK_THAT(a.err, ContainsSubstring("line 2: damaged: it is no JSON object") &&
                          ContainsSubstring("line 4: damaged: it has no \"partition\""));
    CHECK_THAT(a.out, ContainsSubstring(i ? "0 of 2" : "3 of 5"));
  }
  CHECK(values("lines", 4) == texts{"1", "3", "5"});
  f.add("\"}\n");  // the half line becomes a whole one
  f.add("lines", "7", "e");
  auto const a = run(f.give_back);
  CHECK_THAT(a.err, ContainsSubstring("line 6: damaged"));
  CHECK(values("lines", 5) == texts{"1", "3", "5", "7"});
}

TEST_CASE("a letter from where no record can stand is told with its line, stays, and holds up no other") {
  letter_file f;
  kafka().topics.create("nowhere", 1);
  f.add("nowhere", "1", "e");
  f.add("nowhere", "2", "e", {{"partition", -5}});
  f.add("nowhere", "3", "e", {{"partition", 99'999'999'999}});
  f.add("nowhere", "4", "e", {{"offset", -1}});
  f.add("nowhere", "5", "e", {{"incarnation", -1}});
  f.add("nowhere", "6", "e", {{"partition", 2'147'483'647}});
  for (int i = 0; i < 2; ++i) {
    auto const a = run(f.give_back);
    CHECK(a.status == 1);
    CHECK_THAT(a.err, ContainsSubstring("line 2: damaged: \"partition\" is -5, which no record has") &&
                          ContainsSubstring("line 3: damaged: \"partition\" is 99999999999") &&
                          ContainsSubstring("line 4: damaged: \"offset\" is -1") &&
                          ContainsSubstring("line 5: damaged: \"incarnation\" is -1"));
    CHECK_THAT(a.out, ContainsSubstring(i ? "0 of 4" : "2 of 6"));
  }
  CHECK(values("nowhere", 3) == texts{"1", "6"});
}

TEST_CASE("letters that were not asked for are there the next time") {
  letter_file f;
  kafka().topics.create("chosen", 1);
  f.add("chosen", "1", "timed out");
  f.add("chosen", "2", "no number");
  f.add("chosen", "3", "timed out");
  CHECK_THAT(done(f.give_back + words{"--error", "number"}), ContainsSubstring("1 of 3 letters returned"));
  CHECK(values("chosen", 2) == texts{"2"});
  CHECK_THAT(done(words{"show", "file:" + f.path}), ContainsSubstring("2 letters in "));
  f.add("chosen", "4", "no number");
  CHECK_THAT(done(f.give_back), ContainsSubstring("3 of 3 letters returned"));
  CHECK(values("chosen", 5) == texts{"1", "2", "3", "4"});
}

TEST_CASE("a letter that was not asked for stops no table, whatever its headers say") {
  letter_file f;
  json const once{{"headers", json::array({json::array({"sluice.returned", "b25jZQ=="})})}};
  f.add("other", "1", "e", once);
  f.add("wanted", "2", "e");
  f.add("meant", "3", "e", once);
  words const dry{"return", "file:" + f.path, "--brokers", "localhost:1", "--dry-run", "--topic"};
  CHECK_THAT(done(dry + words{"wanted"}), ContainsSubstring("goes to wanted") && ContainsSubstring("3 letters in ") &&
                                              ContainsSubstring("; 1 would go") &&
                                              ContainsSubstring("?  stays: not asked for"));
  CHECK_THAT(fails(dry + words{"meant"}),
             ContainsSubstring("line 3: its header sluice.returned is \"once\", and no number"));
}

TEST_CASE("a letter that the brokers refuse stays, and those beside it go back once") {
  letter_file f;
  kafka().topics.create("narrow", 1, {{"max.message.bytes", "1000"}});
  kafka().topics.create("wide", 1);
  for (int i = 0; i < 5; ++i) f.add("wide", std::to_string(i), "e");
  f.add("narrow", "small", "e");
  f.add("narrow", std::string(5000, 'x'), "e");
  f.add("wide", "5", "e");
  CHECK_THAT(fails(f.give_back), ContainsSubstring("line 7") && ContainsSubstring("narrow"));
  CHECK(values("wide", 7) == texts{"0", "1", "2", "3", "4", "5"});
  CHECK(values("narrow", 2) == texts{"small"});
  CHECK_THAT(done(words{"show", "file:" + f.path}), ContainsSubstring("1 letter in "));
}

TEST_CASE("a letter of a topic that isn't there stays until it is") {
  letter_file f;
  f.add("late", "1", "e");
  CHECK_THAT(fails(f.give_back), ContainsSubstring("line 1") && ContainsSubstring("late"));
  kafka().topics.create("late", 1);
  done(f.give_back);
  CHECK(values("late", 2) == texts{"1"});
}

TEST_CASE("where it can't be known what has gone back nothing does") {
  letter_file f;
  static int sections = 0;
  auto const topic = "known" + std::to_string(++sections);
  kafka().topics.create(topic, 1);
  f.add(topic, "1", "e");
  f.add(topic, "2", "e");
  done(f.give_back);
  auto const told = content_of(f.path + ".returned");
  SECTION("the file was begun anew") {
    std::filesystem::remove(f.path);
    f.add(topic, "3", "e");
  }
  SECTION("the file was cut") { std::filesystem::resize_file(f.path, std::filesystem::file_size(f.path) / 2); }
  SECTION("the note is damaged") { write_file(f.path + ".returned", told.substr(0, told.size() / 2)); }
  SECTION("the note is nested too deeply to be one") {
    write_file(f.path + ".returned", R"({"format":"sluice-letters","version":1,"next":1,"left":)" +
                                         std::string(200'000, '[') + std::string(200'000, ']') + "}");
  }
  SECTION("the note is of a later version") {
    write_file(f.path + ".returned", R"({"format":"sluice-letters","version":2})");
  }
  CHECK_THAT(fails(f.give_back), ContainsSubstring(f.path + ".returned"));
  CHECK(values(topic, 3) == texts{"1", "2"});
}

TEST_CASE("one process at a time puts a file's letters back") {
  letter_file f;
  f.add("x", "1", "e");
  sl::detail::unique_fd const other{::open(f.path.c_str(), O_RDWR)};
  struct flock whole{};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  REQUIRE(::fcntl(other.get(), F_OFD_SETLK, &whole) == 0);
  CHECK_THAT(fails(f.give_back), ContainsSubstring("another sluice-letters"));
  CHECK_THAT(done({"show", "file:" + f.path}), ContainsSubstring("1 letter in "));
  CHECK_THAT(fails({"show", "file:" + f.path + ".none"}), ContainsSubstring("opening"));
}
