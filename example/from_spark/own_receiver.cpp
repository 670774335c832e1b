// A receiver of one's own, with start, store and stop: in Spark a class that extends Receiver, and receiverStream.
#include <sluice/reduce_by_key.hpp>
#include <sluice/sluice.hpp>
#include <sluice/source/user.hpp>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <iostream>
#include <ranges>

namespace sl = sluice;
using namespace std::chrono_literals;

/// Datagrams that come to a UDP port, as syslog sends them.
class datagram_receiver {
  int socket_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

 public:
  explicit datagram_receiver(int port) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(static_cast<std::uint16_t>(port));
    if (::bind(socket_, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) throw std::runtime_error("no such port");
  }
  datagram_receiver(datagram_receiver const&) = delete;
  ~datagram_receiver() { ::close(socket_); }

  void start(sl::receiving& to) {
    std::string room(65536, '\0');
    while (!to.stop_requested())
      if (auto const n = ::recv(socket_, room.data(), room.size(), 0); n > 0)
        to.store(std::string_view{room}.substr(0, static_cast<std::size_t>(n)));
  }
  void stop() { ::shutdown(socket_, SHUT_RD); }  // recv() returns
};

int main(int argc, char** argv) {
  if (argc != 2) return std::cerr << "usage: own_receiver PORT\n", 2;
  sl::stream_consumer consumer{
      sl::at_most_once{}, sl::no_offsets<sl::from::latest>{}, sl::micro_batch{.interval = 1s},
      sl::user_source<datagram_receiver>{.receiver = std::make_shared<datagram_receiver>(std::stoi(argv[1]))}};
  consumer.run(sl::stop_on_signal{}, [](sl::batch const& lines) {
    auto const words = [](sl::record line) { return sl::many{line.text() | std::views::split(' ')}; };
    sl::print{.most = 100'000}(lines.time(), sl::count_by_key(lines, words));
  });
}
