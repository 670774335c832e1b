// sluice-offsets: shows, sets, moves and copies the positions of groups, in whichever store they are kept.
#include <sluice/version.hpp>

#include <CLI/CLI.hpp>

#include <ctime>
#include <iostream>

#include "commands.hpp"
#include "number.hpp"

using namespace offsets_tool;
using namespace tools::exits;

namespace {

/// "2026-01-31T12:00:00Z"
sl::wall_time time_of(std::string const& text) {
  std::tm t{};
  char z = 0;
  int used = 0;
  auto const n = std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%c%n", &t.tm_year, &t.tm_mon, &t.tm_mday, &t.tm_hour,
                             &t.tm_min, &t.tm_sec, &z, &used);
  t.tm_year -= 1900;
  --t.tm_mon;
  auto const given = t;
  auto const seconds = n == 7 ? ::timegm(&t) : -1;
  if (n != 7 || z != 'Z' || static_cast<std::size_t>(used) != text.size() || given.tm_mday != t.tm_mday ||
      given.tm_hour != t.tm_hour || given.tm_sec != t.tm_sec)
    throw failure{"--to takes earliest, latest, or a time in UTC such as 2026-01-31T12:00:00Z; " + as_found(text) +
                  " is none of them"};
  return sl::wall_time{std::chrono::seconds{seconds}};
}

target target_of(std::vector<std::string> const& given, std::string const& to) {
  if (given.empty() == to.empty()) throw failure{"set takes either TOPIC:PARTITION=OFFSET, once or more, or --to"};
  target t;
  if (to == "earliest")
    t.what = target::earliest;
  else if (to == "latest")
    t.what = target::latest;
  else if (!to.empty()) {
    t.what = target::time;
    t.at = time_of(to);
  }
  for (auto const& g : given) {
    auto const equals = g.rfind('='), colon = g.rfind(':', equals);
    auto const wrong = [&] {
      return failure{as_found(g) +
                     " is not of the form TOPIC:PARTITION=OFFSET, as in orders:3=120; offsets are the next to be read"};
    };
    if (equals == g.npos || colon == g.npos || colon == 0) throw wrong();
    auto const partition = whole_number<std::int32_t>(std::string_view{g}.substr(colon + 1, equals - colon - 1));
    auto const offset = whole_number<std::int64_t>(std::string_view{g}.substr(equals + 1));
    if (!partition || *partition < 0 || !offset || *offset < 0) throw wrong();
    t.given.push_back({{g.substr(0, colon), *partition}, sl::offset{*offset}});
  }
  return t;
}

/// A store on the command line: one word, and options whose names may have something in front ("--from-table").
struct store_arguments {
  std::string word{};
  store_words words{};
  std::vector<std::pair<CLI::Option*, std::string>> options{};

  void add(CLI::App& app, std::string const& before, std::string const& title) {
    auto* group = app.add_option_group(title, "Each kind of STORE says below which it takes");
    auto const add = [&](auto* what, std::string const& name) { options.emplace_back(what, "--" + name); };
    auto const text = [&](char const* name, std::string& into, char const* help, char const* form) {
      auto* o = group->add_option("--" + before + name, into, help)->type_name(form);
      add(o, name);
      return o;
    };
    auto const flag = [&](char const* name, bool& into, char const* help) {
      add(group->add_flag("--" + before + name, into, help), name);
    };
    text("table", words.table, "The library's table (default sluice_offsets), or one of your own with --columns",
         "NAME");
    text("columns", words.columns, "Your own table: its columns for topic, partition and offset",
         "TOPIC,PARTITION,OFFSET");
    text("group-column", words.group_column, "Your own table: its column for the group", "NAME");
    text("key", words.key, "Your own Redis hashes: field partition, value offset; key such as offsets:{group}:{topic}",
         "PATTERN");
    text("family", words.family,
         "HBase: not the library's cells but rows TOPIC:GROUP:MILLISECONDS alone, in this column family (Spark users "
         "call it "
         "offsets)",
         "NAME");
    text(
        "path", words.path,
        "ZooKeeper: where offsets lie (default /consumers/offsets/{group}/{topic}/{partition}, as Spark users have it; "
        "Kafka before 0.9: /consumers/{group}/offsets/{topic}/{partition})",
        "PATTERN");
    text("stored-offset-is", words.stored_offset_is,
         "Your own layout: the offset is the next to be read, or the last that was", "next|last")
        ->check(CLI::IsMember({"next", "last"}));
    flag("plain", words.plain, "Kafka: commit without the library's note, as other programs do");
    text("user", words.user, "MariaDB, Redis, ZooKeeper, HDFS, HBase: who logs in", "NAME");
    text("password-file", words.password_file, "A file that holds the password", "FILE");
    text("password-variable", words.password_variable, "The environment variable that holds the password", "NAME");
    add(group->add_option("--" + before + "database", words.database, "Redis: its number")->type_name("N"), "database");
    text("prefix", words.prefix, "Redis, S3: of the library's keys (default sluice, sluice/)", "TEXT");
    text("region", words.region, "S3: default us-east-1", "NAME");
    flag("lossy", words.lossy, "Redis: it need not be durable");
    flag("assume-durable", words.assume_durable,
         "PostgreSQL, MariaDB, Redis: take a server whose durability can't be seen");
  }

