// Names in URLs: no two texts share one, and none means something else to a server.
#include <sluice/offset_store/hbase_table.hpp>
#include <sluice/offset_store/webhdfs_folder.hpp>

#include "fuzz.hpp"

using namespace fuzz;
namespace d = sl::detail;

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  pieces in{text_of(data, size)};
  auto const one = in.line();
  std::string const other{in.rest()};
  auto const name = d::url_name(one);
  must(d::is_made_of(name, std::string{d::capitals} + "-_.~") && !name.empty(), "a name stands in a URL as it is");
  must((name == d::url_name(other)) == (one == other), "two texts have two names");

  auto const path = d::webhdfs::group_path(one), others = d::webhdfs::group_path(other);
  must((path == others) == (one == other), "two groups have two folders");
  must(path == others || (!path.starts_with(others + "/") && !others.starts_with(path + "/")),
       "no group's folder lies within another's");
  must(path.find("/.") == path.npos && path.find("//") == path.npos, "no part of a path means another folder");

  if (d::is_plain_path(one))
    must(one.find("..") == one.npos || one.find("/..") == one.npos, "a plain path goes down only");
  auto const query = d::hbase::query_text(one);
  must(d::is_made_of(query, std::string{d::capitals} + "-_.%"), "a text in a query is encoded");
  must(query.find('&') == query.npos && (query == d::hbase::query_text(other)) == (one == other),
       "two texts are two queries");
  return 0;
}
