/// \file offset_store/redis_connection.hpp  A connection to a Redis server that was checked, with deadlines and errors by what they mean.
#pragma once
#include <sluice/detail/nonce.hpp>
#include <sluice/offset_store/redis_errors.hpp>
#include <sluice/offset_store/redis_scripts.hpp>
#include <sluice/offset_store/redis_settings.hpp>

#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail::redis {

struct free_reply {
  void operator()(redisReply* r) const { freeReplyObject(r); }
};
using reply = std::unique_ptr<redisReply, free_reply>;

inline std::string_view text_of(redisReply const& r) { return r.str ? std::string_view{r.str, r.len} : ""; }

/// Commands as they are sent: any bytes, with their lengths.
class request {
  std::string bytes_{};

  void line(char kind, std::size_t n) {
    bytes_ += kind;
    bytes_ += std::to_string(n);
    bytes_ += "\r\n";
  }

 public:
  request& command(std::size_t words) {
    line('*', words);
    return *this;
  }
  request& word(std::string_view text) {
    line('$', text.size());
    bytes_ += text;
    bytes_ += "\r\n";
    return *this;
  }
  request& append(request const& other) {
    bytes_ += other.bytes_;
    return *this;
  }
  std::string_view bytes() const { return bytes_; }
};

/// The keys and arguments of one script.
class script_call {
  std::vector<std::string> keys_{};
  request arguments_{};
  std::size_t count_ = 0;

 public:
  script const* what;

  explicit script_call(script const& s) : what(&s) {}

  /// Its number for the script, from 1. The caller gives each key once.
  std::size_t key(std::string name) {
    keys_.push_back(std::move(name));
    return keys_.size();
  }
  script_call& text(std::string_view argument) {
    arguments_.word(argument);
    ++count_;
    return *this;
  }
  template <std::integral N>
  script_call& number(N n) {
    return text(std::to_string(n));
  }
  std::vector<std::string> const& keys() const { return keys_; }

  /// `by_hash`: its hash; else the text itself. `tag` comes back as the answer's first word.
  request as_request(std::optional<std::string> const& by_hash, std::string_view tag) const {
    request r;
    r.command(4 + keys_.size() + count_);
    r.word(by_hash ? "EVALSHA" : "EVAL").word(by_hash ? *by_hash : redis::text_of(*what));
    r.word(std::to_string(keys_.size()));
    for (auto const& k : keys_) r.word(k);
    r.word(tag).append(arguments_);
    return r;
  }
};

/// One connection, made when it is needed, for one thread at a time.
class connection {
  struct free_context {
    void operator()(redisContext* c) const { redisFree(c); }
  };

  settings config_;
  std::unique_ptr<redisContext, free_context> c_{};
  std::array<std::optional<std::string>, number_of_scripts> hashes_{};
  std::optional<std::pair<std::string, int>> moved_{};  // the node of a cluster that has our slot

 public:
  explicit connection(settings config) : config_(std::move(config)) {}

  settings const& config() const { return config_; }
  /// Of a connection that ready() has made.
  redisContext* get() const { return c_.get(); }
  void drop() { c_.reset(); }

  /// Connects and checks the server, unless that is done. Throws store_error.
  void ready(time_point by) {
    if (c_ && c_->err != 0) drop();
    if (c_) return;
    by = std::min(by, std::chrono::steady_clock::now() + config_.timeout);
    try {
      introduction const i{config_, where()};
      connect(by);
      introduce(i, by);
    } catch (lost const& e) {
      leave();
      throw store_error(errc::store_unavailable, e.bare());
    } catch (...) {
      leave();
      throw;
    }
  }

  /// Runs a script and answers what it said, without the tag. Throws `lost` where the request may have been carried out and
  /// the answer is not there, `refused` where the server answered with an error: then nothing was carried out. A server
  /// that has no say over the keys any more is left: the next call asks the configured one.
  reply run(script_call const& call, time_point by) {
    return followed(by, [&] { return run_here(call, by); });
  }

  /// A plain command; throws as run() does. A transaction's commands (WATCH, MULTI, EXEC) are lost with the connection: what
  /// comes behind a failure answers with an error.
  reply ask(std::vector<std::string> const& words, time_point by) {
    return followed(by, [&] {
      request r;
      r.command(words.size());
      for (auto const& w : words) r.word(w);
      send(r.bytes(), by);
      auto answer = receive(by);
      if (answer->type == REDIS_REPLY_ERROR) throw refused(where(), text_of(*answer));
      return answer;
    });
  }

 private:
  template <class Ask>
  reply followed(time_point by, Ask const& ask) {
    for (int moves = 0;; ++moves) {
      ready(by);
      try {
        return ask();
      } catch (lost const&) {
        drop();
        throw;
      } catch (refused const& e) {
        if (leaves(e.word())) leave();
        if (e.word() != "MOVED" || moves == 3 || !follow(e.text())) throw;
      }
    }
  }

  static bool leaves(std::string_view word) {
    return word == "READONLY" || word == "MASTERDOWN" || word == "CLUSTERDOWN";
  }
  void leave() {
    drop();
    moved_.reset();
  }
  std::string where() const {
    auto const& host = moved_ ? moved_->first : config_.host;
    if (host.starts_with('/')) return config_.who + ": Redis at " + host;
    return config_.who + ": Redis at " + host + ":" + std::to_string(moved_ ? moved_->second : config_.port);
  }
  /// "MOVED 3999 127.0.0.1:6381"; ":6381" and "?:6381" (cluster-preferred-endpoint-type) mean the host that was asked.
  bool follow(std::string_view text) {
    auto const space = text.rfind(' ');
    auto const colon = text.rfind(':');
    if (space == text.npos || colon == text.npos || colon <= space) return false;
    std::string host{text.substr(space + 1, colon - space - 1)};
    if (host.empty() || host == "?") host = moved_ ? moved_->first : config_.host;
    int port = 0;
    for (char const digit : text.substr(colon + 1)) {
      if (digit < '0' || digit > '9' || port > 65535) return false;
      port = port * 10 + (digit - '0');
    }
    drop();
    moved_.emplace(std::move(host), port);
    return true;
  }

