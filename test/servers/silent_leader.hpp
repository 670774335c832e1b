/// \file silent_leader.hpp  A member that leads its group and shares nothing out: what no client of librdkafka's can be made to do.
#pragma once
#include <cstdint>
#include <stdexcept>
#include <string>

#include "process.hpp"

namespace servers {

/// Speaks Kafka's own protocol. It joins an empty group of a broker that is its coordinator, and is heard of no more but for
/// its commits; so it is put out when its session is over.
class silent_leader {
  descriptor socket_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::string group_, member_{};
  std::int32_t generation_ = -1;

  template <class Number>
  static void put(std::string& to, Number n) {
    for (auto shift = 8 * sizeof n; shift > 0; shift -= 8) to += static_cast<char>(n >> (shift - 8) & 0xff);
  }
  static void put(std::string& to, std::string const& text) {
    put(to, static_cast<std::int16_t>(text.size()));
    to += text;
  }
  template <class Number>
  static Number get(std::string& from) {
    std::uint64_t n = 0;
    for (std::size_t i = 0; i < sizeof(Number); ++i) n = n << 8 | static_cast<unsigned char>(from.at(i));
    from.erase(0, sizeof(Number));
    return static_cast<Number>(n);
  }
  static std::string get_text(std::string& from) {
    auto const size = static_cast<std::size_t>(get<std::int16_t>(from));
    auto text = from.substr(0, size);
    from.erase(0, size);
    return text;
  }
  std::string receive(std::size_t size) const {
    std::string text(size, '\0');
    if (::recv(socket_.fd, text.data(), size, MSG_WAITALL) != static_cast<ssize_t>(size))
      throw std::runtime_error("the broker does not answer");
    return text;
  }
  std::string ask(std::int16_t what, std::string const& with) const {
    std::string request;
    put(request, static_cast<std::int32_t>(with.size() + 10));
    put(request, what);
    put(request, std::int16_t{2});  // version
    put(request, std::int32_t{7});
    put(request, std::string{});
    request += with;
    if (::send(socket_.fd, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
      throw std::runtime_error("the broker has gone");
    auto size = receive(4);
    return receive(static_cast<std::size_t>(get<std::int32_t>(size))).substr(4);
  }

 public:
  silent_leader(int port, std::string group) : group_(std::move(group)) {
    auto const to = loopback(port);
    if (::connect(socket_.fd, reinterpret_cast<sockaddr const*>(&to), sizeof to))
      throw std::runtime_error("no broker is there");
    std::string join;
    put(join, group_);
    put(join, std::int32_t{3000});  // session
    put(join, std::int32_t{3000});  // rebalance
    put(join, std::string{});
    put(join, std::string{"consumer"});
    put(join, std::int32_t{1});
    put(join, std::string{"range"});
    put(join, std::int32_t{0});
    auto answer = ask(11, join);
    (void)get<std::int32_t>(answer);
    if (auto const e = get<std::int16_t>(answer)) throw std::runtime_error("it can't join: error " + std::to_string(e));
    generation_ = get<std::int32_t>(answer);
    (void)get_text(answer);
    auto const leader = get_text(answer);
    member_ = get_text(answer);
    if (member_ != leader) throw std::runtime_error("another one leads");
  }

  /// The broker's code; in the name of a generation before or after its own.
  std::int16_t commit(std::string const& topic, std::int32_t partition, std::int64_t at, std::int32_t generations = 0) {
    std::string request;
    put(request, group_);
    put(request, generation_ + generations);
    put(request, member_);
    put(request, std::int64_t{-1});
    put(request, std::int32_t{1});
    put(request, topic);
    put(request, std::int32_t{1});
    put(request, partition);
    put(request, at);
    put(request, std::string{"n"});
    auto answer = ask(8, request);
    return static_cast<std::int16_t>(static_cast<unsigned char>(answer.at(answer.size() - 2)) << 8 |
                                     static_cast<unsigned char>(answer.back()));
  }
};

}  // namespace servers
