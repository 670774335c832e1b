/// \file kafka.hpp  A real Apache Kafka (KRaft), of one node or several, for as long as the object lives.
#pragma once
#include <fcntl.h>

#include <filesystem>
#include <span>

#include "detail/temporary_folder.hpp"
#include "process.hpp"
#include "script.hpp"

namespace servers {

/// A way to a node besides the one in the clear: TLS, SASL.
struct kafka_listener {
  std::string name{};                   ///< small letters
  std::string protocol{};               ///< SSL, SASL_SSL, SASL_PLAINTEXT
  std::vector<std::string> settings{};  ///< broker properties of this listener, without `listener.name.NAME.`
  int port = 0;                         ///< 0: a free one
  int told = 0;                         ///< the port that clients are told, a proxy's; 0: its own
};

struct kafka_setup {
  int nodes = 1;
  std::vector<std::string> more{};          ///< lines of server.properties
  std::vector<kafka_listener> listeners{};  ///< at localhost; of the first node
  std::vector<std::string> format_with{};   ///< arguments for the storage tool
  std::string version = "kafka";            ///< the folder with the pom.xml
};

/// Sessions of a group may be as short as 1 s, nothing waits for more members, topics are made by hand, deleted records
/// are gone within a second. Topics of several nodes have three replicas, two of which must have a record.
class kafka {
  struct node {
    int port = 0;
    int controller_port = 0;
    std::string folder{};
    process running{};
    std::size_t said = 0;  // by earlier runs, in the log
  };

  temporary_folder folder_{};
  kafka_setup setup_;
  std::string jars_ = path_by("jars", setup_.version);
  std::vector<node> nodes_{static_cast<std::size_t>(setup_.nodes)};

 public:
  explicit kafka(int nodes = 1, std::vector<std::string> const& more = {}) : kafka(kafka_setup{nodes, more}) {}
  explicit kafka(kafka_setup setup) : setup_(std::move(setup)) {
    for (auto& l : setup_.listeners)
      if (l.port == 0) l.port = free_port();
    write_file(folder_.path / "log4j.properties",
               "log4j.rootLogger=INFO,F\nlog4j.appender.F=org.apache.log4j.ConsoleAppender\n"
               "log4j.appender.F.layout=org.apache.log4j.PatternLayout\n"
               "log4j.appender.F.layout.ConversionPattern=[%d] %p %m (%c)%n\n");
    write_file(folder_.path / "log4j2.properties",
               "status=error\nappender.f.type=Console\nappender.f.name=F\nappender.f.layout.type=PatternLayout\n"
               "appender.f.layout.pattern=[%d] %p %m (%c)%n\nrootLogger.level=info\nrootLogger.appenderRef.f.ref=F\n");
    std::string voters;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      auto& n = nodes_[i];
      n.port = free_port();
      n.controller_port = free_port();
      n.folder = (folder_.path / std::to_string(i)).string();
      std::filesystem::create_directory(n.folder);
      voters += (i ? "," : "") + std::to_string(i + 1) + "@127.0.0.1:" + std::to_string(n.controller_port);
    }
    for (std::size_t i = 0; i < nodes_.size(); ++i) configure(i, voters);
    for (std::size_t i = 0; i < nodes_.size(); ++i) launch(nodes_[i]);
    for (auto& n : nodes_) wait_for(n);
  }

  std::string bootstrap() const {
    std::string all;
    for (auto const& n : nodes_) all += (all.empty() ? "" : ",") + ("127.0.0.1:" + std::to_string(n.port));
    return all;
  }
  /// Where a listener is to be reached.
  std::string address(std::string const& listener) const {
    for (auto const& l : setup_.listeners)
      if (l.name == listener) return "localhost:" + std::to_string(l.told ? l.told : l.port);
    throw std::runtime_error("no listener " + listener);
  }
  std::size_t size() const { return nodes_.size(); }
  std::string log(std::size_t i) const { return nodes_.at(i).running.log(); }

