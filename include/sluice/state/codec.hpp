/// \file state/codec.hpp  How keys and values of state become bytes, and bytes of an older program become values.
///
/// Fixed little-endian: integers, enumerations, bool, float, double and durations as wide as their type; texts, vectors and
/// optionals with their length in front (32 bits); what a vector holds takes at least a byte each. These never change. A type
/// of the user's has a version, which is written in front of it:
///
///     struct visit { std::int64_t count = 0; std::string last{}; };
///     template <> struct sluice::codec<visit> : sluice::members_of<&visit::count, &visit::last> {};
///
/// When the type grows, the version does, and decode still takes what was written before:
///
///     template <> struct sluice::codec<visit> : sluice::members_of<&visit::count, &visit::last, &visit::first> {
///       static constexpr std::uint32_t version = 2;
///       static visit decode(sluice::decoder& from, std::uint32_t written) {
///         return written == 1 ? sluice::members_of<&visit::count, &visit::last>::read(from) : read(from);
///       }
///     };
#pragma once
#include <sluice/error.hpp>

#include <algorithm>
#include <bit>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace sluice { inline namespace v0 {

/// Specialise it for your own types: `version`, `encode(encoder&, T const&)`, `T decode(decoder&, std::uint32_t written)`.
template <class T>
struct codec {
  using is_missing = void;
};

template <class T>
concept encodable = !requires { typename codec<T>::is_missing; };

/// Bytes that a codec can't read. What else a decode throws is told the same way.
class unreadable : public error {
 public:
  explicit unreadable(std::string const& why) : error(errc::store_damaged, why) {}
  unreadable(errc code, std::string const& why) : error(code, why) {}
};

namespace detail {
template <auto F>
struct function_of;
/// False: it inherits the decode of members_of, which reads version 1 only, and writes another one.
template <class Codec>
consteval bool reads_what_it_writes() {
  if constexpr (requires {
                  typename Codec::members;
                  typename function_of<&Codec::decode>;
                })
    return Codec::version == 1 || !std::is_same_v<function_of<&Codec::decode>, function_of<&Codec::members::decode>>;
  else
    return true;
}
}  // namespace detail

class encoder {
  std::string& to_;

 public:
  /// Appends to `to`, which is borrowed.
  explicit encoder(std::string& to) : to_(to) {}

  void raw(std::string_view data) { to_.append(data); }
  std::size_t written() const { return to_.size(); }
  template <std::unsigned_integral N>
  void number(N n) {
    char data[sizeof(N)];
    for (auto& b : data) {
      b = static_cast<char>(n & 0xFFu);
      if constexpr (sizeof(N) > 1) n = static_cast<N>(n >> 8);
    }
    to_.append(data, sizeof data);
  }
  /// Of what follows. Throws error(bad_statement) above 4 GB.
  void length(std::size_t n) {
    if (n > 0xFFFF'FFFFu) throw error(errc::bad_statement, "a state's value holds more than 4,294,967,295 elements");
    number(static_cast<std::uint32_t>(n));
  }
  template <class T>
  void put(T const& value) {
    static_assert(encodable<T>,
                  "sluice: there is no codec for this type; give it one: template <> struct sluice::codec<T> : "
                  "sluice::members_of<&T::a, &T::b> {};");
    if constexpr (encodable<T>) {
      static_assert(detail::reads_what_it_writes<codec<T>>(),
                    "sluice: a codec with a raised version needs a decode of its own, or nothing that it writes can be "
                    "read: static T decode(sluice::decoder&, std::uint32_t written); state/codec.hpp shows one");
      if constexpr (requires { codec<T>::version; }) number(static_cast<std::uint32_t>(codec<T>::version));
      codec<T>::encode(*this, value);
    }
  }
};

/// Reads what an encoder wrote; never past its end, and makes room for nothing that isn't there.
class decoder {
  std::string_view left_;

 public:
  explicit decoder(std::string_view data) : left_(data) {}

