/// \file offset_store/http_connection.hpp  Requests over HTTP by libcurl, with deadlines, bounded answers, and nothing secret in an error.
#pragma once
#include <sluice/error.hpp>
#include <sluice/offset.hpp>

#include <curl/curl.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#if LIBCURL_VERSION_NUM < 0x075800
#error "sluice's stores behind HTTP need libcurl 7.88 or later"
#endif

namespace sluice { inline namespace v0 { namespace detail::http {

/// The request may have been carried out; the answer is not there.
class lost : public store_error {
 public:
  explicit lost(std::string const& what) : store_error(errc::store_unavailable, what) {}
};

/// Where a server is: `http://HOST:PORT` or `https://HOST:PORT`, the port may be missing.
struct address {
  std::string scheme{};
  std::string host{};
  std::string port{};  ///< empty: the scheme's own

  std::string host_and_port() const { return port.empty() ? host : host + ":" + port; }
  std::string url() const { return scheme + "://" + host_and_port(); }
};

/// Of what a policy was given; throws error(bad_configuration) that names `key`, and cites nothing: it may hold a password.
inline address parse_address(std::string const& url, std::string const& key) {
  std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> const u{curl_url(), &curl_url_cleanup};
  auto const part = [&](CURLUPart which) {
    char* text = nullptr;
    std::string copy;
    if (curl_url_get(u.get(), which, &text, 0) == CURLUE_OK) copy = text;
    curl_free(text);
    return copy;
  };
  bool const parsed = curl_url_set(u.get(), CURLUPART_URL, url.c_str(), CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK;
  address a{part(CURLUPART_SCHEME), part(CURLUPART_HOST), part(CURLUPART_PORT)};
  auto const path = part(CURLUPART_PATH);
  bool const more = !part(CURLUPART_USER).empty() || !part(CURLUPART_PASSWORD).empty() ||
                    !part(CURLUPART_QUERY).empty() || !part(CURLUPART_FRAGMENT).empty() ||
                    !(path.empty() || path == "/");
  if (!parsed || more || a.host.empty() || (a.scheme != "http" && a.scheme != "https"))
    throw error(errc::bad_configuration,
                key + " must be http://HOST:PORT or https://HOST:PORT, without a user, a path or a query");
  return a;
}

struct request {
  char const* method = "GET";
  std::string url{};
  std::vector<std::string> headers{};         ///< "Name: value"
  std::optional<std::string_view> content{};  ///< of any bytes
};

struct answer {
  long status = 0;
  std::string content{};
  std::string etag{};      ///< empty: none was given
  std::string location{};  ///< likewise
  std::string range{};     ///< Content-Range, likewise
};

/// How the servers are reached, and who asks.
struct settings {
  std::string who{};                           ///< the policy, for errors
  std::string where{};                         ///< the server, for errors
  std::string ca_file{};                       ///< empty: the system's authorities
  std::chrono::milliseconds timeout{5000};     ///< for connecting
  std::size_t longest = std::size_t{1} << 26;  ///< bytes of an answer that are taken
};

/// Whom a request is signed for, by AWS's signature version 4.
struct signature {
  std::string region{};
  std::string key{};
  std::string secret{};
};

/// One request at a time; connections are kept, and made when they are needed. libcurl sends a request again by itself
/// where a kept connection turns out to be dead: so each must be one that is refused when it comes twice. It goes no
/// further than the host that it names; a proxy that the environment names (https_proxy, no_proxy) is used.
class connection {
  std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> easy_;
  settings settings_;

  using list = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;
  static void append(list& to, char const* line) {
    if (auto* const longer = curl_slist_append(to.get(), line)) {
      static_cast<void>(to.release());
      to.reset(longer);
    } else {
      throw std::bad_alloc{};
    }
  }

  struct taking {
    std::string content{};
    std::size_t longest = 0;
    bool too_long = false;
  };
  static std::size_t take(char const* bytes, std::size_t, std::size_t count, void* to) noexcept {
    auto& t = *static_cast<taking*>(to);
    if (count > t.longest - t.content.size()) {
      t.too_long = true;
      return 0;
    }
    try {
      t.content.append(bytes, count);
    } catch (...) { return 0; }
    return count;
  }

  template <class Value>
  void set(CURLoption option, Value value) {
    if (curl_easy_setopt(easy_.get(), option, value) != CURLE_OK)
      throw store_error(errc::bad_configuration, settings_.who + ": this libcurl can't do what is needed (option " +
                                                     std::to_string(option) +
                                                     "): install one with HTTP, and TLS where that is used");
  }
  std::string header(char const* name) const {
    curl_header* found = nullptr;
    return curl_easy_header(easy_.get(), name, 0, CURLH_HEADER, -1, &found) == CURLHE_OK ? found->value : "";
  }

  [[noreturn]] void fail(CURLcode code, bool too_long) const {
    auto const because = std::string{" ("} + curl_easy_strerror(code) + ")";
    auto const& where = settings_.where;
    if (too_long) throw lost(where + " gave an answer that is too long for one of its kind: is the address right?");
    switch (code) {
      case CURLE_COULDNT_RESOLVE_HOST:
      case CURLE_COULDNT_RESOLVE_PROXY:
      case CURLE_COULDNT_CONNECT:
        throw lost(where + " can't be reached" + because + ": is it running, and is the address right?");
      case CURLE_OPERATION_TIMEDOUT:
        throw lost(where + ": no answer in time");
      case CURLE_SSL_CACERT_BADFILE:
        throw store_error(errc::bad_configuration, settings_.who + ".ca_file = " + settings_.ca_file +
                                                       " can't be read, or holds no certificate");
      case CURLE_PEER_FAILED_VERIFICATION:
        throw store_error(
            errc::bad_configuration,
            where + " shows a certificate that is not trusted, or is another host's: give its authority's in " +
                settings_.who + ".ca_file, and the name that it was made for");
      case CURLE_SSL_CONNECT_ERROR:
        throw lost(where + ": no TLS could be agreed on: does it speak https?");
      case CURLE_UNSUPPORTED_PROTOCOL:
      case CURLE_WEIRD_SERVER_REPLY:
        throw lost(where + ": what answers there does not speak HTTP: is the port right?");
      default:
        throw lost(where + ": the connection has ended before an answer came" + because);
    }
  }

  static CURL* made() {
    static CURLcode const ready = curl_global_init(CURL_GLOBAL_DEFAULT);
    auto* const easy = ready == CURLE_OK ? curl_easy_init() : nullptr;
    if (!easy) throw std::bad_alloc{};
    return easy;
  }

 public:
  explicit connection(settings s) : easy_(made(), &curl_easy_cleanup), settings_(std::move(s)) {}

  settings const& config() const { return settings_; }

  /// Throws `lost` where no whole answer came by `by`, store_error(bad_configuration) where TLS can't be had as configured.
  answer ask(request const& r, time_point by, signature const* sign = nullptr) {
    auto const left = std::chrono::ceil<std::chrono::milliseconds>(by - std::chrono::steady_clock::now());
    if (left.count() <= 0) throw lost(settings_.where + ": no time was left to ask it");
    auto const limit = std::min<std::chrono::milliseconds>(left, std::chrono::hours{1});
    taking into{.longest = settings_.longest};
    list headers{nullptr, &curl_slist_free_all};
    for (auto const& h : r.headers) append(headers, h.c_str());

    curl_easy_reset(easy_.get());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_URL, r.url.c_str());
    set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_QUICK_EXIT, 1L);  // a name that is still being looked up is not waited for
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(limit.count()));
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::min(limit, settings_.timeout).count()));
    set(CURLOPT_HTTPHEADER, headers.get());
    set(CURLOPT_WRITEFUNCTION, &take);
    set(CURLOPT_WRITEDATA, &into);
    if (!settings_.ca_file.empty()) set(CURLOPT_CAINFO, settings_.ca_file.c_str());
    if (r.content) {
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(r.content->size()));
      set(CURLOPT_POSTFIELDS, r.content->data());
    }
    set(CURLOPT_CUSTOMREQUEST, r.method);
    std::string scope;
    if (sign) {
      scope = "aws:amz:" + sign->region + ":s3";
      set(CURLOPT_AWS_SIGV4, scope.c_str());
      set(CURLOPT_USERNAME, sign->key.c_str());
      set(CURLOPT_PASSWORD, sign->secret.c_str());
    }

    if (auto const code = curl_easy_perform(easy_.get()); code != CURLE_OK) fail(code, into.too_long);
    answer a{.content = std::move(into.content),
             .etag = header("ETag"),
             .location = header("Location"),
             .range = header("Content-Range")};
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &a.status);
    return a;
  }
};

}}}  // namespace sluice::v0::detail::http
