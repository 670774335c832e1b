#include <sluice/offset_store/s3_answers.hpp>

#include "thrown.hpp"

using namespace sl::detail;
using sl::errc;

namespace {

std::string document(std::string const& code) {
  return "<?xml version=\"1.0\"?>\n<Error>\n <Code>" + code + "</Code><Message>canary</Message></Error>";
}
s3::meaning meaning(long status, std::string const& code) {
  return s3::meaning_of({.status = status, .content = code.empty() ? "<html>canary" : document(code)});
}

}  // namespace

TEST_CASE("an error's code is a word of an error's document") {
  CHECK(s3::code_of(document("NoSuchKey")) == "NoSuchKey");
  CHECK(s3::code_of(document("A1")) == "A1");
  for (auto const* none : {"", "<Code>NoSuchKey</Code>", "<Error>", "<Error><Code>", "<Error><Code>NoSuchKey",
                           "<Error><Code></Code>", "<Error><Code>No such</Code>", "<Code>A</Code><Error>"}) {
    INFO(none);
    CHECK(s3::code_of(none).empty());
  }
  CHECK(s3::code_of(document(std::string(65, 'a'))).empty());
}

TEST_CASE("refusals of S3 are told with what to do, and cite nothing") {
  struct row {
    long status;
    char const* code;
    errc means;
    char const* part;
  };
  for (auto const& [status, code, means, part] :
       {row{404, "NoSuchBucket", errc::bad_configuration, "no such bucket"},
        row{403, "InvalidAccessKeyId", errc::bad_configuration, "s3_offsets.access_key"},
        row{403, "SignatureDoesNotMatch", errc::bad_configuration, "s3_offsets.secret_key"},
        row{400, "ExpiredToken", errc::bad_configuration, "s3_offsets.session_token"},
        row{403, "RequestTimeTooSkewed", errc::bad_configuration, "clock"},
        row{403, "AccessDenied", errc::bad_configuration, "s3:ListBucket"},
        row{403, "", errc::bad_configuration, "s3:PutObject"},
        row{301, "PermanentRedirect", errc::bad_configuration, "s3_offsets.region"},
        row{307, "", errc::bad_configuration, "s3_offsets.region"},
        row{400, "AuthorizationHeaderMalformed", errc::bad_configuration, "s3_offsets.region"},
        row{507, "XMinioStorageFull", errc::store_full, "no space left"},
        row{403, "QuotaExceeded", errc::store_full, "403 QuotaExceeded"},
        row{503, "SlowDown", errc::store_unavailable, "503 SlowDown"}, row{429, "", errc::store_unavailable, "now"},
        row{404, "", errc::store_unavailable, "none of S3's"}, row{200, "", errc::store_unavailable, "none of S3's"},
        row{400, "EntityTooLarge", errc::store_unavailable, "400 EntityTooLarge"}}) {
    auto const m = meaning(status, code);
    INFO(m.what);
    CHECK(m.code == means);
    CHECK_THAT(m.what, ContainsSubstring(part) && !ContainsSubstring("canary"));
  }
}

TEST_CASE("a page of keys, and a size in a range") {
  using namespace sl::detail::s3;
  auto const p = page_of(
      "<?xml?><ListBucketResult><Prefix>a/</Prefix><IsTruncated>true</IsTruncated><Contents><Key>a/b</Key></Contents>"
      "<Contents><Key>a/c</Key></Contents><CommonPrefixes><Prefix>a/d/</Prefix></CommonPrefixes></ListBucketResult>");
  REQUIRE(p);
  CHECK(p->keys == std::vector<std::string>{"a/b", "a/c"});
  CHECK(p->more);
  CHECK_FALSE(page_of("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")->more);
  CHECK_FALSE(page_of("<ListBucketResult><Key>a"));
  CHECK_FALSE(page_of("<Error><Code>x</Code></Error>"));
  CHECK(size_in("bytes 0-0/1234") == 1234);
  for (auto const* bad : {"", "bytes 0-0", "bytes 0-0/", "bytes 0-0/*", "0-0/5", "bytes 0-0/5x"})
    CHECK_FALSE(size_in(bad));
}
