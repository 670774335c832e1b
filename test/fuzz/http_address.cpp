// Addresses of servers behind HTTP, as users write them: nothing of a wrong one is cited, for it may hold a password.
#include <sluice/offset_store/http_connection.hpp>

#include "fuzz.hpp"

using namespace fuzz;
namespace http = sl::detail::http;

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  if (text_of(data, size).find("canary") != std::string_view::npos) return 0;  // that is ours
  std::string const url{text_of(data, size)};
  for (auto const& tried : {url, "http://user:4canary4@" + url, "https://" + url + "?4canary4"}) {
    http::address a;
    auto const why = refused([&] { a = http::parse_address(tried, "s3_offsets.endpoint"); });
    must(why.find("4canary4") == why.npos, "no address is cited");
    if (!why.empty()) continue;
    must(a.scheme == "http" || a.scheme == "https", "a server is spoken to by HTTP");
    must(!a.host.empty() && a.url().find("4canary4") == a.url().npos, "a server has a name");
    // Once more, since libcurl makes 0.0.0.8 of the host that %38 names.
    auto const again = http::parse_address(a.url(), "again");
    must(http::parse_address(again.url(), "again").url() == again.url(), "an address is read as it was written");
  }
  return 0;
}
