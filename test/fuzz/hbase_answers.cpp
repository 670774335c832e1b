// HBase's refusals, and the rows that programs on Spark keep their offsets in.
#include <sluice/offset_store/hbase_history.hpp>

#include "fuzz.hpp"

namespace {

using namespace fuzz;
namespace hbase = sl::detail::hbase;

hbase::table const& a_table() {
  static hbase::table const one{{.address = "http://127.0.0.1:1",
                                 .table = "offsets",
                                 .family = "current",
                                 .history_family = "offsets",
                                 .timeout = std::chrono::seconds{1}}};
  return one;
}

}  // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  pieces in{text_of(data, size)};
  sl::detail::http::answer a;
  a.status = static_cast<long>(in.number() % 600);
  a.content = in.rest();
  auto const m = hbase::meaning_of(a, {"create 'offsets'", "alter 'offsets'"});
  must_be_shown(m.what);
  must(!m.what.empty(), "every answer means something");

  hbase::row row{.key = in.line()};
  while (!in.empty()) {
    auto column = in.until(' ');
    row.cells.push_back({std::move(column), in.line()});
  }
  hbase::history_row history;
  if (refused<sl::store_error>([&] { history = hbase::history_row_of(row, 7, a_table()); }).empty()) {
    auto const made = hbase::made_row("t", "g", 7, "f", history.next);
    must(hbase::history_row_of(made, 7, a_table()).next == history.next, "a row is read as it was written");
  }
  if (!row.key.empty()) {
    auto const begin = row.key.substr(1);
    must(hbase::just_below(begin, row.key[0]) < begin + row.key[0], "a search goes down");
  }
  return 0;
}
