/// \file offset_store/redis_settings.hpp  How a Redis server is reached, and what it must be before offsets are entrusted to it.
#pragma once
#include <sluice/detail/secret.hpp>
#include <sluice/offset.hpp>
#include <sluice/offset_store/redis_errors.hpp>

#include <hiredis/hiredis.h>

#include <array>
#include <utility>

namespace sluice { inline namespace v0 { namespace detail::redis {

struct settings {
  std::string who{};  // the policy, for errors
  std::string host{};
  int port = 0;
  std::string user{};
  std::string password{};
  std::string password_file{};
  std::string password_variable{};
  int database = 0;
  std::string prefix{};
  std::chrono::milliseconds timeout{};
  bool durable = true;
  bool assume_durable = false;

  secret secret_of_user() const { return {password, password_file, password_variable}; }
};

/// What can be told without the server. Throws error(bad_configuration).
inline void check(settings const& s) {
  auto const bad = [&](char const* key, char const* why) {
    throw error(errc::bad_configuration, s.who + "." + key + " " + why);
  };
  auto const plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.' || c == ':';
  };
  if (s.host.empty()) bad("host", "is empty: give a name, an address, or the path of a Unix socket");
  if (s.port < 1 || s.port > 65535) bad("port", "must be 1 to 65535; Redis's own is 6379");
  if (s.database < 0) bad("database", "must not be negative");
  if (s.prefix.empty() || s.prefix.size() > 64 || !std::all_of(s.prefix.begin(), s.prefix.end(), plain))
    bad("prefix", "must be 1 to 64 letters, digits and any of _ - . :");
  if (s.timeout.count() <= 0) bad("timeout", "must be above 0");
  check_secret(s.secret_of_user(), s.who + ".password");
  if (!s.user.empty() && ways_given(s.secret_of_user()) == 0)
    bad("user", "has no password: give .password_file, .password_variable or .password");
}

/// What a fsync before each answer takes, and what keeps keys from being evicted.
inline constexpr std::array<std::pair<char const*, char const*>, 4> durable_settings{{
    {"appendonly", "yes"},
    {"appendfsync", "always"},
    {"no-appendfsync-on-rewrite", "no"},
    {"maxmemory-policy", "noeviction"},
}};

/// A line's value in INFO's text; empty where there is none.
inline std::string_view info_value(std::string_view info, std::string_view name) {
  for (std::size_t at = 0; at < info.size();) {
    auto const line = info.substr(at, info.find_first_of("\r\n", at) - at);
    at += line.size() + 1;
    if (line.starts_with(name) && line.substr(name.size()).starts_with(':')) return line.substr(name.size() + 1);
  }
  return {};
}

/// Whether a server that had no append-only file is still making its first: until that is whole, what is written is lost
/// with a crash, though CONFIG says appendonly yes. One that was started with appendonly yes has it, with a base of 0 bytes.
inline bool makes_first_file(std::string_view info) {
  auto const base = info_value(info, "aof_base_size");
  return info_value(info, "aof_enabled") == "1" && (base.empty() || base == "0") &&
         (info_value(info, "aof_rewrite_in_progress") == "1" || info_value(info, "aof_rewrite_scheduled") == "1");
}

/// Checks what a server says of itself, at each connect. All throw store_error.
class introduction {
  settings const& config_;
  std::string where_;
  std::string password_;

  [[noreturn]] void fail(errc code, std::string const& what) const { throw store_error(code, where_ + " " + what); }
  [[noreturn]] void fail(meaning const& m) const { fail(m.code, m.what); }
  static std::string_view text(redisReply const& r) { return r.str ? std::string_view{r.str, r.len} : ""; }
  static bool failed(redisReply const& r) { return r.type == REDIS_REPLY_ERROR; }

 public:
  /// Reads the password anew, so that it may be changed while the program runs.
  introduction(settings const& config, std::string where)
      : config_(config),
        where_(std::move(where)),
        password_(read_secret(config.secret_of_user(), config.who + ".password")) {}
  bool has_password() const { return !password_.empty(); }
  std::string const& password() const { return password_; }

  /// Of any reply: whether the server takes us at all.
  void check_room(redisReply const& r) const {
    if (failed(r) && has_no_room(text(r))) fail(meaning_of(text(r)));
  }
  void check_password(redisReply const& r) const {
    if (!failed(r)) return;
    if (auto const word = first_word(text(r)); word == "DENIED" || word == "LOADING") fail(meaning_of(text(r)));
    if (text(r).find("without any password configured") != std::string_view::npos)
      fail(errc::bad_configuration, "asks for no password, and one was given: leave it out, or give the server one");
    fail(errc::bad_configuration, "does not accept this user and password (AUTH)");
  }
  void check_database(redisReply const& r) const {
    if (!failed(r)) return;
    if (first_word(text(r)) != "ERR") fail(meaning_of(text(r)));
    fail(errc::bad_configuration, "has no database " + std::to_string(config_.database) +
                                      ": a cluster has only 0, others as many as `databases` says");
  }
  void check_scripts(redisReply const& r) const {
    if (failed(r)) fail(meaning_of(text(r)));
    if (r.type != REDIS_REPLY_INTEGER) fail(errc::store_unavailable, "gave an answer that is none of Redis's");
    if (r.integer != 1) fail(errc::bad_configuration, "is too old: Redis 7 or later is needed");
  }
  void check_role(redisReply const& r) const {
    if (failed(r)) {
      if (config_.durable && !config_.assume_durable)
        fail(errc::bad_configuration,
             "does not say whether it is a primary: allow this user INFO (+info), or set assume_durable");
      return;
    }
    if (text(r).find("\nrole:master") == std::string_view::npos)
      fail(errc::store_unavailable, "is not a primary but a replica or a Sentinel: give the address of the primary");
  }
  void check_durable(redisReply const& r, redisReply const& info) const {
    if (failed(r) && config_.assume_durable) return;
    if (failed(r) || r.type != REDIS_REPLY_ARRAY)
      fail(errc::bad_configuration,
           "does not say whether it is durable: allow this user CONFIG GET (+config|get), or, where you know that it "
           "is, set assume_durable; lossy_redis_offsets asks for no durability");
    for (auto const& [name, wanted] : durable_settings) {
      std::string_view found = "not known to it";
      for (std::size_t i = 0; i + 1 < r.elements; i += 2)
        if (text(*r.element[i]) == name) found = text(*r.element[i + 1]);
      if (found != wanted)
        fail(errc::bad_configuration, std::string{"would lose offsets: its "} + name + " is " +
                                          without_citations(found) + ", and must be " + wanted +
                                          "; lossy_redis_offsets asks for no durability");
    }
    if (!failed(info) && makes_first_file(text(info)))
      fail(errc::store_unavailable,
           "would lose offsets until its first append-only file is made: try again when INFO says "
           "aof_rewrite_in_progress:0 and aof_rewrite_scheduled:0");
  }
};

}}}  // namespace sluice::v0::detail::redis
