/// \file offset_store/s3_answers.hpp  What an S3 server's refusals mean. A server may repeat what it was sent, so little of its text is passed on.
#pragma once
#include <sluice/detail/url_names.hpp>
#include <sluice/offset_store/http_connection.hpp>

#include <charconv>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail::s3 {

/// The word between <Code> and </Code> of an error's document, such as NoSuchKey; empty where there is none.
inline std::string code_of(std::string_view document) {
  constexpr std::string_view begin = "<Code>", end = "</Code>";
  auto const at = document.find(begin);
  auto const until = document.find(end, at);
  if (until == document.npos || document.find("<Error") > at) return {};
  auto const word = document.substr(at + begin.size(), until - at - begin.size());
  return word.size() <= 64 && is_made_of(word, capitals) ? std::string{word} : "";
}

/// A page of ListObjectsV2. Keys of ours hold nothing that XML would escape.
struct page {
  std::vector<std::string> keys{};
  bool more = false;
};
/// Absent: it is none.
inline std::optional<page> page_of(std::string_view document) {
  constexpr std::string_view begin = "<Key>", end = "</Key>";
  page p;
  auto const root = document.find("<ListBucketResult");
  if (root == document.npos) return {};
  for (auto at = document.find(begin, root); at != document.npos; at = document.find(begin, at)) {
    at += begin.size();
    auto const until = document.find(end, at);
    if (until == document.npos) return {};
    p.keys.emplace_back(document.substr(at, until - at));
  }
  p.more = document.find("<IsTruncated>true</IsTruncated>", root) != document.npos;
  return p;
}

/// The size in a Content-Range, such as `bytes 0-0/1234`; absent where there is none.
inline std::optional<std::uint64_t> size_in(std::string_view range) {
  auto const slash = range.find('/');
  if (!range.starts_with("bytes ") || slash == range.npos) return {};
  std::uint64_t n = 0;
  auto const digits = range.substr(slash + 1);
  auto const parsed = std::from_chars(digits.data(), digits.data() + digits.size(), n);
  if (parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size()) return {};
  return n;
}

/// Of an answer that is neither success nor that a condition does not hold.
struct meaning {
  errc code;
  std::string what;
};

inline meaning meaning_of(http::answer const& a) {
  auto const word = code_of(a.content);
  auto const said = [&] { return std::to_string(a.status) + (word.empty() ? "" : " " + word); };
  if (word == "NoSuchBucket")
    return {errc::bad_configuration, "has no such bucket: make it, or name another in s3_offsets.bucket"};
  if (word == "InvalidAccessKeyId")
    return {errc::bad_configuration, "does not know this access key: see s3_offsets.access_key"};
  if (word == "SignatureDoesNotMatch")
    return {errc::bad_configuration, "does not accept this secret key for that access key: see s3_offsets.secret_key"};
  if (word == "ExpiredToken" || word == "InvalidToken")
    return {errc::bad_configuration, "does not accept this session token: see s3_offsets.session_token"};
  if (word == "RequestTimeTooSkewed") return {errc::bad_configuration, "says that this host's clock is wrong: set it"};
  if (a.status == 301 || a.status == 307 || a.status == 308 || word == "AuthorizationHeaderMalformed")
    return {errc::bad_configuration, "says that the bucket is elsewhere (" + said() +
                                         "): name its region in s3_offsets.region, and where it has one its endpoint"};
  if (a.status == 507 || word == "QuotaExceeded" || word == "XMinioStorageFull")
    return {errc::store_full, "has no space left (" + said() + ")"};
  if (a.status == 401 || a.status == 403)
    return {
        errc::bad_configuration,
        "refuses (" + said() +
            "): allow this key s3:GetObject and s3:PutObject on the prefix, for a checkpoint s3:DeleteObject too, and "
            "s3:ListBucket on the bucket (without it an object that is not there can't be told from one that is "
            "forbidden)"};
  if (a.status == 429 || a.status >= 500)
    return {errc::store_unavailable, "can't serve the request now (" + said() + ")"};
  if (word.empty())
    return {errc::store_unavailable, "gave an answer that is none of S3's (" + said() + "): is the endpoint right?"};
  return {errc::store_unavailable, "refuses: " + said()};
}

}}}  // namespace sluice::v0::detail::s3
