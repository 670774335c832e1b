#include <sluice/offset_store/redis_errors.hpp>

#include "catch.hpp"

namespace sl = sluice;
namespace r = sluice::detail::redis;

TEST_CASE("errors of Redis by what they mean") {
  auto const code = [](char const* text) { return r::meaning_of(text).code; };
  CHECK(code("OOM command not allowed") == sl::errc::store_full);
  CHECK(code("MISCONF Errors writing to the AOF file: No space left on device") == sl::errc::store_full);
  CHECK(code("WRONGTYPE Operation against a key") == sl::errc::store_damaged);
  CHECK(code("NOPERM this user has no permissions") == sl::errc::bad_configuration);
  CHECK(code("ERR The user executing the script can't run this command or subcommand script: a, on @user_script:3.") ==
        sl::errc::bad_configuration);
  CHECK(code("ERR ACL failure in script: User losing has no permissions to run the 'hget' command") ==
        sl::errc::bad_configuration);
  CHECK(code("NOAUTH Authentication required.") == sl::errc::bad_configuration);
  for (auto const* text :
       {"READONLY You can't write", "BUSY Redis is busy", "LOADING Redis is loading", "MASTERDOWN Link",
        "CLUSTERDOWN Hash slot not served", "NOREPLICAS Not enough", "ERR Error running script",
        "ERR max number of clients reached", "ERR max number of clients + cluster connections reached", ""})
    CHECK(code(text) == sl::errc::store_unavailable);
  CHECK(
      r::meaning_of("ERR Error running script (call to f_0): @user_script:3: Script killed by user with SCRIPT KILL...")
          .what.find("SCRIPT KILL") != std::string::npos);
}

TEST_CASE("what a server cites is not passed on") {
  for (auto const* text : {"ERR unknown command 'EVALSHA', with args beginning with: 'canary'",
                           "ERR unknown command `FOO`, with args beginning with: `canary`", "ERR bad \"canary\"",
                           "ERR unknown command, with args beginning with: canary", "ERR AUTH <canary>"}) {
    auto const what = r::meaning_of(text).what;
    CHECK(what.find("canary") == std::string::npos);
    CHECK(what.find("ERR") != std::string::npos);
  }
  CHECK(r::meaning_of("ERR \x1b[31mred\n").what == "refuses: ERR [31mred");
  CHECK(r::meaning_of("ERR " + std::string(1000, 'a')).what.size() < 200);
}
