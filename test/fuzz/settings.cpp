// What users write about servers: checked before anything is sent, and no secret is cited.
#include <sluice/offset_store/hbase_table.hpp>
#include <sluice/offset_store/redis_settings.hpp>
#include <sluice/offset_store/s3_object.hpp>
#include <sluice/offset_store/webhdfs_folder.hpp>

#include "fuzz.hpp"

namespace {

using namespace fuzz;
namespace d = sl::detail;
constexpr auto second = std::chrono::milliseconds{1000};

/// Answers whether the settings are good.
bool good(auto check) {
  auto const why = refused(check);
  must(why.find("4canary4") == why.npos, "no secret is cited");
  must_be_shown(why);
  return why.empty();
}

}  // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  if (text_of(data, size).find("canary") != std::string_view::npos) return 0;  // that is ours
  pieces in{text_of(data, size)};
  auto const a = in.line(), b = in.line(), c = in.line(), user = in.line();
  d::secret const secret{.text = in.line() + "4canary4", .file = in.line(), .variable = in.line()};

  if (good([&] {
        d::s3::check(
            {.bucket = a, .region = b, .prefix = c, .access_key = user, .secret_key = secret, .timeout = second});
      }))
    must((a + b + c).find_first_of(" \r\n%?#&'\"\\") == a.npos, "what stands in a URL is plain");
  if (good([&] {
        d::webhdfs::check_directory(a, "directory");
        d::webhdfs::check({.directory = a, .user = b, .token = c.empty() ? d::secret{} : secret, .timeout = second});
      }))
    must(a.find_first_of(" \r\n%?#&=") == a.npos && a.find("/.") == a.npos && b.find('&') == b.npos,
         "what stands in a URL is plain");
  if (good([&] {
        d::hbase::check(
            {.table = a, .family = b, .history_family = c, .user = user, .password = secret, .timeout = second});
      }))
    must((a + b + c).find_first_of(" \r\n%?#&/'\"") == a.npos && user.find('\n') == user.npos,
         "what stands in a URL or a header is plain");
  good([&] {
    d::redis::check({.who = "redis_offsets",
                     .host = a,
                     .port = static_cast<int>(in.number() % 70000),
                     .user = user,
                     .password = secret.text,
                     .password_file = secret.file,
                     .prefix = b,
                     .timeout = second});
  });
  return 0;
}
