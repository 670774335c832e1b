/// \file source/socket.hpp  Lines of text from a TCP server: connects, reads, and connects again when the connection is lost.
#pragma once
#include <sluice/detail/socket_wait.hpp>
#include <sluice/source/live_source.hpp>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace sluice { inline namespace v0 {

/// Models receiver.
class socket_receiver {
  std::string host_, port_;
  std::size_t max_record_;
  std::chrono::milliseconds timeout_;
  std::string line_{};
  bool skipping_ = false;  // behind the beginning of a line that is too long
  std::uint64_t too_long_ = 0;

 public:
  socket_receiver(std::string host, int port, std::size_t max_record, std::chrono::milliseconds timeout)
      : host_(std::move(host)), port_(std::to_string(port)), max_record_(max_record), timeout_(timeout) {}

  void start(receiving& to) {
    auto const socket = connect(to);
    if (!socket) return;
    line_.clear();
    skipping_ = false;
    std::string room(64 << 10, '\0');
    while (ready(socket.get(), POLLIN, to, {})) {
      auto const n = ::recv(socket.get(), room.data(), room.size(), MSG_DONTWAIT);
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (n < 0) throw error(errc::client_failed, place() + ": " + detail::errno_text(errno));
      if (n == 0) {
        // A line that its sender has not ended, and said that it will not.
        if (!line_.empty() && !take_line(to)) return;
        throw error(errc::client_failed, place() + " has closed the connection");
      }
      if (!read({room.data(), static_cast<std::size_t>(n)}, to)) return;
    }
  }

  /// Lines that were left out since they are longer than max_record.
  std::uint64_t too_long() const { return too_long_; }

 private:
  std::string place() const { return host_ + ":" + port_; }

  bool take_line(receiving& to) {
    std::string_view line = line_;
    if (line.ends_with('\r')) line.remove_suffix(1);
    bool const stored = to.store(line);
    line_.clear();
    return stored;
  }

  /// False: the consumer is closing.
  bool read(std::string_view text, receiving& to) {
    while (!text.empty()) {
      auto const feed = text.find('\n');
      auto const piece = text.substr(0, feed);
      text.remove_prefix(feed == text.npos ? text.size() : feed + 1);
      if (!skipping_ && line_.size() + piece.size() > max_record_) {
        skipping_ = true;
        line_.clear();
        line_.shrink_to_fit();
        ++too_long_;
        to.tell(place() + ": a line is longer than .max_record, " + std::to_string(max_record_) +
                " bytes, and is left out (" + std::to_string(too_long_) + " so far)");
      }
      if (!skipping_) line_ += piece;
      if (feed == text.npos) continue;
      if (!std::exchange(skipping_, false) && !take_line(to)) return false;
    }
    return true;
  }

  /// Waits for the socket, or the end of the consumer (false), or `by` (throws).
  bool ready(int fd, short events, receiving& to, std::optional<time_point> by) const {
    for (;;) {
      pollfd both[2] = {{fd, events, 0}, {to.stop_event(), POLLIN, 0}};
      auto const left = by ? std::chrono::ceil<std::chrono::milliseconds>(*by - std::chrono::steady_clock::now())
                           : std::chrono::milliseconds{60'000};
      auto const n = ::poll(both, 2, static_cast<int>(std::max<std::int64_t>(0, left.count())));
      if (both[1].revents != 0 || to.stop_requested()) return false;
      if (n > 0 && both[0].revents != 0) return true;
      if (by && left.count() <= 0)
        throw error(errc::client_failed,
                    place() + " did not answer within " + std::to_string(timeout_.count()) + " ms");
    }
  }

  /// None: the consumer is closing.
  detail::unique_fd connect(receiving& to) const {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (auto const e = ::getaddrinfo(host_.c_str(), port_.c_str(), &hints, &found))
      throw error(errc::client_failed, place() + ": " + ::gai_strerror(e));
    struct freed {
      addrinfo* list;
      ~freed() { ::freeaddrinfo(list); }
    } const at_end{found};
    std::string why = "no address";
    for (auto const* a = found; a && !to.stop_requested(); a = a->ai_next) {
      detail::unique_fd s{::socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
      if (!s) {
        why = detail::errno_text(errno);
        continue;
      }
      if (::connect(s.get(), a->ai_addr, a->ai_addrlen) == 0) return s;
      if (errno == EINPROGRESS) {
        if (!ready(s.get(), POLLOUT, to, std::chrono::steady_clock::now() + timeout_)) return {};
        int e = 0;
        socklen_t size = sizeof e;
        ::getsockopt(s.get(), SOL_SOCKET, SO_ERROR, &e, &size);
        if (e == 0) return s;
        errno = e;
      }
      why = detail::errno_text(errno);
    }
    if (to.stop_requested()) return {};
    throw error(errc::client_failed, place() + ": " + why);
  }
};

/// Each line is a record: its text without the line feed (and a carriage return before it). What a server sends while nobody
/// is connected, and what is cut off when a connection breaks, is lost before it reaches us; what is received is lost at a
/// crash, so this goes with at_most_once, or into a write_ahead_log. Without one, what is received and not handed over is lost
/// when the consumer closes, too: counted in statistics().lost and told, and drain() answers `abandoned`.
///
/// A line longer than `max_record` is left out, told, and costs no memory. Where the connection is refused or lost it is
/// tried again, after growing waits, for ever.
///
/// Closing the consumer ends a wait for the server at once, but not one for the host's name (getaddrinfo can't be interrupted): that
/// takes as long as the system's resolver allows (resolv.conf: timeout × attempts × servers, usually up to 10 to 30 s), behind the
/// deadline of close() and drain() too. Where that matters give an address, or a name from /etc/hosts.
struct socket_source {
  using slot = source_slot;
  using must_be_configured = void;
  using receiver_type = socket_receiver;
  using runtime = local_source<live_log<socket_receiver>>;
  static constexpr bool has_group = false;
  static constexpr bool can_replay = false;
  static constexpr bool assigned_by_hand = true;

  std::string host = "localhost";
  int port = 0;
  std::string group{};  ///< the name under which positions are kept
  std::string topic = "lines";
  std::size_t max_record = 1 << 20;     ///< bytes of a line
  std::size_t max_buffered = 16 << 20;  ///< bytes that wait to be handled; nothing is read while there are more
  std::chrono::milliseconds connect_timeout{5000};
  read_until until{};

  /// Throws error(bad_configuration).
  static std::shared_ptr<socket_receiver> receiver_of(socket_source const& self) {
    if (self.host.empty() || self.port <= 0 || self.port > 65535)
      throw error(errc::bad_configuration, "socket_source{.host, .port}: name a host, and a port from 1 to 65535");
    if (self.max_record == 0 || self.connect_timeout.count() <= 0)
      throw error(errc::bad_configuration, "socket_source{.max_record, .connect_timeout} must be above 0");
    if (self.max_record >= detail::most_image)
      throw error(errc::bad_configuration, "socket_source{.max_record} must be below 1 GiB");
    return std::make_shared<socket_receiver>(self.host, self.port, self.max_record, self.connect_timeout);
  }
  template <class Context>
  static detail::late<runtime, Context> open(socket_source const& self, Context const&) {
    return detail::open_live<detail::late<runtime, Context>>(self);
  }
};

}}  // namespace sluice::v0
