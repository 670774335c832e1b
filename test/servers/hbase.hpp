/// \file hbase.hpp  An HBase of a test's own, standalone and with its REST server, on free ports.
#pragma once
#include <sluice/offset_store/http_connection.hpp>

#include "detail/temporary_folder.hpp"
#include "process.hpp"
#include "script.hpp"

namespace servers {

class hbase {
  temporary_folder folder_{};
  std::string jars_ = path_by("jars", "hbase");
  int port_ = free_port(), master_port_ = free_port(), region_ = free_port(), zookeeper_ = free_port();
  process master_{}, rest_{};

 public:
  hbase() {
    auto const conf = folder_.path / "conf";
    std::filesystem::create_directories(conf);
    write_file(conf / "hbase-site.xml", properties({{"hbase.rootdir", "file://" + folder_.name() + "/data"},
                                                    {"hbase.tmp.dir", folder_.name() + "/tmp"},
                                                    {"hbase.cluster.distributed", "false"},
                                                    {"hbase.unsafe.stream.capability.enforce", "false"},
                                                    {"hbase.wal.provider", "filesystem"},
                                                    {"hbase.zookeeper.quorum", "127.0.0.1"},
                                                    {"hbase.zookeeper.property.dataDir", folder_.name() + "/zookeeper"},
                                                    {"hbase.zookeeper.property.clientPort", std::to_string(zookeeper_)},
                                                    {"hbase.zookeeper.property.admin.enableServer", "false"},
                                                    {"hbase.master.hostname", "localhost"},
                                                    {"hbase.regionserver.hostname", "localhost"},
                                                    {"hbase.master.ipc.address", "127.0.0.1"},
                                                    {"hbase.regionserver.ipc.address", "127.0.0.1"},
                                                    {"hbase.master.port", std::to_string(master_port_)},
                                                    {"hbase.master.info.port", "-1"},
                                                    {"hbase.regionserver.port", std::to_string(region_)},
                                                    {"hbase.regionserver.info.port", "-1"},
                                                    {"hbase.localcluster.assign.random.ports", "false"},
                                                    {"hbase.rest.port", std::to_string(port_)},
                                                    {"hbase.rest.host", "127.0.0.1"},
                                                    {"hbase.rest.info.port", "-1"},
                                                    // Whoever asks for a region that is not there is told so soon.
                                                    {"hbase.client.pause", "50"},
                                                    {"hbase.client.retries.number", "3"},
                                                    {"hbase.rpc.timeout", "2000"},
                                                    {"hbase.client.operation.timeout", "4000"},
                                                    {"hbase.client.meta.operation.timeout", "4000"}}));
    write_file(conf / "log4j.properties",
               "log4j.rootLogger=WARN,console\n"
               "log4j.appender.console=org.apache.log4j.ConsoleAppender\n"
               "log4j.appender.console.target=System.err\n"
               "log4j.appender.console.layout=org.apache.log4j.PatternLayout\n"
               "log4j.appender.console.layout.ConversionPattern=%d{ISO8601} %-5p [%t] %c{2}: %.1000m%n\n");
    rest_ = java("rest.RESTServer", "-Xmx256m");
    start();
  }

  int port() const { return port_; }
  std::string address(int port = 0) const { return "http://127.0.0.1:" + std::to_string(port ? port : port_); }

  void start() {
    master_ = java("master.HMaster", "-Xmx512m");
    master_.wait_until([&] { return !rest_.ended() && keeps_tables(); }, 120s);
  }
  /// The master, which is the region server and ZooKeeper too; who answers HTTP stays.
  void restart() {
    master_.end(SIGKILL);
    start();
  }
  void freeze(bool on) const {
    master_.freeze(on);
    rest_.freeze(on);
  }
  void freeze_master(bool on) const { master_.freeze(on); }

  /// JSON, where `type` says nothing else; answers the status and the content.
  sluice::detail::http::answer ask(char const* method, std::string const& path,
                                   std::optional<std::string_view> content = {},
                                   std::string const& type = "application/json") const {
    sluice::detail::http::connection c{{.who = "test", .where = "HBase"}};
    return c.ask({.method = method,
                  .url = address() + path,
                  .headers = {"Accept: " + type, "Content-Type: " + type},
                  .content = content},
                 std::chrono::steady_clock::now() + 20s);
  }
  void must(char const* method, std::string const& path, std::optional<std::string_view> content = {}) const {
    auto const a = ask(method, path, content);
    if (a.status != 200 && a.status != 201)
      throw std::runtime_error(std::string{method} + " " + path + ": " + std::to_string(a.status) + "\n" + a.content);
  }

 private:
  using pairs = std::vector<std::pair<std::string, std::string>>;
  static std::string properties(pairs const& all) {
    std::string text = "<configuration>\n";
    for (auto const& [name, value] : all)
      text += "<property><name>" + name + "</name><value>" + value + "</value></property>\n";
    return text + "</configuration>\n";
  }
  process java(std::string const& name, std::string const& memory) const {
    return process{{"java", memory, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.net.preferIPv4Stack=true",
                    "-cp", folder_.name() + "/conf:" + jars_ + "/*", "org.apache.hadoop.hbase." + name, "start"},
                   folder_.name() + "/" + name + ".log"};
  }
  bool keeps_tables() const {
    try {
      auto const a = ask("POST", "/ready/schema", R"({"name":"ready","ColumnSchema":[{"name":"f"}]})");
      return (a.status == 200 || a.status == 201) && ask("GET", "/ready/x").status == 404;
    } catch (std::exception const&) { return false; }
  }
};

}  // namespace servers
