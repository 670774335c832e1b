/// \file detail/fingerprint.hpp  What a record looked like, in 64 bits: tells a log from another one of the same name.
#pragma once
#include <sluice/offset_store/concept.hpp>
#include <sluice/record.hpp>

#include <algorithm>
#include <cstring>

namespace sluice { inline namespace v0 { namespace detail {

inline constexpr std::size_t fingerprinted_bytes = 4096;  // of key and of value each: a record may have megabytes

inline std::uint64_t fnv1a(std::uint64_t hash, void const* data, std::size_t size) {
  auto const* byte = static_cast<unsigned char const*>(data);
  for (std::size_t i = 0; i < size; ++i) hash = (hash ^ byte[i]) * 0x100000001b3u;
  return hash;
}

/// FNV-1a (64 bits) over timestamp, sizes, and the first bytes of key and value. Stored: must never change.
inline fingerprint fingerprint_of(message const& m, message_access const& access) {
  std::int64_t const stamp = access.timestamp(m.native);
  std::int64_t const key_size = m.key ? std::int64_t{m.key_size} : -1;
  std::int64_t const value_size = m.value ? std::int64_t{m.value_size} : -1;
  auto hash = std::uint64_t{0xcbf29ce484222325u};
  for (auto number : {stamp, key_size, value_size}) {
    unsigned char little[8];
    for (int i = 0; i < 8; ++i) little[i] = static_cast<unsigned char>(static_cast<std::uint64_t>(number) >> (8 * i));
    hash = fnv1a(hash, little, sizeof little);
  }
  hash = fnv1a(hash, m.key, std::min<std::size_t>(m.key_size, fingerprinted_bytes));
  hash = fnv1a(hash, m.value, std::min<std::size_t>(m.value_size, fingerprinted_bytes));
  return {offset{m.at}, hash};
}

}}}  // namespace sluice::v0::detail