  void connect(time_point by) {
    auto const& host = moved_ ? moved_->first : config_.host;
    auto const limit = as_timeval(by);
    c_.reset(host.starts_with('/')
                 ? redisConnectUnixWithTimeout(host.c_str(), limit)
                 : redisConnectWithTimeout(host.c_str(), moved_ ? moved_->second : config_.port, limit));
    if (!c_ || c_->err != 0)
      throw store_error(errc::store_unavailable, where() + " can't be reached" +
                                                     (c_ ? " (" + std::string{c_->errstr} + ")" : "") +
                                                     ": is it running, and is the address right?");
    ::fcntl(c_->fd, F_SETFD, FD_CLOEXEC);
    redisSetTimeout(c_.get(), as_timeval(std::chrono::steady_clock::now() + config_.timeout));  // for native_handle
  }

  void introduce(introduction const& i, time_point by) {
    request r;
    if (i.has_password()) {
      auto const& password = i.password();
      r.command(config_.user.empty() ? 2 : 3).word("AUTH");
      if (!config_.user.empty()) r.word(config_.user);
      r.word(password);
    }
    if (config_.database != 0) r.command(2).word("SELECT").word(std::to_string(config_.database));
    if (config_.durable) {
      r.command(2 + durable_settings.size()).word("CONFIG").word("GET");
      for (auto const& [name, value] : durable_settings) r.word(name);
    }
    r.command(1).word("INFO");
    r.command(3).word("EVAL").word("return redis.acl_check_cmd and 1 or 0").word("0");
    for (auto const& s : all_scripts) r.command(3).word("SCRIPT").word("LOAD").word(redis::text_of(*s));

    send(r.bytes(), by);
    auto const next = [&] {
      auto one = receive(by);
      i.check_room(*one);
      return one;
    };
    if (i.has_password()) i.check_password(*next());
    if (config_.database != 0) i.check_database(*next());
    reply settings_there;
    if (config_.durable) settings_there = next();
    auto const info = next(), eval = next();
    i.check_scripts(*eval);
    i.check_role(*info);
    if (settings_there) i.check_durable(*settings_there, *info);
    for (std::size_t n = 0; n < number_of_scripts; ++n) {
      auto const hash = receive(by);
      hashes_[n].reset();  // where the user has no right to load, the text is sent each time
      if (hash->type == REDIS_REPLY_STRING) hashes_[n] = std::string{text_of(*hash)};
    }
  }

  reply run_here(script_call const& call, time_point by) {
    auto const tag = hex(random_64());
    auto const& hash = hashes_[call.what->number];
    send(call.as_request(hash, tag).bytes(), by);
    auto answer = receive(by);
    if (hash && answer->type == REDIS_REPLY_ERROR && text_of(*answer).starts_with("NOSCRIPT")) {
      send(call.as_request({}, tag).bytes(), by);
      answer = receive(by);
    }
    if (answer->type == REDIS_REPLY_ERROR) throw refused(where(), text_of(*answer));
    if (answer->type != REDIS_REPLY_ARRAY || answer->elements < 2 || text_of(*answer->element[0]) != tag)
      throw lost(where() +
                 " answered something else than it was asked: a handler has left its connection in the middle of "
                 "something (native_handle)");
    return answer;
  }

  // hiredis would block for longer than `by`, and let a broken pipe end the program: so bytes are moved here.

  void send(std::string_view bytes, time_point by) {
    while (!bytes.empty()) {
      auto const n = ::send(c_->fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n > 0)
        bytes.remove_prefix(static_cast<std::size_t>(n));
      else if (errno == EAGAIN || errno == EINTR)
        wait(POLLOUT, by);
      else
        throw lost(where() + ": the connection has ended");
    }
  }
  reply receive(time_point by) {
    std::array<char, 16384> buffer;
    for (void* r = nullptr;;) {
      if (redisReaderGetReply(c_->reader, &r) != REDIS_OK)
        throw lost(where() + ": what answers there does not speak Redis's protocol: is the port right?");
      if (r) return reply{static_cast<redisReply*>(r)};
      auto const n = ::recv(c_->fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (n > 0)
        redisReaderFeed(c_->reader, buffer.data(), static_cast<std::size_t>(n));
      else if (n < 0 && (errno == EAGAIN || errno == EINTR))
        wait(POLLIN, by);
      else
        throw lost(where() +
                   ": the connection was closed before an answer came: was the server stopped, or is it "
                   "another kind of server?");
    }
  }
  void wait(short what, time_point by) {
    auto const left = std::chrono::ceil<std::chrono::milliseconds>(by - std::chrono::steady_clock::now()).count();
    if (left <= 0) throw lost(where() + ": no answer in time");
    pollfd p{c_->fd, what, 0};
    ::poll(&p, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
  }
  static timeval as_timeval(time_point by) {
    auto const left = std::clamp<std::chrono::milliseconds>(
        std::chrono::ceil<std::chrono::milliseconds>(by - std::chrono::steady_clock::now()),
        std::chrono::milliseconds{1}, std::chrono::hours{1});
    return {.tv_sec = static_cast<time_t>(left.count() / 1000),
            .tv_usec = static_cast<suseconds_t>(left.count() % 1000 * 1000)};
  }
};

}}}  // namespace sluice::v0::detail::redis