  std::unique_ptr<store> open(circumstances const& c) {
    auto const colon = word.find(':');
    words.kind = word.substr(0, colon);
    auto const at = kinds().find(words.kind);
    if (colon == word.npos || at == kinds().end()) {
      std::string known;
      for (auto const& [_, k] : kinds()) known += (known.empty() ? "" : ", ") + k.form;
      throw failure{as_found(word.substr(0, std::min(colon, word.size()))) + " is no kind of store: " + known};
    }
    words.place = word.substr(colon + 1);
    words.brokers = c.brokers;
    words.properties = c.properties;
    for (auto const& [option, name] : options) {
      if (option->count() == 0) continue;
      if (!at->second.takes.contains(name)) throw failure{option->get_name() + " is not for " + at->second.form};
      words.given.insert(name);
    }
    if (!words.columns.empty() || !words.key.empty() || words.has("--family")) return at->second.open(words);
    for (auto const* own : {"--group-column", "--stored-offset-is"})
      if (words.has(own))
        throw failure{std::string{own} + " is for layouts of your own: give --columns, --key or --family too"};
    return at->second.open(words);
  }
};

std::string stores_help() {
  std::string text = "STORE is one of\n";
  for (auto const& [_, k] : kinds()) {
    text += "  " + k.form + std::string(k.form.size() < 22 ? 22 - k.form.size() : 1, ' ') + k.help + "\n";
    if (k.takes.empty()) continue;
    text += std::string(24, ' ');
    for (auto const& o : k.takes) text += o + " ";
    text.back() = '\n';
  }
  return text;
}

constexpr char const* footer = R"(
Reading (show, export, watch) claims nothing: consumers go on undisturbed. Changing (set, clamp, import, copy) takes the
claim as a consumer would, so that one that is still alive is refused when it stores next; it records each jump with its
cause, and gives the claim back. A change is refused while the group has members in Kafka (--brokers), while a claim was
not given back (without --brokers), or while offsets still move (--sample-for). Secrets come from files and the
environment, never from the command line.

Exit status: 0 done, 1 failed, 2 wrong usage, 3 refused, since a consumer of the group may be alive.

  sluice-offsets show sqlite:billing.db --group billing --brokers localhost:9092
  sluice-offsets set sqlite:billing.db --group billing --dry-run orders:0=120 orders:1=80
  sluice-offsets copy --from sqlite:billing.db --to postgres:"host=db dbname=billing" --group billing --brokers localhost:9092
  sluice-offsets copy --from redis:cache:6379 --from-key 'offsets:{group}:{topic}' --from-stored-offset-is last \
                      --to kafka: --group billing --brokers localhost:9092
)";

/// One command with what it was told.
struct arguments {
  circumstances c{};
  std::string properties_file{}, timeout{"30s"}, sample_for{"5s"}, every{"2s"}, to_group{}, to{}, file{"-"};
  std::vector<std::string> given{};
  std::size_t times = 0;
  store_arguments store{}, other{};