  /// Without a chance to say good-bye.
  void kill(std::size_t i) { nodes_.at(i).running.end(SIGKILL); }
  /// The same node on what it had.
  void start(std::size_t i) {
    launch(nodes_.at(i));
    wait_for(nodes_[i]);
  }
  void freeze(std::size_t i, bool on) const { nodes_.at(i).running.freeze(on); }

 private:
  std::vector<std::string> java(std::vector<std::string> const& arguments) const {
    std::vector<std::string> all{"java",
                                 "-Xmx400m",
                                 "-XX:+UseSerialGC",
                                 "-XX:TieredStopAtLevel=1",
                                 "-Dlog4j2.configurationFile=" + folder_.name() + "/log4j2.properties",
                                 "-Dlog4j.configuration=file:" + folder_.name() + "/log4j.properties",
                                 "-cp",
                                 jars_ + "/*"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return all;
  }
  void configure(std::size_t i, std::string const& voters) {
    auto const& n = nodes_[i];
    auto const plain = "PLAINTEXT://127.0.0.1:" + std::to_string(n.port);
    auto listening = plain + ",CONTROLLER://127.0.0.1:" + std::to_string(n.controller_port), told = plain;
    std::string protocols = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT";
    std::vector<std::string> more = setup_.more;
    if (i == 0) {
      for (auto const& l : setup_.listeners) {
        std::string name = l.name;
        for (auto& c : name) c = static_cast<char>(c - 'a' + 'A');
        listening += "," + name + "://localhost:" + std::to_string(l.port);
        told += "," + name + "://" + address(l.name);
        protocols += "," + name + ":" + l.protocol;
        for (auto const& s : l.settings) more.push_back("listener.name." + l.name + "." + s);
      }
    }
    std::string const replicas = nodes_.size() >= 3 ? "3" : "1", in_sync = nodes_.size() >= 3 ? "2" : "1";
    std::vector<std::string> lines{"process.roles=broker,controller",
                                   "node.id=" + std::to_string(i + 1),
                                   "controller.quorum.voters=" + voters,
                                   "listeners=" + listening,
                                   "advertised.listeners=" + told,
                                   "controller.listener.names=CONTROLLER",
                                   "inter.broker.listener.name=PLAINTEXT",
                                   "listener.security.protocol.map=" + protocols,
                                   "log.dirs=" + n.folder + "/data",
                                   "default.replication.factor=" + replicas,
                                   "min.insync.replicas=" + in_sync,
                                   "offsets.topic.replication.factor=" + replicas,
                                   "offsets.topic.num.partitions=4",
                                   "transaction.state.log.replication.factor=" + replicas,
                                   "transaction.state.log.min.isr=" + in_sync,
                                   "transaction.state.log.num.partitions=4",
                                   "group.min.session.timeout.ms=1000",
                                   "group.initial.rebalance.delay.ms=0",
                                   "auto.create.topics.enable=false",
                                   "broker.session.timeout.ms=2000",
                                   "broker.heartbeat.interval.ms=300",
                                   "controller.quorum.fetch.timeout.ms=1000",
                                   "controller.quorum.election.timeout.ms=500",
                                   "controller.quorum.election.backoff.max.ms=300",
                                   "log.retention.check.interval.ms=1000",
                                   "log.initial.task.delay.ms=500",
                                   "num.io.threads=4"};
    lines.insert(lines.end(), more.begin(), more.end());
    std::string text;
    for (auto const& l : lines) text += l + "\n";
    write_file(n.folder + "/server.properties", text);
    std::vector<std::string> format{"kafka.tools.StorageTool", "format", "-t",
                                    "MkU3OEVBNTcwNTJENDM2Qg",  "-c",     n.folder + "/server.properties"};
    format.insert(format.end(), setup_.format_with.begin(), setup_.format_with.end());
    run(java(format), n.folder + "/format.log");
  }
  void launch(node& n) {
    n.said = n.running.log().size();
    n.running = process{java({"kafka.Kafka", n.folder + "/server.properties"}), n.folder + "/log"};
  }
  static void wait_for(node& n) {
    n.running.wait_until([&] { return n.running.log().find("Kafka Server started", n.said) != std::string::npos; });
  }
};

}  // namespace servers
