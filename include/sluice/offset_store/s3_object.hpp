/// \file offset_store/s3_object.hpp  The state of a group as one object in S3, changed only by conditional writes.
#pragma once
#include <sluice/detail/secret.hpp>
#include <sluice/detail/sha256.hpp>
#include <sluice/detail/url_names.hpp>
#include <sluice/offset_store/file_claims.hpp>
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

inline constexpr std::string_view restore_object = "put an earlier version back, or a backup";

/// The ETag of what was read goes with every write, so a late one changes nothing: no state ever comes back, since each
/// change makes a new fence or moves an offset on.
class object {
  static constexpr std::size_t longest_key = 1024;

  settings settings_;
  http::connection http_;
  std::string base_{};  // the bucket's URL, ending in /
  std::string key_{};
  std::string group_{};
  std::string etag_{};  // empty: the object is not there
  bool current_ = false;
  file_generation state_{};
  std::string bytes_{};

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
  object(settings s, http::address a) : settings_(std::move(s)), http_(of(settings_, a)) {
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

  http::answer ask(std::string const& key, time_point by, std::optional<std::string_view> content = {},
                   std::string condition = {}) {
    auto const sign = signature_now();
    http::request r{.method = content ? "PUT" : "GET", .url = base_ + key, .content = content};
    r.headers.push_back("x-amz-content-sha256: " + sha256(content.value_or("")));
    if (auto const token = token_now(); !token.empty()) r.headers.push_back("x-amz-security-token: " + token);
    if (content) r.headers.push_back("Content-Type: application/octet-stream");
    if (!condition.empty()) r.headers.push_back(std::move(condition));
    return http_.ask(r, by, &sign);
  }

  [[noreturn]] void refuse(http::answer const& a) const {
    auto const m = meaning_of(a);
    throw store_error(m.code, http_.config().where + " " + m.what);
  }
  [[noreturn]] void gone() const {
    throw store_error(errc::store_damaged, name() + " is gone, and was there before: " + std::string{restore_object});
  }

  void check_probe(http::answer const& a, char const* condition) const {
    if (a.status == 200)
      throw store_error(errc::bad_configuration,
                        http_.config().where + " ignores " + condition +
                            ", so two consumers could overwrite each other: use a server with conditional writes");
    if (a.status != 412) refuse(a);
  }

 public:
  explicit object(settings const& s) : object(s, address_of(s)) {}

  /// Throws store_error where the server can't be had, or writes without looking at conditions. It leaves one small object.
  void probe(time_point by) {
    auto const key = settings_.prefix + std::string{probe_name};
    auto const make = [&] {
      for (;;) {
        auto a = ask(key, by, "sluice", "If-None-Match: *");
        if (a.status != 409) return a;
      }
    };
    auto first = make();
    if (first.status == 200) first = make();
    check_probe(first, "If-None-Match");
    check_probe(ask(key, by, "sluice", "If-Match: \"00000000000000000000000000000000\""), "If-Match");
  }

  std::string name() const { return "s3_offsets: s3://" + settings_.bucket + "/" + key_; }

  void select(std::string const& group) {
    if (group == group_ && !key_.empty()) return;
    auto key = settings_.prefix + url_name(group);
    if (key.size() > longest_key)
      throw error(errc::bad_configuration, "s3_offsets: the group's name is too long for S3, which takes keys of " +
                                               std::to_string(longest_key) + " bytes: choose a shorter one");
    key_ = std::move(key);
    group_ = group;
    etag_.clear();
    current_ = false;
  }

  file_generation& newest(time_point by) {
    if (current_) return state_;
    auto a = ask(key_, by);
    if (a.status == 404 && code_of(a.content) == "NoSuchKey") {
      if (!etag_.empty()) gone();
      state_ = file_generation{.id = {random_bits(), random_bits()}};
    } else {
      if (a.status != 200) refuse(a);
      if (a.etag.empty())
        throw store_error(errc::store_unavailable, http_.config().where + " gave an object without its ETag");
      auto found = parse_generation<file_generation>(a.content, name(), restore_object);
      for (auto const& [key, partitions] : found.topics)
        if (key.group != group_)
          throw store_error(errc::store_damaged, name() + " holds the offsets of the group '" + key.group +
                                                     "': it was copied here; " + std::string{restore_object});
      state_ = std::move(found);
      etag_ = std::move(a.etag);
    }
    current_ = true;
    return state_;
  }
  bool current() const { return current_; }
  void doubt() { current_ = false; }
  void unchanged() { current_ = true; }
  bool durable() const { return true; }

  publication publish(time_point by) {
    current_ = false;
    encode(state_, bytes_);
    http::answer a;
    try {
      a = ask(key_, by, bytes_, etag_.empty() ? "If-None-Match: *" : "If-Match: " + etag_);
    } catch (http::lost const&) { return publication::unknown; }
    if (a.status == 409 || a.status == 412) return publication::taken;
    if (a.status == 429 || a.status >= 500) {
      if (auto const m = meaning_of(a); m.code == errc::store_full) refuse(a);
      return publication::unknown;
    }
    if (a.status == 404 && code_of(a.content) == "NoSuchKey" && !etag_.empty()) gone();
    if (a.status != 200) refuse(a);
    current_ = !a.etag.empty();
    if (current_) etag_ = std::move(a.etag);
    return publication::yes;
  }
};

}}}  // namespace sluice::v0::detail::s3
