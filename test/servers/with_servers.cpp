/// with_servers COMMAND...: runs a command while the servers are there that its arguments name, each with its address in
/// the name's place: {hbase}, {kafka}, {kafka3} (of three nodes), {mysql}, {postgres}, {redis}, {s3}, {webhdfs}, {zookeeper}. Passwords are in
/// the command's environment, under the names that the servers' own clients look for. Its status is the command's.
#include "servers/hbase.hpp"
#include "servers/hdfs.hpp"
#include "servers/kafka.hpp"
#include "servers/mariadb.hpp"
#include "servers/postgres.hpp"
#include "servers/redis.hpp"
#include "servers/s3.hpp"
#include "servers/zookeeper.hpp"

#if __has_include(<mysql.h>)
#include <mysql.h>
#else
#include <mariadb/mysql.h>
#endif

#include <any>
#include <functional>
#include <iostream>
#include <map>
#include <memory>

using namespace servers;

namespace {

template <class Server, class... Args>
std::shared_ptr<Server> keep(std::vector<std::any>& running, Args&&... args) {
  auto server = std::make_shared<Server>(std::forward<Args>(args)...);
  running.emplace_back(server);
  return server;
}

using starter = std::function<std::string(std::vector<std::any>&)>;
std::map<std::string, starter> const starters{
    {"{hbase}", [](auto& running) { return keep<hbase>(running)->address() + "/stream_kafka_offsets"; }},
    {"{kafka}", [](auto& running) { return keep<kafka>(running)->bootstrap(); }},
    {"{kafka3}", [](auto& running) { return keep<kafka>(running, 3)->bootstrap(); }},
    {"{mysql}",
     [](auto& running) {
       auto const server = keep<mariadb>(running);
       ::setenv("MYSQL_PWD", server->password().c_str(), 1);
       std::unique_ptr<MYSQL, void (*)(MYSQL*)> const db{mysql_init(nullptr), mysql_close};
       auto const port = static_cast<unsigned>(server->port());
       if (!mysql_real_connect(db.get(), "127.0.0.1", "owner", server->password().c_str(), nullptr, port, nullptr, 0) ||
           mysql_query(db.get(), "create database course"))
         throw std::runtime_error(mysql_error(db.get()));
       return "owner@127.0.0.1:" + std::to_string(server->port()) + "/course";
     }},
    {"{postgres}",
     [](auto& running) {
       auto const server = keep<postgres>(running);
       ::setenv("PGPASSWORD", server->password().c_str(), 1);
       return "host=127.0.0.1 user=owner dbname=postgres port=" + std::to_string(server->port());
     }},
    {"{redis}",
     [](auto& running) {
       auto const server = keep<redis>(running);
       ::setenv("REDIS_PASSWORD", server->password().c_str(), 1);
       return "127.0.0.1:" + std::to_string(server->port());
     }},
    {"{s3}",
     [](auto& running) {
       auto const server = keep<s3>(running);
       ::setenv("AWS_ACCESS_KEY_ID", server->key().c_str(), 1);
       ::setenv("AWS_SECRET_ACCESS_KEY", server->secret().c_str(), 1);
       return server->endpoint() + "/offsets";
     }},
    {"{webhdfs}",
     [](auto& running) {
       auto const server = keep<hdfs>(running);
       server->ask("PUT", "/course?op=MKDIRS");
       server->ask("PUT", "/course?op=SETOWNER&owner=course");
       ::setenv("HADOOP_USER_NAME", "course", 1);
       return server->address() + "/course";
     }},
    {"{zookeeper}", [](auto& running) { return keep<zookeeper>(running)->address(); }},
};

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> command(argv + 1, argv + argc);
  if (command.empty()) {
    std::cerr << "with_servers COMMAND...\n";
    return 2;
  }
  try {
    std::vector<std::any> running;
    for (auto& c : command)
      if (auto const at = starters.find(c); at != starters.end()) c = at->second(running);
    auto const pid = ::fork();
    if (pid == 0) {
      std::vector<char*> arguments;
      for (auto& c : command) arguments.push_back(c.data());
      arguments.push_back(nullptr);
      ::execvp(arguments[0], arguments.data());
      std::cerr << "can't run " << command[0] << '\n';
      ::_exit(127);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  } catch (std::exception const& e) {
    std::cerr << "with_servers: " << e.what() << '\n';
    return 125;
  }
}