  std::size_t left() const { return left_.size(); }
  std::string_view raw(std::size_t n) {
    if (n > left_.size()) throw unreadable("it ends " + std::to_string(n - left_.size()) + " bytes before it should");
    auto const data = left_.substr(0, n);
    left_.remove_prefix(n);
    return data;
  }
  template <std::unsigned_integral N>
  N number() {
    auto const data = raw(sizeof(N));
    N n = 0;
    for (std::size_t i = sizeof(N); i-- > 0;)
      n = static_cast<N>((sizeof(N) > 1 ? n << 8 : 0) | static_cast<unsigned char>(data[i]));
    return n;
  }
  /// Of elements that take at least a byte each, unless `least` says more: so that no number that was made up makes work.
  std::size_t length(std::size_t least = 1) {
    auto const n = number<std::uint32_t>();
    if (n > left_.size() / std::max<std::size_t>(least, 1))
      throw unreadable("it says that it holds " + std::to_string(n) + " elements, and has " +
                       std::to_string(left_.size()) + " bytes left");
    return n;
  }
  template <class T>
  T get() {
    static_assert(encodable<T>, "sluice: there is no codec for this type; give it one: sluice::codec<T>");
    if constexpr (encodable<T>) {
      if constexpr (requires { codec<T>::version; }) {
        auto const written = number<std::uint32_t>();
        if (written == 0 || written > codec<T>::version)
          throw unreadable(written == 0 ? errc::store_damaged : errc::store_newer,
                           "it was written in version " + std::to_string(written) +
                               " of its type, this program knows up to " + std::to_string(codec<T>::version));
        return codec<T>::decode(*this, written);
      } else {
        return codec<T>::decode(*this);
      }
    }
  }
  void end() const {
    if (!left_.empty()) throw unreadable(std::to_string(left_.size()) + " bytes are left behind its end");
  }
};

template <class T>
std::string encoded(T const& value) {
  std::string data;
  encoder{data}.put(value);
  return data;
}
/// Throws unreadable, also where bytes are left.
template <class T>
T decoded(std::string_view data) {
  decoder from{data};
  T value = from.get<T>();
  from.end();
  return value;
}

template <class T>
  requires(std::integral<T> && !std::same_as<T, bool>)
struct codec<T> {
  static void encode(encoder& to, T v) { to.number(static_cast<std::make_unsigned_t<T>>(v)); }
  static T decode(decoder& from) { return static_cast<T>(from.number<std::make_unsigned_t<T>>()); }
};
template <>
struct codec<bool> {
  static void encode(encoder& to, bool v) { to.number(static_cast<std::uint8_t>(v)); }
  static bool decode(decoder& from) {
    auto const v = from.number<std::uint8_t>();
    if (v > 1) throw unreadable("a truth value is " + std::to_string(v));
    return v == 1;
  }
};
template <class T>
  requires std::is_enum_v<T>
struct codec<T> {
  using number = std::underlying_type_t<T>;
  static void encode(encoder& to, T v) { to.put(static_cast<number>(v)); }
  static T decode(decoder& from) { return static_cast<T>(from.get<number>()); }
};
template <>
struct codec<float> {
  static void encode(encoder& to, float v) { to.number(std::bit_cast<std::uint32_t>(v)); }
  static float decode(decoder& from) { return std::bit_cast<float>(from.number<std::uint32_t>()); }
};
template <>
struct codec<double> {
  static void encode(encoder& to, double v) { to.number(std::bit_cast<std::uint64_t>(v)); }
  static double decode(decoder& from) { return std::bit_cast<double>(from.number<std::uint64_t>()); }
};
template <class Rep, class Period>
struct codec<std::chrono::duration<Rep, Period>> {
  static void encode(encoder& to, std::chrono::duration<Rep, Period> v) { to.put(v.count()); }
  static std::chrono::duration<Rep, Period> decode(decoder& from) {
    return std::chrono::duration<Rep, Period>{from.get<Rep>()};
  }
};
template <class Duration>
struct codec<std::chrono::sys_time<Duration>> {
  static void encode(encoder& to, std::chrono::sys_time<Duration> v) { to.put(v.time_since_epoch()); }
  static std::chrono::sys_time<Duration> decode(decoder& from) {
    return std::chrono::sys_time<Duration>{from.get<Duration>()};
  }
};
template <>
struct codec<std::string> {
  static void encode(encoder& to, std::string const& v) {
    to.length(v.size());
    to.raw(v);
  }
  static std::string decode(decoder& from) {
    auto const n = from.length();
    return std::string{from.raw(n)};
  }
};
template <class T>
  requires encodable<T>
struct codec<std::vector<T>> {
  static void encode(encoder& to, std::vector<T> const& v) {
    to.length(v.size());
    auto const begun = to.written();
    for (T const& one : v) to.put(one);
    if (to.written() - begun < v.size())
      throw error(errc::bad_statement,
                  "a state's value holds a vector of elements that take no bytes, which can't be read back: keep their "
                  "number instead, or let their codec write something");
  }
  static std::vector<T> decode(decoder& from) {
    auto const n = from.length();
    std::vector<T> v;
    if constexpr (std::is_arithmetic_v<T>) v.reserve(std::min(n, from.left() / sizeof(T)));
    for (std::size_t i = 0; i < n; ++i) v.push_back(from.get<T>());
    return v;
  }
};
template <class T>
  requires encodable<T>
struct codec<std::optional<T>> {
  static void encode(encoder& to, std::optional<T> const& v) {
    to.put(v.has_value());
    if (v) to.put(*v);
  }
  static std::optional<T> decode(decoder& from) {
    if (!from.get<bool>()) return std::nullopt;
    return from.get<T>();
  }
};
template <class... T>
  requires(encodable<T> && ...)
struct codec<std::tuple<T...>> {
  static void encode(encoder& to, std::tuple<T...> const& v) {
    std::apply([&](T const&... one) { (to.put(one), ...); }, v);
  }
  static std::tuple<T...> decode(decoder& from) { return std::tuple<T...>{from.get<T>()...}; }
};
template <class A, class B>
  requires(encodable<A> && encodable<B>)
struct codec<std::pair<A, B>> {
  static void encode(encoder& to, std::pair<A, B> const& v) {
    to.put(v.first);
    to.put(v.second);
  }
  static std::pair<A, B> decode(decoder& from) {
    auto first = from.get<A>();
    return {std::move(first), from.get<B>()};
  }
};

namespace detail {
template <auto Member>
struct member_of;
template <class C, class M, M C::* Member>
struct member_of<Member> {
  using whole = C;
  using type = M;
};
}  // namespace detail

/// A codec of an aggregate: its members, in this order, version 1. What is not listed is not kept.
template <auto First, auto... Rest>
struct members_of {
  using whole = typename detail::member_of<First>::whole;
  using members = members_of;
  static constexpr std::uint32_t version = 1;

  static void encode(encoder& to, whole const& v) {
    to.put(v.*First);
    (to.put(v.*Rest), ...);
  }
  /// Without looking at a version.
  static whole read(decoder& from) {
    whole v{};
    v.*First = from.get<typename detail::member_of<First>::type>();
    ((v.*Rest = from.get<typename detail::member_of<Rest>::type>()), ...);
    return v;
  }
  static whole decode(decoder& from, std::uint32_t written) {
    if (written != 1)
      throw unreadable("it was written in version " + std::to_string(written) +
                       " of its type, and the codec has no decode of its own that reads more than version 1");
    return read(from);
  }
};

}}  // namespace sluice::v0