  void add_common(CLI::App& app, bool group_needed = true) {
    app.footer(stores_help());
    auto* g = app.add_option("--group", c.group, "The consumers' group")->type_name("NAME");
    if (group_needed) g->required();
    app.add_option("--topic", c.topics, "Only this topic; may be given again")
        ->type_name("NAME")
        ->allow_extra_args(false);
    app.add_option("--brokers", c.brokers, "Kafka, to be asked about logs and members")->type_name("HOST:PORT,...");
    app.add_option("--kafka-properties", properties_file, "librdkafka's properties, key=value in each line")
        ->type_name("FILE");
    app.add_option("--timeout", timeout, "For each request (default 30s)")->type_name("TIME");
  }
  void add_changing(CLI::App& app) {
    app.add_flag("--dry-run", c.dry_run, "Show what would change, and change nothing");
    app.add_flag("--group-may-be-alive", c.may_be_alive, "Change even while a consumer may be at work");
    app.add_option("--sample-for", sample_for, "How long offsets must stand still before they are changed (default 5s)")
        ->type_name("TIME");
  }
  void add_store(CLI::App& app) {
    app.add_option("STORE", store.word, "Where the positions are kept")->required();
    store.add(app, "", "Options of STORE");
  }
  void settle() {
    c.properties = properties_in(properties_file);
    c.timeout = duration(timeout, "--timeout");
    c.sample_for = duration(sample_for, "--sample-for");
  }
};

int run(int argc, char** argv) {
  CLI::App app{"Shows, sets and moves the positions of consumer groups, in whichever store they are kept.",
               "sluice-offsets"};
  app.require_subcommand(1);
  app.footer("\n" + stores_help() + footer);
  app.set_version_flag("--version", SLUICE_VERSION_STRING);
  arguments a;

  auto* show_ = app.add_subcommand("show", "Positions; with --brokers the logs' ends and the lag too");
  a.add_common(*show_);
  a.add_store(*show_);

  auto* set_ = app.add_subcommand("set", "Puts positions where you say");
  a.add_common(*set_);
  a.add_changing(*set_);
  a.add_store(*set_);
  set_->add_option("POSITION", a.given, "The next offset to be read")->type_name("TOPIC:PARTITION=OFFSET");
  set_->add_option("--to", a.to, "Instead, all partitions of the group's topics (or of --topic)")
      ->type_name("earliest|latest|TIME");

  auto* clamp_ = app.add_subcommand("clamp", "Puts positions that lie outside their log to its nearest end");
  a.add_common(*clamp_);
  a.add_changing(*clamp_);
  a.add_store(*clamp_);

  auto* export_ = app.add_subcommand("export", "Positions as JSON");
  a.add_common(*export_);
  a.add_store(*export_);
  export_->add_option("--output", a.file, "Instead of standard output")->type_name("FILE");

  auto* import_ = app.add_subcommand("import", "Sets positions from such JSON");
  a.add_common(*import_, false);
  a.add_changing(*import_);
  a.add_store(*import_);
  import_->add_option("--input", a.file, "Instead of standard input")->type_name("FILE");

  auto* copy_ = app.add_subcommand("copy", "Takes positions from one store to another, of any kinds");
  a.add_common(*copy_);
  a.add_changing(*copy_);
  copy_->add_option("--from", a.store.word, "Where they are")->type_name("STORE")->required();
  copy_->add_option("--to", a.other.word, "Where they are to be")->type_name("STORE")->required();
  copy_->add_option("--to-group", a.to_group, "There for another group")->type_name("NAME");
  a.store.add(*copy_, "from-", "Options of --from");
  a.other.add(*copy_, "to-", "Options of --to");

  auto* watch_ = app.add_subcommand("watch", "The same as show, again and again; lines where it is no terminal");
  a.add_common(*watch_);
  a.add_store(*watch_);
  watch_->add_option("--every", a.every, "(default 2s)")->type_name("TIME");
  watch_->add_option("--count", a.times, "How many times (default: without end)")->type_name("N");

  try {
    app.parse(argc, argv);
  } catch (CLI::ExtrasError const&) {  // its text would repeat what may be a secret
    std::cerr
        << "sluice-offsets: there is a word or an option too many on the command line; --help lists what there is\n";
    return wrong_usage;
  } catch (CLI::ParseError const& e) { return app.exit(e) == 0 ? done : wrong_usage; }

  a.settle();
  auto const s = a.store.open(a.c);
  if (*show_) show(a.c, *s);
  if (*set_) set(a.c, *s, target_of(a.given, a.to));
  if (*clamp_) clamp(a.c, *s);
  if (*export_) export_to(a.c, *s, a.file);
  if (*import_) import_from(a.c, *s, a.file);
  if (*copy_) copy(a.c, *s, *a.other.open(a.c), a.to_group);
  if (*watch_) watch(a.c, *s, duration(a.every, "--every"), a.times);
  return done;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (refusal const& e) {
    std::cerr << "sluice-offsets: refused: " << e.what() << '\n';
    return refused;
  } catch (std::exception const& e) {
    std::cerr << "sluice-offsets: " << said_by(e) << '\n';
    return failed;
  }
}
