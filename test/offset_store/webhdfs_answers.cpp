#include <sluice/offset_store/webhdfs_answers.hpp>

#include "thrown.hpp"

using namespace sl::detail;
using sl::errc;
using names = std::vector<std::string>;

namespace {

std::string exception(std::string const& name) {
  return R"({"RemoteException":{"exception":")" + name + R"(","javaClassName":"x","message":"canary"}})";
}

}  // namespace

TEST_CASE("the exception of a refusal is the word that it names") {
  CHECK(webhdfs::exception_of(exception("FileNotFoundException")) == "FileNotFoundException");
  for (auto const* none :
       {"", "{}", "{\"boolean\":true}", "{\"RemoteException\":{", "{\"RemoteException\":{\"exception\":\"A",
        "{\"RemoteException\":{\"exception\":\"\"}}", "{\"RemoteException\":{\"exception\":\"A B\"}}",
        " {\"RemoteException\":{\"exception\":\"A\"}}"}) {
    INFO(none);
    CHECK(webhdfs::exception_of(none).empty());
  }
  CHECK(webhdfs::exception_of(exception(std::string(65, 'a'))).empty());
}

TEST_CASE("the names of a folder are those of its files") {
  CHECK(webhdfs::names_of("{\"FileStatuses\":{\"FileStatus\":[\n\n]}}\n") == names{});
  CHECK(webhdfs::names_of(R"({"FileStatuses":{"FileStatus":[
{"length":3,"pathSuffix":"generation.1","type":"FILE"},
{"pathSuffix":"a%2Fb c","type":"DIRECTORY"}
]}})") == names{"generation.1", "a%2Fb c"});
  for (auto const* none : {"", "<html>", "{}", "{\"boolean\":false}"}) CHECK_FALSE(webhdfs::names_of(none));
}

TEST_CASE("yes and no are read where they are the whole answer") {
  CHECK(webhdfs::boolean_of("{\"boolean\":true}") == true);
  CHECK(webhdfs::boolean_of("{\"boolean\":false}\r\n") == false);
  for (auto const* none : {"", "true", "{}", "{\"boolean\":null}", "<html>{\"boolean\":true}", "{\"boolean\":true"})
    CHECK_FALSE(webhdfs::boolean_of(none));
}

TEST_CASE("refusals of WebHDFS are told with what to do, and cite nothing") {
  struct row {
    long status;
    char const* exception;
    errc means;
    char const* part;
  };
  for (auto const& [status, word, means, part] :
       {row{403, "AccessControlException", errc::bad_configuration, "webhdfs_offsets.directory"},
        row{401, "", errc::bad_configuration, "webhdfs_offsets.user and .token"},
        row{403, "InvalidToken", errc::bad_configuration, "403 InvalidToken"},
        row{403, "StandbyException", errc::store_unavailable, "active NameNode"},
        row{403, "SafeModeException", errc::store_unavailable, "safe mode"},
        row{403, "DSQuotaExceededException", errc::store_full, "no room"},
        row{403, "NSQuotaExceededException", errc::store_full, "no room"},
        row{403, "IOException", errc::store_unavailable, "DataNodes"},
        row{403, "RetriableException", errc::store_unavailable, "now"}, row{503, "", errc::store_unavailable, "503"},
        row{404, "", errc::store_unavailable, "none of WebHDFS's"},
        row{200, "", errc::store_unavailable, "none of WebHDFS's"},
        row{400, "IllegalArgumentException", errc::store_unavailable, "400 IllegalArgumentException"}}) {
    auto const m = webhdfs::meaning_of({.status = status, .content = *word ? exception(word) : "<html>canary"});
    INFO(m.what);
    CHECK(m.code == means);
    CHECK_THAT(m.what, ContainsSubstring(part) && !ContainsSubstring("canary"));
  }
}

TEST_CASE("a file's length") {
  using sl::detail::webhdfs::length_of;
  CHECK(length_of(R"({"FileStatus":{"accessTime":1,"length":24930,"type":"FILE"}})") == 24930);
  for (auto const* bad : {"", R"({"FileStatus":{}})", R"({"length":5})", R"({"FileStatus":{"length":"x"}})"})
    CHECK_FALSE(length_of(bad));
}
