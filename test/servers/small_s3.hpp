/// \file small_s3.hpp  An S3 within a test, whose answers the test may change: for what a real one does seldom, or must not do.
#pragma once
#include <sluice/offset_store/s3.hpp>

#include <map>

#include "http.hpp"

namespace servers {

inline http_answer error_answer(int status, std::string const& code) {
  return {.status = status, .content = "<Error><Code>" + code + "</Code><Message>canary</Message></Error>"};
}

/// An S3 that keeps objects, and of which a test says what it does besides: where `say` answers, that is the answer.
class small_s3 {
 public:
  struct object {
    std::string content{};
    std::string etag{};
  };
  std::map<std::string, object> objects{};
  bool heeds_if_none_match = true, heeds_if_match = true;
  std::function<std::optional<http_answer>(http_request const&)> say{};  // set only while nobody asks
  http_server server{[this](http_request const& r) -> std::optional<http_answer> {
    if (say)
      if (auto a = say(r)) return a->status == 0 ? std::nullopt : a;
    return answer(r);
  }};

  http_answer answer(http_request const& r) {
    auto const at = objects.find(r.target);
    if (r.method == "GET") {
      if (at == objects.end()) return error_answer(404, "NoSuchKey");
      return {.content = at->second.content, .headers = {"ETag: " + at->second.etag}};
    }
    auto const match = r.header("If-Match");
    if (heeds_if_none_match && r.header("If-None-Match") == "*" && at != objects.end())
      return error_answer(412, "PreconditionFailed");
    if (heeds_if_match && !match.empty() && at == objects.end()) return error_answer(404, "NoSuchKey");
    if (heeds_if_match && !match.empty() && match != at->second.etag) return error_answer(412, "PreconditionFailed");
    object const o{r.content, "\"" + sluice::detail::sha256(r.content) + "\""};
    objects[r.target] = o;
    return {.headers = {"ETag: " + o.etag}};
  }
  sluice::s3_offsets config() const {
    return {.bucket = "offsets",
            .endpoint = server.url(),
            .path_style = true,
            .access_key = "AKIA",
            .secret_key = "canary",
            .session_token = "canary-token",
            .timeout = std::chrono::milliseconds{2000}};
  }
};
inline http_answer const no_answer{.status = 0};

}  // namespace servers
