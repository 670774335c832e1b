/// \file hdfs.hpp  An HDFS of a test's own, one NameNode and one DataNode with WebHDFS, on free ports.
#pragma once
#include <sluice/offset_store/http_connection.hpp>

#include "detail/temporary_folder.hpp"
#include "process.hpp"
#include "script.hpp"

namespace servers {

namespace hadoop {

using pairs = std::vector<std::pair<std::string, std::string>>;
inline std::string properties(pairs const& all) {
  std::string text = "<configuration>\n";
  for (auto const& [name, value] : all)
    text += "<property><name>" + name + "</name><value>" + value + "</value></property>\n";
  return text + "</configuration>\n";
}

inline std::string at(int port) { return "127.0.0.1:" + std::to_string(port); }

/// A command with what is in `folder`/conf and the jars.
inline std::vector<std::string> java(std::string const& folder, std::vector<std::string> const& arguments) {
  static auto const jars = path_by("jars", "hdfs");
  std::vector<std::string> all{"java",
                               "-Xmx256m",
                               "-XX:+UseSerialGC",
                               "-XX:TieredStopAtLevel=1",
                               "-Djava.net.preferIPv4Stack=true",
                               "--add-opens",
                               "java.base/java.lang=ALL-UNNAMED",
                               "-cp",
                               folder + "/conf:" + jars + "/*"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return all;
}

}  // namespace hadoop

/// Whoever says that they are `root` may do everything, others only what permissions let them.
class hdfs {
  temporary_folder folder_{};
  int port_ = free_port(), name_rpc_ = free_port(), data_ = free_port(), data_http_ = free_port(),
      data_rpc_ = free_port();
  process name_{}, data_node_{};

 public:
  hdfs() {
    auto const conf = folder_.path / "conf";
    std::filesystem::create_directories(conf / "webapps/hdfs");
    std::filesystem::create_directories(conf / "webapps/datanode");
    using hadoop::at, hadoop::properties;
    write_file(conf / "core-site.xml", properties({{"fs.defaultFS", file_system()},
                                                   {"hadoop.tmp.dir", folder_.name() + "/tmp"},
                                                   {"hadoop.proxyuser.root.hosts", "*"},
                                                   {"hadoop.proxyuser.root.groups", "*"}}));
    write_file(conf / "hdfs-site.xml",
               properties({{"dfs.replication", "1"},
                           {"dfs.namenode.name.dir", "file://" + folder_.name() + "/name"},
                           {"dfs.datanode.data.dir", "file://" + folder_.name() + "/data"},
                           {"dfs.namenode.rpc-address", at(name_rpc_)},
                           {"dfs.namenode.http-address", at(port_)},
                           {"dfs.datanode.address", at(data_)},
                           {"dfs.datanode.http.address", at(data_http_)},
                           {"dfs.datanode.ipc.address", at(data_rpc_)},
                           {"dfs.datanode.hostname", "127.0.0.1"},
                           {"dfs.client.use.datanode.hostname", "true"},
                           {"dfs.namenode.datanode.registration.ip-hostname-check", "false"},
                           {"dfs.namenode.safemode.extension", "0"},
                           {"dfs.heartbeat.interval", "1"},
                           {"dfs.client.block.write.replace-datanode-on-failure.policy", "NEVER"},
                           {"dfs.client.block.write.locateFollowingBlock.initial.delay.ms", "10"},
                           {"dfs.namenode.file.close.num-committed-allowed", "1"}}));
    run(hadoop::java(folder_.name(), {"org.apache.hadoop.hdfs.server.namenode.NameNode", "-format", "-nonInteractive"}),
        folder_.name() + "/format.log");
    start();
  }

  int port() const { return port_; }
  std::string address(int port = 0) const { return "http://" + hadoop::at(port ? port : port_); }
  std::string file_system() const { return "hdfs://" + hadoop::at(name_rpc_); }

  void start() {
    auto const node = [&](std::string const& kind, std::string const& name) {
      return process{hadoop::java(folder_.name(), {"org.apache.hadoop.hdfs.server." + kind}),
                     folder_.name() + "/" + name};
    };
    name_ = node("namenode.NameNode", "name.log");
    data_node_ = node("datanode.DataNode", "data.log");
    name_.wait_until([&] { return !data_node_.ended() && takes_files(); }, 90s);
  }
  void restart() {
    kill_data_node();
    name_.end(SIGKILL);
    start();
  }
  void kill_data_node() { data_node_.end(SIGKILL); }
  void freeze(bool on) const {
    name_.freeze(on);
    data_node_.freeze(on);
  }

  /// As `root`; answers the status and the content.
  sluice::detail::http::answer ask(std::string const& method, std::string const& path_and_operation) const {
    sluice::detail::http::connection c{{.who = "test", .where = "HDFS"}};
    return c.ask({.method = method.c_str(), .url = address() + "/webhdfs/v1" + path_and_operation + "&user.name=root"},
                 std::chrono::steady_clock::now() + 10s);
  }
  /// Makes or replaces a file.
  void put(std::string const& path, std::string const& content) const {
    sluice::detail::http::connection c{{.who = "test", .where = "HDFS"}};
    auto const to = ask("PUT", path + "?op=CREATE&overwrite=true").location;
    auto const a =
        c.ask({.method = "PUT", .url = to, .headers = {"Content-Type: application/octet-stream"}, .content = content},
              std::chrono::steady_clock::now() + 10s);
    if (a.status != 201) throw std::runtime_error("HDFS takes no file: " + std::to_string(a.status) + "\n" + a.content);
  }

 private:
  bool takes_files() const {
    try {
      put("/ready", "x");
      return true;
    } catch (std::exception const&) { return false; }
  }
};

/// An HttpFS that passes on to an HDFS what it is asked, as the user who asks.
class http_fs {
  temporary_folder folder_{};
  int port_ = free_port();
  process process_{};

 public:
  explicit http_fs(hdfs const& behind) {
    auto const conf = folder_.path / "conf";
    std::filesystem::create_directories(conf);
    write_file(conf / "core-site.xml", hadoop::properties({{"fs.defaultFS", behind.file_system()}}));
    write_file(conf / "secret", "canary\n");
    write_file(conf / "httpfs-site.xml",
               hadoop::properties({{"httpfs.http.hostname", "127.0.0.1"},
                                   {"httpfs.http.port", std::to_string(port_)},
                                   {"hadoop.tmp.dir", folder_.name() + "/tmp"},
                                   {"hadoop.http.authentication.signature.secret.file", (conf / "secret").string()}}));
    process_ = process{
        hadoop::java(folder_.name(), {"-Dhttpfs.home.dir=" + folder_.name(), "-Dhttpfs.config.dir=" + conf.string(),
                                      "-Dhttpfs.log.dir=" + folder_.name(), "-Dhttpfs.temp.dir=" + folder_.name(),
                                      "org.apache.hadoop.fs.http.server.HttpFSServerWebServer"}),
        folder_.name() + "/log",
        {"HADOOP_USER_NAME=root"}};
    process_.wait_until([&] { return listens(port_); }, 90s);
  }
  int port() const { return port_; }
  std::string address() const { return "http://" + hadoop::at(port_); }
};

}  // namespace servers
