/// \file constant_records.hpp  Consumers of three records that are always the same.
#pragma once
#include <sluice/source/constant.hpp>

#include "source/consuming.hpp"

using namespace consuming;
using sl::constant_source;
using sl::offset;
using sl::read_until;

inline constant_source abc(std::int64_t times = 1) {
  return {.records = {{"a"}, {"b", "key"}, {"c"}}, .times = times, .group = "g"};
}
template <class Delivery, class... More>
auto start(temporary_folder const& f, constant_source const& s, More const&... more) {
  return sl::stream_consumer<Delivery, sl::file_offsets, constant_source, More...>{
      s, sl::file_offsets{.directory = f.name()}, more...};
}
