// Offsets and partitions that other programs wrote as plain decimals: in ZooKeeper, in HBase, in SQL tables.
#include <sluice/offset_store/hbase_history.hpp>
#include <sluice/offset_store/zookeeper_paths.hpp>

#include "fuzz.hpp"
#include "offsets/number.hpp"

using namespace fuzz;

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  auto const text = text_of(data, size);
  auto const in_zookeeper = sl::detail::zookeeper::read_offset(text);
  auto const in_hbase = sl::detail::hbase::next_offset(text);
  must(!in_zookeeper || in_zookeeper->value() >= 0, "no offset is negative");
  must(!in_hbase || in_hbase->value() >= 0, "no offset is negative");
  must(in_zookeeper == in_hbase || !in_hbase, "both read the same number");

  for (bool const last : {false, true}) {
    offsets_tool::counting count{offsets_tool::store_words{}};
    count.last = last;
    sl::offset next{};
    auto const why = refused<offsets_tool::failure>([&] { next = count.next(text, "the table"); });
    if (!why.empty()) {
      must_be_shown(why);
      continue;
    }
    must(next.value() >= 0, "a next offset is not negative");
    must(!in_hbase || next.value() == in_hbase->value() + (last ? 1 : 0), "the last offset is one before the next");
    must(offsets_tool::whole_number<std::int64_t>(text) == count.stored(next), "what is stored is what was read");
  }
  std::int32_t partition = -1;
  auto const why = refused<offsets_tool::failure>([&] { partition = offsets_tool::partition_in(text, "the table"); });
  if (why.empty()) must(partition >= 0, "no partition is negative");
  must_be_shown(why);
  return 0;
}
