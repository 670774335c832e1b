// PostgreSQL's connection strings, as users write them: what can't be read is refused, and a password is one or nothing.
#include <sluice/offset_store/postgres_connection.hpp>

#include <cstring>

#include "fuzz.hpp"

using namespace fuzz;

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  if (text_of(data, size).find("canary") != std::string_view::npos) return 0;  // that is ours
  std::string const text{text_of(data, size)};
  for (auto const& tried :
       {text, text + " password=4canary4", "postgresql://user:4canary4@" + text, "postgresql://user:4canary4" + text}) {
    auto const why = refused([&] { sl::detail::postgres::connection const c{{.connection = tried}}; });
    must(why.find("4canary4") == why.npos, "no password is cited");
    if (!why.empty()) continue;
    // Where the server or the library names what it was given, there must be no password in it.
    std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> const parsed{PQconninfoParse(tried.c_str(), nullptr),
                                                                                PQconninfoFree};
    must(parsed != nullptr, "what is taken can be read");
    for (auto const* o = parsed.get(); o->keyword; ++o)
      must(!o->val || std::string_view{o->keyword} == "password" || !std::strstr(o->val, "4canary4"),
           "a password is nothing else");
  }
  return 0;
}
