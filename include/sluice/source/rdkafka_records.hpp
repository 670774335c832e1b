/// \file source/rdkafka_records.hpp  librdkafka's messages as the library's: what lies in them, and what is asked of few.
#pragma once
#include <sluice/detail/late.hpp>
#include <sluice/detail/rdkafka.hpp>
#include <sluice/source/client.hpp>
#include <sluice/source/rdkafka_trouble.hpp>

#include <span>

namespace sluice { inline namespace v0 { namespace detail {

inline rd_kafka_message_t* native(message const& m) {
  return const_cast<rd_kafka_message_t*>(static_cast<rd_kafka_message_t const*>(m.native));
}

inline constexpr message_access rdkafka_access{
    .timestamp =
        [](void const* native) {
          return rd_kafka_message_timestamp(static_cast<rd_kafka_message_t const*>(native), nullptr);
        },
    .header =
        [](void const* native, std::size_t index, header& out) {
          rd_kafka_headers_t* all = nullptr;
          if (rd_kafka_message_headers(static_cast<rd_kafka_message_t const*>(native), &all)) return false;
          char const* name = nullptr;
          void const* value = nullptr;
          std::size_t size = 0;
          if (rd_kafka_header_get_all(all, index, &name, &value, &size)) return false;
          out = {name, {static_cast<std::byte const*>(value), size}};
          return true;
        }};

template <class Late>
using native_messages = late<std::span<rd_kafka_message_t* const>, Late>;

inline bool stopped(client::taken const& t) { return t.out_of_range || !t.trouble.empty(); }

/// Appends to `out` behind result.count, up to the first error, which is told and destroyed. Answers what lies behind
/// it, or found no room.
template <class Late = void>
native_messages<Late> translate(native_messages<Late> from, std::span<message> out, client::taken& result) {
  auto const room = std::min(from.size(), out.size() - result.count);
  auto* to = out.data() + result.count;
  std::size_t i = 0;
  while (i < room) {
    auto* const m = from[i++];
    if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) [[unlikely]] {
      if (m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || m->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE)
        result.out_of_range = true;
      else if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        result.end = m->offset;
        rd_kafka_message_destroy(m);
        continue;
      } else {
        result.trouble = rd_kafka_message_errstr(m) + std::string(missing_right(m->err));
        result.code = code_of(m->err);
      }
      rd_kafka_message_destroy(m);
      break;
    }
    *to++ = {.key = m->key,
             .value = m->payload,
             .key_size = static_cast<std::uint32_t>(m->key_len),
             .value_size = static_cast<std::uint32_t>(m->len),
             .at = m->offset,
             .native = m};
  }
  result.count = static_cast<std::size_t>(to - out.data());
  return from.subspan(i);
}

}}}  // namespace sluice::v0::detail
