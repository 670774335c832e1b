/// \file offset_store/s3_client.hpp  Requests to S3, signed: objects read, listed, removed, and written under a condition.
#pragma once
#include <sluice/detail/secret.hpp>
#include <sluice/detail/sha256.hpp>
#include <sluice/detail/url_names.hpp>
#include <sluice/offset_store/hosted_files.hpp>
#include <sluice/offset_store/s3_answers.hpp>

namespace sluice { inline namespace v0 { namespace detail::s3 {

struct settings {
  std::string bucket{};
  std::string region{};
  std::string endpoint{};
  bool path_style = false;
  std::string prefix{};
  std::string access_key{};
  secret secret_key{};
  secret session_token{};
  std::string ca_file{};
  std::chrono::milliseconds timeout{};
};

/// What can be told without the server. Throws error(bad_configuration).
inline void check(settings const& s) {
  auto const bad = [](char const* key, char const* why) {
    throw error(errc::bad_configuration, std::string{"s3_offsets."} + key + " " + why);
  };
  if (s.bucket.size() < 3 || s.bucket.size() > 63 || !is_made_of(s.bucket, "-.") ||
      s.bucket.find("..") != s.bucket.npos)
    bad("bucket", "must be a bucket's name: 3 to 63 small letters, digits, - and .");
  if (s.region.empty() || s.region.size() > 64 || !is_made_of(s.region, "-"))
    bad("region", "must be a region's name, such as eu-central-1; servers of your own mostly take us-east-1");
  if (s.prefix.size() > 200 || !is_plain_path(s.prefix))
    bad("prefix", "must be at most 200 letters, digits and any of - _ . / with no part that is empty or begins with .");
  if (s.timeout.count() <= 0) bad("timeout", "must be above 0");
  check_secret(s.secret_key, "s3_offsets.secret_key");
  check_secret(s.session_token, "s3_offsets.session_token");
  bool const secrets = ways_given(s.secret_key) + ways_given(s.session_token) > 0;
  if (s.access_key.empty() && secrets) bad("access_key", "is empty, and a secret is given: give both, or neither");
  if (!s.access_key.empty() && ways_given(s.secret_key) == 0)
    bad("secret_key", "is missing: give .secret_key_file, .secret_key_variable or .secret_key");
}

/// No group's name is this one in a URL.
inline constexpr std::string_view probe_name = "~probe";

/// One request at a time. Keys hold nothing that a URL would escape.
class client {
  settings settings_;
  http::connection http_;
  std::string base_{};  // the bucket's URL, ending in /

  static http::settings of(settings const& s, http::address const& a) {
    return {.who = "s3_offsets",
            .where = "s3_offsets: S3 at " + a.host_and_port(),
            .ca_file = s.ca_file,
            .timeout = s.timeout,
            .longest = generation_header + generation_cap};
  }
  static http::address address_of(settings const& s) {
    check(s);
    return http::parse_address(s.endpoint.empty() ? "https://s3." + s.region + ".amazonaws.com" : s.endpoint,
                               "s3_offsets.endpoint");
  }
  client(settings s, http::address a) : settings_(std::move(s)), http_(of(settings_, a)) {
    if (!settings_.path_style) a.host.insert(0, settings_.bucket + ".");
    base_ = a.url() + "/" + (settings_.path_style ? settings_.bucket + "/" : "");
  }

  http::signature signature_now() const {
    if (!settings_.access_key.empty())
      return {settings_.region, settings_.access_key, read_secret(settings_.secret_key, "s3_offsets.secret_key")};
    auto const* const key = std::getenv("AWS_ACCESS_KEY_ID");
    auto const* const secret = std::getenv("AWS_SECRET_ACCESS_KEY");
    if (!key || !*key || !secret || !*secret)
      throw store_error(errc::bad_configuration,
                        "s3_offsets.access_key is empty, and so is AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY in the "
                        "environment: give a key");
    return {settings_.region, key, secret};
  }
  std::string token_now() const {
    if (!settings_.access_key.empty()) return read_secret(settings_.session_token, "s3_offsets.session_token");
    auto const* const token = std::getenv("AWS_SESSION_TOKEN");
    return token ? token : "";
  }
  void check_probe(http::answer const& a, char const* condition) const {
    if (a.status == 200)
      throw store_error(errc::bad_configuration,
                        http_.config().where + " ignores " + condition +
                            ", so two consumers could overwrite each other: use a server with conditional writes");
    if (a.status != 412) refuse(a);
  }

 public:
  explicit client(settings const& s) : client(s, address_of(s)) {}

  settings const& config() const { return settings_; }
  std::string const& where() const { return http_.config().where; }

  /// `key` may be followed by a query, whose parts are in order and encoded. `header`: one more, such as a condition.
  http::answer ask(char const* method, std::string const& key, time_point by,
                   std::optional<std::string_view> content = {}, std::string header = {}) {
    auto const sign = signature_now();
    http::request r{.method = method, .url = base_ + key, .content = content};
    r.headers.push_back("x-amz-content-sha256: " + sha256(content.value_or("")));
    if (auto const token = token_now(); !token.empty()) r.headers.push_back("x-amz-security-token: " + token);
    if (content) r.headers.push_back("Content-Type: application/octet-stream");
    if (!header.empty()) r.headers.push_back(std::move(header));
    return http_.ask(r, by, &sign);
  }
  [[noreturn]] void refuse(http::answer const& a) const {
    auto const m = meaning_of(a);
    throw store_error(m.code, http_.config().where + " " + m.what);
  }

