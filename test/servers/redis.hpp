/// \file redis.hpp  A Redis of a test's own: in a folder of its own, on a free port, with a random password; durable unless told otherwise.
#pragma once
#include <hiredis/hiredis.h>

#include <memory>
#include <random>

#include "detail/temporary_folder.hpp"
#include "process.hpp"

namespace servers {

class redis {
  temporary_folder folder_{};
  int port_ = free_port();
  std::string password_ = "canary" + std::to_string(std::random_device{}()) + std::to_string(std::random_device{}());
  std::vector<std::string> more_;
  process process_{};

  struct free_context {
    void operator()(redisContext* c) const { redisFree(c); }
  };
  std::unique_ptr<redisContext, free_context> admin_{};

 public:
  /// `more`: arguments behind ours, such as {"--appendfsync", "everysec"}.
  explicit redis(std::vector<std::string> more = {}) : more_(std::move(more)) { start(); }

  int port() const { return port_; }
  std::string const& password() const { return password_; }
  std::string log() const { return process_.log(); }
  std::string socket() const { return folder_.name() + "/socket"; }

  void start() {
    write_file(folder_.path / "redis.conf", "requirepass " + password_ + "\n");
    std::vector<std::string> command{"redis-server",  folder_.name() + "/redis.conf",
                                     "--port",        std::to_string(port_),
                                     "--bind",        "127.0.0.1",
                                     "--unixsocket",  socket(),
                                     "--dir",         folder_.name(),
                                     "--appendonly",  "yes",
                                     "--appendfsync", "always",
                                     "--save",        ""};
    command.insert(command.end(), more_.begin(), more_.end());
    process_ = process{command, folder_.name() + "/log"};
    process_.wait_until([&] { return answers(); });
  }
  void kill() {
    process_.end(SIGKILL);
    admin_.reset();
  }
  void restart() {
    kill();
    start();
  }
  void freeze(bool on) const { process_.freeze(on); }

  /// What a command answers: text, numbers as text, the elements of an array; an error as it is.
  std::vector<std::string> ask(std::vector<std::string> const& words) {
    if (!admin_ || admin_->err) admin_ = connect();
    if (!admin_) throw std::runtime_error("no Redis");
    return ask(*admin_, words);
  }
  /// The first word of the answer.
  std::string tell(std::vector<std::string> const& words) {
    auto const all = ask(words);
    return all.empty() ? "" : all.front();
  }

  using connection = std::unique_ptr<redisContext, free_context>;
  connection connect() const {
    connection c{redisConnect("127.0.0.1", port_)};
    if (!c || c->err || ask(*c, {"AUTH", password_}) != std::vector<std::string>{"OK"}) return {};
    return c;
  }
  static std::vector<std::string> ask(redisContext& c, std::vector<std::string> const& words) {
    std::vector<char const*> at;
    std::vector<std::size_t> sizes;
    for (auto const& w : words) {
      at.push_back(w.data());
      sizes.push_back(w.size());
    }
    std::unique_ptr<redisReply, decltype(&freeReplyObject)> const r{
        static_cast<redisReply*>(redisCommandArgv(&c, static_cast<int>(at.size()), at.data(), sizes.data())),
        &freeReplyObject};
    std::vector<std::string> all;
    if (r) gather(*r, all);
    return all;
  }

 private:
  static void gather(redisReply const& r, std::vector<std::string>& into) {
    if (r.type == REDIS_REPLY_ARRAY)
      for (std::size_t i = 0; i < r.elements; ++i) gather(*r.element[i], into);
    else if (r.type == REDIS_REPLY_INTEGER)
      into.push_back(std::to_string(r.integer));
    else if (r.type != REDIS_REPLY_NIL)
      into.emplace_back(r.str, r.len);
  }
  bool answers() const {
    auto const c = connect();
    return c && ask(*c, {"PING"}) == std::vector<std::string>{"PONG"};
  }
};

}  // namespace servers
