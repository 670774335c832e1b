/// \file offset_store/zookeeper_session.hpp  A session with ZooKeeper that is made anew when it ends, with deadlines and errors by what they mean.
#pragma once
#include <sluice/detail/secret.hpp>
#include <sluice/offset.hpp>
#include <sluice/offset_store/zookeeper_operations.hpp>

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

namespace sluice { inline namespace v0 { namespace detail::zookeeper {

struct settings {
  std::string who{};      ///< the policy, for errors
  std::string servers{};  ///< host:port,host:port
  std::string user{};
  std::string password{};
  std::string password_file{};
  std::string password_variable{};
  bool creator_all = false;  ///< what is made belongs to the user, else to everybody
  std::chrono::milliseconds connect_timeout{};
  std::chrono::milliseconds session_timeout{};
};

/// "a:2181,[::1],b/chroot" as the C client wants it: a port for each, and the chroot apart.
inline std::pair<std::string, std::string> split_servers(std::string_view text) {
  auto const end = std::min(text.find('/'), text.size());
  std::string servers, chroot{text.substr(end)};
  if (chroot == "/") chroot.clear();
  for (std::size_t at = 0; at < end;) {
    auto const until = std::min(text.substr(0, end).find(',', at), end);
    auto one = std::string{text.substr(at, until - at)};
    bool const bracketed = one.starts_with('[');
    if (auto const close = one.find(']'); bracketed && close != one.npos) {
      one.erase(close, 1);
      one.erase(0, 1);
      if (close - 1 == one.size()) one += ":2181";
    } else if (one.find(':') == one.npos) {
      one += ":2181";
    }
    servers += (servers.empty() ? "" : ",") + one;
    at = until + 1;
  }
  return {servers, chroot};
}

/// The request may have been carried out; the answer is not there.
class lost : public store_error {
 public:
  explicit lost(std::string const& what) : store_error(errc::store_unavailable, what) {}
};

/// What was asked for, and what came back.
struct question {
  std::string path{};
  bool names = false;  ///< of the children, else the node's data
};
struct found {
  int code = ZCONNECTIONLOSS;
  std::string data{};
  std::vector<std::string> names{};
  Stat stat{};
  bool there() const { return code == ZOK; }
};

/// What the C client's threads and the waiting one share.
struct line {
  std::mutex mutex{};
  std::condition_variable news{};
};

/// Requests under way. It outlives a call that has stopped waiting.
template <class Answers>
struct flight {
  std::shared_ptr<line> on;
  Answers answers;
  std::size_t open;

  /// One of the requests.
  struct seat {
    std::shared_ptr<flight> in;
    std::size_t at;
  };
  /// Called by the C client, once for each request.
  template <class Fill>
  static void land(void const* data, Fill fill) {
    std::unique_ptr<seat const> const self{static_cast<seat const*>(data)};
    std::lock_guard const lock{self->in->on->mutex};
    fill(self->in->answers, self->at);
    if (--self->in->open == 0) self->in->on->news.notify_all();
  }
};

struct change {
  operations_in_c in_c;
  int code = ZCONNECTIONLOSS;
};

/// One session, made when it is needed, for one thread at a time. No call lasts much longer than its `by`, but for the
/// look-up of a host's name. What ZooKeeper's C client has to say goes nowhere: it would write to stderr.
class session {
  using asked = flight<std::vector<found>>;
  using changing = flight<change>;

  settings config_;
  std::shared_ptr<line> line_ = std::make_shared<line>();
  zhandle_t* z_ = nullptr;
  bool authenticated_ = false;

 public:
  explicit session(settings config) : config_(std::move(config)) {}
  session(session const&) = delete;
  session& operator=(session const&) = delete;
  ~session() { drop(); }

  settings const& config() const { return config_; }
  std::string where() const { return config_.who + ": ZooKeeper at " + config_.servers; }
  /// Of the session that ready() has made, else null.
  zhandle_t* native_handle() const { return z_; }

  /// Connects, unless that is done. Throws store_error.
  void ready(time_point by) {
    by = std::min(by, std::chrono::steady_clock::now() + config_.connect_timeout);
    while (!connected()) {
      if (z_ && is_unrecoverable(z_) != ZOK) drop();
      if (!z_) start();
      std::unique_lock lock{line_->mutex};
      auto const settled = [&] { return connected() || is_unrecoverable(z_) != ZOK; };
      if (!line_->news.wait_until(lock, by, settled)) {
        lock.unlock();
        throw store_error(errc::store_unavailable, where() + " gave no session in time: " + what_is_there());
      }
    }
    if (!authenticated_) authenticate(by);
  }

  /// Asked as they come, without waiting for answers; an answer for each, as new as when read was called. Throws `lost`.
  std::vector<found> read(std::vector<question> const& questions, time_point by) {
    ready(by);
    auto const f = std::make_shared<asked>(asked{line_, std::vector<found>(questions.size() + 1), 0});
    auto const last = questions.size();
    post(f, last, [&](auto* seat) { return zoo_async(z_, "/", on_text, seat); });
    for (std::size_t i = 0; i < last; ++i)
      post(f, i, [&](auto* seat) {
        auto const* path = questions[i].path.c_str();
        return questions[i].names ? zoo_aget_children2(z_, path, 0, on_names, seat)
                                  : zoo_aget(z_, path, 0, on_data, seat);
      });
    return answers_of(f, by);
  }