  /// Throws store_error where the server can't be had, or writes without looking at conditions. It leaves one small object.
  void probe(time_point by) {
    auto const key = settings_.prefix + std::string{probe_name};
    auto const make = [&] {
      for (;;) {
        auto a = ask("PUT", key, by, "sluice", "If-None-Match: *");
        if (a.status != 409) return a;
      }
    };
    auto first = make();
    if (first.status == 200) first = make();
    check_probe(first, "If-None-Match");
    check_probe(ask("PUT", key, by, "sluice", "If-Match: \"00000000000000000000000000000000\""), "If-Match");
  }
};

/// For hosted_files. A folder is what stands before a slash in keys.
class files_of {
  client client_;

  static bool not_there(http::answer const& a) { return a.status == 404 && code_of(a.content) == "NoSuchKey"; }

 public:
  static constexpr bool renames = false;

  explicit files_of(settings const& s) : client_(s) {}

  client& requests() { return client_; }
  std::chrono::milliseconds timeout() const { return client_.config().timeout; }
  std::string root() const { return "s3://" + client_.config().bucket + "/"; }
  std::string path_of(std::string const& name) const { return name.substr(root().size()); }

  /// Present, if empty, where no key begins with it.
  std::optional<std::vector<std::string>> list(std::string const& folder, time_point by) {
    auto const begin = escaped(folder + "/");
    std::vector<std::string> names;
    for (std::string after;;) {
      auto const a = client_.ask(
          "GET", "?delimiter=%2F&list-type=2&prefix=" + begin + (after.empty() ? "" : "&start-after=" + escaped(after)),
          by);
      auto page = a.status == 200 ? page_of(a.content) : std::nullopt;
      if (!page) client_.refuse(a);
      for (auto const& key : page->keys)
        if (key.size() > folder.size() + 1) names.push_back(key.substr(folder.size() + 1));
      if (!page->more || page->keys.empty()) return names;
      after = page->keys.back();
    }
  }
  std::optional<std::uint64_t> size(std::string const& key, time_point by) {
    auto const a = client_.ask("GET", key, by, {}, "Range: bytes=0-0");
    if (not_there(a)) return {};
    if (a.status == 416 || (a.status == 200 && a.content.empty())) return 0;
    auto const size = a.status == 206 ? size_in(a.range) : std::nullopt;
    if (!size) client_.refuse(a);
    return size;
  }
  std::string fetch(std::string const& key, std::uint64_t at, std::size_t count, time_point by) {
    auto a = client_.ask("GET", key, by, {}, "Range: bytes=" + std::to_string(at) + "-" + std::to_string(at + count - 1));
    if (a.status != 206) client_.refuse(a);
    return std::move(a.content);
  }
  naming create(std::string const& key, std::string_view content, time_point by) {
    try {
      return meant(client_.ask("PUT", key, by, content, "If-None-Match: *"));
    } catch (http::lost const&) { return naming::unknown; }
  }
  /// Two steps: after a crash both are there.
  naming rename(std::string const& from, std::string const& to, time_point by) {
    auto const size = this->size(from, by);
    if (!size) return naming::gone;
    auto const how = *size == 0 ? create(to, "", by) : create(to, fetch(from, 0, static_cast<std::size_t>(*size), by), by);
    if (how == naming::done) remove(from, by);
    return how;
  }
  void remove(std::string const& key, time_point by) {
    auto const a = client_.ask("DELETE", key, by);
    if (a.status != 204 && a.status != 200 && !not_there(a)) client_.refuse(a);
  }

 private:
  naming meant(http::answer const& a) const {
    if (a.status == 409 || a.status == 412) return naming::taken;
    if (a.status == 429 || a.status >= 500) {
      if (auto const m = meaning_of(a); m.code == errc::store_full) client_.refuse(a);
      return naming::unknown;
    }
    if (a.status != 200) client_.refuse(a);
    return naming::done;
  }
  /// A value in a query: of what keys are made of, only these two have to be.
  static std::string escaped(std::string_view text) {
    std::string out;
    for (char const c : text) {
      if (c == '/')
        out += "%2F";
      else
        out += c;
    }
    return out;
  }
};

template <class Policy>
settings settings_of(Policy const& p) {
  return {.bucket = p.bucket,
          .region = p.region,
          .endpoint = p.endpoint,
          .path_style = p.path_style,
          .prefix = p.prefix,
          .access_key = p.access_key,
          .secret_key = {p.secret_key, p.secret_key_file, p.secret_key_variable},
          .session_token = {p.session_token, p.session_token_file, p.session_token_variable},
          .ca_file = p.ca_file,
          .timeout = p.timeout};
}

}}}  // namespace sluice::v0::detail::s3
