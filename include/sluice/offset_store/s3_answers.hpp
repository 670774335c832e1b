/// \file offset_store/s3_answers.hpp  What an S3 server's refusals mean. A server may repeat what it was sent, so little of its text is passed on.
#pragma once
#include <sluice/detail/url_names.hpp>
#include <sluice/offset_store/http_connection.hpp>

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
            "): allow this key s3:GetObject and s3:PutObject on the prefix, and s3:ListBucket on the bucket (without "
            "it an object that is not there can't be told from one that is forbidden)"};
  if (a.status == 429 || a.status >= 500)
    return {errc::store_unavailable, "can't serve the request now (" + said() + ")"};
  if (word.empty())
    return {errc::store_unavailable, "gave an answer that is none of S3's (" + said() + "): is the endpoint right?"};
  return {errc::store_unavailable, "refuses: " + said()};
}

}}}  // namespace sluice::v0::detail::s3