  /// Makes nodes one after another, as far as they are missing; an answer for each. Throws `lost`.
  std::vector<found> make(std::vector<std::string> const& paths, time_point by) {
    ready(by);
    auto const f = std::make_shared<asked>(asked{line_, std::vector<found>(paths.size()), 0});
    for (std::size_t i = 0; i < paths.size(); ++i)
      post(f, i, [&](auto* seat) { return zoo_acreate(z_, paths[i].c_str(), "", 0, &acl(), 0, on_text, seat); });
    return answers_of(f, by);
  }

  /// What became of a multi: `code` is ZOK, or the conflict that the operation `at` was refused for.
  struct outcome_of {
    int code = ZOK;
    std::size_t at = 0;
    std::vector<std::int32_t> versions{};  ///< of the nodes that were set, by operation
    bool done() const { return code == ZOK; }
    /// Somebody else was faster.
    bool conflict() const { return code == ZNONODE || code == ZBADVERSION || code == ZNODEEXISTS || code == ZNOTEMPTY; }
  };
  /// Throws `lost` where they may have been carried out, or may yet be, and as refuse() does what is no conflict.
  outcome_of change_all(operations const& all, time_point by) {
    ready(by);
    std::shared_ptr<changing> const f{new changing{line_, {operations_in_c{all, acl()}}, 0}};
    post(f, 0, [&](auto* seat) { return f->answers.in_c.send(z_, on_change, seat); });
    wait(*f, by);
    auto const& a = f->answers;
    if (is_lost(a.code)) throw lost(where() + ": " + zerror(a.code));
    outcome_of o{a.code, a.in_c.refused()};
    if (!o.done() && !o.conflict())  // what is refused as a whole names no operation
      refuse(o.code, "writing " + (o.at < all.all().size() ? all.all()[o.at].path : "nodes"));
    for (std::size_t i = 0; i < all.all().size() && o.done(); ++i) o.versions.push_back(a.in_c.version(i));
    return o;
  }

  /// An answer that is no conflict. `doing`: with the node's path.
  [[noreturn]] void refuse(int code, std::string const& doing) const {
    auto const is = [&]() -> std::pair<errc, std::string> {
      if (code == ZNOAUTH)
        return {errc::bad_configuration, "the right is missing (getAcl shows who has it): " +
                                             std::string{config_.user.empty() ? "give .user and a password, or open it"
                                                                              : "is the password right?"}};
      if (code == ZINVALIDACL)
        return {errc::bad_configuration, "what its creator alone may use needs one: give .user and a password"};
      if (code == quota_exceeded) return {errc::store_full, "a quota is used up (listquota, setquota)"};
      return {errc::store_unavailable, zerror(code)};
    }();
    throw store_error(is.first, where() + " refuses " + doing + ": " + is.second);
  }

  /// Calls f until it does not throw `lost`, with growing waits; the last one passes at `by`. For what may be done twice.
  template <class F>
  static auto patiently(time_point by, F f) {
    for (std::chrono::milliseconds wait{2};; wait = std::min(wait * 2, std::chrono::milliseconds{200})) {
      try {
        return f();
      } catch (lost const&) {
        if (std::chrono::steady_clock::now() + wait >= by) throw;
      }
      std::this_thread::sleep_for(wait);
    }
  }

 private:
  static constexpr int quota_exceeded = -125;

  static void silent(char const*) {}
  static void on_event(zhandle_t*, int, int, char const*, void* to) {
    auto& l = *static_cast<line*>(to);
    std::lock_guard const lock{l.mutex};
    l.news.notify_all();
  }
  static void on_text(int code, char const*, void const* seat) {
    asked::land(seat, [&](auto& all, std::size_t i) { all[i].code = code; });
  }
  static void on_done(int code, void const* seat) { on_text(code, nullptr, seat); }
  static void on_data(int code, char const* text, int size, Stat const* stat, void const* seat) {
    asked::land(seat, [&](auto& all, std::size_t i) {
      all[i].code = code;
      if (code != ZOK) return;
      if (size > 0) all[i].data.assign(text, static_cast<std::size_t>(size));
      all[i].stat = *stat;
    });
  }
  static void on_names(int code, String_vector const* names, Stat const* stat, void const* seat) {
    asked::land(seat, [&](auto& all, std::size_t i) {
      all[i].code = code;
      if (code != ZOK) return;
      all[i].names.assign(names->data, names->data + names->count);
      all[i].stat = *stat;
    });
  }
  static void on_change(int code, void const* seat) {
    changing::land(seat, [&](change& c, std::size_t) { c.code = code; });
  }

