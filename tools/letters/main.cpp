// sluice-letters: shows dead letters, and puts them back into the topics that they came from.
#include <sluice/version.hpp>

#include <CLI/CLI.hpp>

#include <csignal>
#include <iostream>

#include "commands.hpp"

using namespace letters_tool;
using namespace tools::exits;

namespace {

std::sig_atomic_t volatile asked_to_end = 0;

std::string places_help() {
  std::string text = "LETTERS is one of\n";
  for (auto const& [_, k] : kinds()) {
    text += "  " + k.form + std::string(k.form.size() < 26 ? 26 - k.form.size() : 1, ' ') + k.help + "\n";
    if (k.takes.empty()) continue;
    text += std::string(28, ' ');
    for (auto const& o : k.takes) text += o + " ";
    text.back() = '\n';
  }
  return text;
}

constexpr char const* footer = R"(
A letter goes back as the record that it was: key, value, headers, into its own topic (--to: another), where the key's
partitioner chooses the partition. The header sluice.returned counts how often it went; who went --at-most times stays where
it is, and is told, so that none goes round for ever.

From a topic each letter goes back exactly once: the letter and the group's position are one transaction, through kill -9
too (readers must be read_committed, as sluice's are). One process for each --group. What is left behind (--at-most) stays
in the topic, and the group's position goes on behind it; so filters (--topic, --error) want a --group of their own. It
stops in front of what can't go back.
From a table or a file a letter may go back twice where the process is killed in between, or no answer comes in time: a row is
deleted, and the position in PATH.returned moved on, when the brokers have acknowledged. What is left behind stays, and is
looked at again.

A damaged line or row is told, stays, and holds up no other. Secrets come from files and the environment, never from the
command line.

Exit status: 0 done, 1 failed, or something stayed that should have gone, 2 wrong usage.

  sluice-letters show topic:orders.dead --brokers localhost:9092
  sluice-letters return topic:orders.dead --brokers localhost:9092 --every 10m --at-most 3
  sluice-letters return sqlite:billing.db --table sluice_dead_letters --brokers localhost:9092 --error timeout
  sluice-letters return file:/var/lib/billing/letters --brokers localhost:9092 --dry-run
)";

struct arguments {
  std::string word{}, properties_file{}, timeout{"30s"}, every{"0"};
  std::vector<std::string> topics{};
  place_words words{};
  wishes which{};
  showing how{};
  std::vector<std::pair<CLI::Option*, std::string>> options{};

  void add(CLI::App& app) {
    app.footer(places_help());
    app.add_option("LETTERS", word, "Where the letters are")->required();
    app.add_option("--brokers", words.brokers, "Kafka")->type_name("HOST:PORT,...");
    app.add_option("--kafka-properties", properties_file, "librdkafka's properties, key=value in each line")
        ->type_name("FILE");
    app.add_option("--timeout", timeout, "For each request (default 30s)")->type_name("TIME");
    app.add_option("--topic", topics, "Only letters that came from this topic; may be given again")
        ->type_name("NAME")
        ->allow_extra_args(false);
    app.add_option("--error", which.error, "Only letters whose error has this in it")->type_name("TEXT");
    auto* group = app.add_option_group("Options of LETTERS", "Each kind says below which it takes");
    auto const text = [&](char const* name, std::string& into, char const* help, char const* form) {
      options.emplace_back(group->add_option(name, into, help)->type_name(form), name);
    };
    text("--group", words.group, "A topic's: whose position says what has gone back (default sluice-letters)", "NAME");
    text("--table", words.table, "default sluice_dead_letters", "NAME");
    text("--user", words.user, "MariaDB: who logs in", "NAME");
    text("--password-file", words.password_file, "A file that holds the password", "FILE");
    text("--password-variable", words.password_variable, "The environment variable that holds the password", "NAME");
  }

  std::unique_ptr<place> open() {
    auto const colon = word.find(':');
    words.kind = word.substr(0, colon);
    auto const at = kinds().find(words.kind);
    if (colon == word.npos || at == kinds().end()) {
      std::string known;
      for (auto const& [_, k] : kinds()) known += (known.empty() ? "" : ", ") + k.form;
      throw failure{as_found(word.substr(0, std::min(colon, word.size()))) + " is no kind of place: " + known};
    }
    words.place = word.substr(colon + 1);
    for (auto const& [option, name] : options) {
      if (option->count() == 0) continue;
      if (!at->second.takes.contains(name)) throw failure{name + " is not for " + at->second.form};
      words.given.insert(name);
    }
    words.properties = properties_in(properties_file);
    words.timeout = duration(timeout, "--timeout");
    which.topics = {topics.begin(), topics.end()};
    if (words.changes && words.brokers.empty()) throw failure{"return needs --brokers HOST:PORT,…"};
    if (words.changes && words.kind == "topic" && which.filters() && !words.has("--group"))
      throw failure{
          "--topic and --error pass over letters of a topic, and the group's position goes on behind them: give them a "
          "--group of their own"};
    if (!which.to.empty() && word == "topic:" + which.to) throw failure{"--to names the topic of the letters itself"};
    return at->second.open(words);
  }
};

int run(int argc, char** argv) {
  CLI::App app{"Shows dead letters, and puts them back into the topics that they came from.", "sluice-letters"};
  app.require_subcommand(1);
  app.footer("\n" + places_help() + footer);
  app.set_version_flag("--version", SLUICE_VERSION_STRING);
  arguments a;

  auto* show_ = app.add_subcommand("show", "Letters that have not gone back");
  a.add(*show_);
  show_->add_flag("--json", a.how.json, "A line of JSON for each, with all that there is of it");
  show_->add_option("--limit", a.how.limit, "How many at most (default 1000)")->type_name("N");
  show_->add_flag("--all", a.words.all, "A topic's and a file's letters that have gone back too");

  auto* return_ = app.add_subcommand("return", "Puts them back");
  a.add(*return_);
  return_->add_option("--every", a.every, "Again and again, so often, until SIGTERM")->type_name("TIME");
  return_->add_option("--at-most", a.which.at_most, "A letter that was returned so often stays (default 3)")
      ->type_name("N");
  return_->add_option("--to", a.which.to, "Into this topic, not into their own")->type_name("TOPIC");
  return_->add_flag("--dry-run", a.which.dry_run, "Show what would go, and change nothing");

  try {
    app.parse(argc, argv);
  } catch (CLI::ExtrasError const&) {  // its text would repeat what may be a secret
    std::cerr
        << "sluice-letters: there is a word or an option too many on the command line; --help lists what there is\n";
    return wrong_usage;
  } catch (CLI::ParseError const& e) { return app.exit(e) == 0 ? done : wrong_usage; }

  a.words.changes = *return_ && !a.which.dry_run;
  auto const from = a.open();
  if (*show_) {
    a.how.only = a.which;
    return show(*from, a.how);
  }
  auto const every = duration(a.every, "--every");
  for (int const s : {SIGTERM, SIGINT}) std::signal(s, [](int) { asked_to_end = 1; });
  return give_back(*from, a.words, a.which, every, [] { return asked_to_end != 0; });
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (std::exception const& e) {
    std::cerr << "sluice-letters: " << said_by(e) << '\n';
    return failed;
  }
}
