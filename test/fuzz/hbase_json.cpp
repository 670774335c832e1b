// What HBase's REST server answers, in JSON.
#include <sluice/offset_store/hbase_json.hpp>

#include "fuzz.hpp"

using namespace fuzz;
namespace hbase = sl::detail::hbase;

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  auto const text = text_of(data, size);
  if (auto const rows = hbase::rows_of(text)) {
    auto const again = hbase::rows_of(hbase::json_of(*rows));
    must(again == rows, "rows are read as they were written");
  }
  if (auto const s = hbase::schema_of(text)) must(s->families.size() <= size, "a schema is no larger than its text");
  if (auto const names = hbase::tables_of(text)) must(names->size() <= size, "tables are no more than their text");

  // Any bytes are carried by a row.
  pieces in{text};
  hbase::row one{.key = in.line()};
  while (!in.empty()) {
    auto column = in.line();
    one.cells.push_back({std::move(column), in.line()});
  }
  auto const back = hbase::rows_of(hbase::json_of({one, one}));
  must(back && back->size() == 2 && back->at(0) == one && back->at(1) == one, "rows carry any bytes");
  return 0;
}