  static bool is_lost(int code) {
    return code == ZCONNECTIONLOSS || code == ZOPERATIONTIMEOUT || code == ZSESSIONEXPIRED || code == ZSESSIONMOVED ||
           code == ZCLOSING || code == ZINVALIDSTATE || code == ZTHROTTLEDOP;
  }
  static void set_code(std::vector<found>& all, std::size_t i, int code) { all[i].code = code; }
  static void set_code(change& c, std::size_t, int code) { c.code = code; }

  ACL_vector const& acl() const { return config_.creator_all ? ZOO_CREATOR_ALL_ACL : ZOO_OPEN_ACL_UNSAFE; }
  /// Another kind of server may say what the C client takes for a session.
  bool connected() const {
    if (!z_ || zoo_state(z_) != ZOO_CONNECTED_STATE) return false;
    auto const id = zoo_client_id(z_)->client_id;
    return id != 0 && id != -1 && zoo_recv_timeout(z_) > 0;
  }

  void start() {
    authenticated_ = false;
    auto const limit = static_cast<int>(std::min<std::int64_t>(config_.session_timeout.count(), 3'600'000));
    z_ = zookeeper_init2(config_.servers.c_str(), on_event, limit, nullptr, line_.get(), 0, silent);
    if (!z_)
      throw store_error(errc::store_unavailable,
                        where() + " can't be looked up: are the names right? They are written host:port,host:port");
    zoo_set_servers_resolution_delay(z_, -1);  // names are looked up by the next session
  }
  void drop() {
    if (z_) zookeeper_close(std::exchange(z_, nullptr));
  }
  void authenticate(time_point by) {
    auto const password =
        read_secret({config_.password, config_.password_file, config_.password_variable}, config_.who + ".password");
    if (!config_.user.empty()) {
      auto const words = config_.user + ":" + password;
      auto const f = std::make_shared<asked>(asked{line_, std::vector<found>(1), 0});
      post(f, 0, [&](auto* seat) {
        return zoo_add_auth(z_, "digest", words.data(), static_cast<int>(words.size()), on_done, seat);
      });
      wait(*f, by);
      auto const code = f->answers[0].code;
      if (is_lost(code)) throw lost(where() + ": " + zerror(code));
      if (code != ZOK) {
        drop();
        throw store_error(errc::bad_configuration, where() + " does not accept users by password (digest)");
      }
    }
    authenticated_ = true;
  }

  template <class F, class Send>
  void post(std::shared_ptr<F> const& f, std::size_t at, Send send) {
    auto seat = std::make_unique<typename F::seat const>(typename F::seat{f, at});
    {
      std::lock_guard const lock{line_->mutex};
      ++f->open;
    }
    if (int const code = send(seat.get()); code == ZOK) {
      (void)seat.release();
    } else {
      std::lock_guard const lock{line_->mutex};
      --f->open;
      set_code(f->answers, at, code);
    }
  }
  template <class F>
  void wait(F& f, time_point by) {
    std::unique_lock lock{line_->mutex};
    // What was asked of a session that has ended is not always answered.
    if (!line_->news.wait_until(lock, by, [&] { return f.open == 0 || is_unrecoverable(z_) != ZOK; }))
      throw lost(where() + ": no answer in time");
    if (f.open > 0) throw lost(where() + ": the session has ended");
  }
  std::vector<found> answers_of(std::shared_ptr<asked> const& f, time_point by) {
    wait(*f, by);
    for (auto const& a : f->answers)
      if (is_lost(a.code)) throw lost(where() + ": " + zerror(a.code));
    return std::move(f->answers);
  }

  /// Why there is no session, by what can be seen from outside.
  std::string what_is_there() const {
    for (auto at = std::string_view{config_.servers}; !at.empty();) {
      auto const one = at.substr(0, at.find(','));
      at.remove_prefix(std::min(one.size() + 1, at.size()));
      auto const colon = one.rfind(':');
      if (colon != one.npos && !refuses(std::string{one.substr(0, colon)}, std::string{one.substr(colon + 1)}))
        return "what is there does not answer as ZooKeeper does: is it another kind of server, behind a firewall, "
               "without a quorum, or overloaded?";
    }
    return "nothing listens there: is it running, and is the address right?";
  }
  /// Says a host that nobody listens there? Where it says nothing, that is not known.
  static bool refuses(std::string const& host, std::string const& port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* all = nullptr;
    if (::getaddrinfo(host.c_str(), port.c_str(), &hints, &all) != 0) return true;
    bool yes = true;
    for (auto const* a = all; a && yes; a = a->ai_next) {
      int const fd = ::socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      if (fd < 0) continue;
      if (::connect(fd, a->ai_addr, a->ai_addrlen) == 0) {
        yes = false;
      } else if (errno == EINPROGRESS) {
        pollfd p{fd, POLLOUT, 0};
        int trouble = 0;
        socklen_t size = sizeof trouble;
        ::poll(&p, 1, 100);
        ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &trouble, &size);
        yes = trouble != 0;
      }
      ::close(fd);
    }
    ::freeaddrinfo(all);
    return yes;
  }
};

}}}  // namespace sluice::v0::detail::zookeeper
