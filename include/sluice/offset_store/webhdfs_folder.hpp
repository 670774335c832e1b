/// \file offset_store/webhdfs_folder.hpp  The state of a group as numbered files in a folder of HDFS: the newest is read, the next is published.
///
/// Publishing N is as in file_folder.hpp: a temporary file; renamed to N, which fails where N is taken; the folder listed.
/// With a number above N in it, ours was the late work of a sleeper and what counts is the highest. The highest is never
/// removed, the one before it is kept.
/// HttpFS leaves renameoptions out and calls FileSystem.rename, which in HDFS does not replace a file either: it says false.
#pragma once
#include <sluice/detail/secret.hpp>
#include <sluice/detail/url_names.hpp>
#include <sluice/offset_store/file_claims.hpp>
#include <sluice/offset_store/file_folder.hpp>
#include <sluice/offset_store/webhdfs_answers.hpp>

namespace sluice { inline namespace v0 { namespace detail::webhdfs {

struct settings {
  std::string address{};
  std::string directory{};
  std::string user{};
  secret token{};
  std::string ca_file{};
  std::chrono::milliseconds timeout{};
};

/// What can be told without the server. Throws error(bad_configuration).
inline void check(settings const& s) {
  auto const bad = [](char const* key, char const* why) {
    throw error(errc::bad_configuration, std::string{"webhdfs_offsets."} + key + " " + why);
  };
  auto const path = std::string_view{s.directory}.substr(s.directory.starts_with('/') ? 1 : 0);
  if (!s.directory.starts_with('/') || path.empty() || path.ends_with('/') || !is_plain_path(path))
    bad("directory", "must be an absolute path of letters, digits and any of - _ . / such as /user/billing/offsets");
  if (s.user.size() > 64 || !is_plain_path(s.user) || s.user.find('/') != s.user.npos)
    bad("user", "must be at most 64 letters, digits and any of - _ .");
  check_secret(s.token, "webhdfs_offsets.token");
  if (s.user.empty() == (ways_given(s.token) == 0))
    bad("user", "must be given, or a delegation token (.token_file, .token_variable, .token), and not both");
  if (s.timeout.count() <= 0) bad("timeout", "must be above 0");
}

/// What a group's files are kept in, below the directory. A name that is too long is spread over several folders.
inline std::string group_path(std::string_view group) {
  std::string path;
  for (auto const& part : split_name(url_name(group), '~', '~')) path += "/" + part;
  return path;
}

class folder {
  settings settings_;
  http::connection http_;
  http::address address_;
  std::string group_{};
  std::string path_{};
  std::uint64_t number_ = 0;        // of state_; 0: nothing was published yet
  std::uint64_t acknowledged_ = 0;  // the last that we know to be durable
  bool current_ = false;
  file_generation state_{};
  std::string bytes_{};

  static http::settings of(settings const& s, http::address const& a) {
    return {.who = "webhdfs_offsets",
            .where = "webhdfs_offsets: WebHDFS at " + a.host_and_port(),
            .ca_file = s.ca_file,
            .timeout = s.timeout,
            .longest = generation_header + generation_cap};
  }
  static http::address address_of(settings const& s) {
    check(s);
    return http::parse_address(s.address, "webhdfs_offsets.address");
  }
  folder(settings s, http::address a) : settings_(std::move(s)), http_(of(settings_, a)), address_(std::move(a)) {}

  std::string who_asks() const {
    if (!settings_.user.empty()) return "&user.name=" + settings_.user;
    auto const token = read_secret(settings_.token, "webhdfs_offsets.token");
    if (!is_made_of(token, capitals_and_signs))
      throw store_error(errc::bad_configuration,
                        "webhdfs_offsets.token is none: it has a letter that no delegation token has");
    return "&delegation=" + token;
  }
  http::answer ask(char const* method, std::string const& path, std::string const& operation, time_point by) {
    return http_.ask({.method = method, .url = address_.url() + "/webhdfs/v1" + path + "?op=" + operation + who_asks()},
                     by);
  }
  /// What the server answers itself, or the host that it names: for reading and for writing a file's content.
  http::answer ask_in_two_steps(char const* method, std::string const& path, std::string const& operation,
                                std::optional<std::string_view> content, time_point by) {
    auto a = ask(method, path, operation, by);
    if (a.status != 307 && a.status != 302) return a;
    bool const ours =
        a.location.starts_with("https://") || (address_.scheme == "http" && a.location.starts_with("http://"));
    if (!ours || a.location.find("/webhdfs/v1/") == a.location.npos)
      throw store_error(errc::store_unavailable, http_.config().where +
                                                     " names a place for the file's content that is none: " +
                                                     "WebHDFS's own, and over https where the address is, are gone to");
    http::request r{.method = method, .url = std::move(a.location), .content = content};
    if (content) r.headers.push_back("Content-Type: application/octet-stream");
    return http_.ask(r, by);
  }

  [[noreturn]] void refuse(http::answer const& a) const {
    auto const m = meaning_of(a);
    throw store_error(m.code, http_.config().where + " " + m.what);
  }
  static bool not_there(http::answer const& a) {
    return a.status == 404 && exception_of(a.content) == "FileNotFoundException";
  }

  struct listing {
    std::vector<std::uint64_t> numbers{};
    std::vector<std::string> names{};
  };
  listing list(time_point by) {
    auto const a = ask("GET", path_, "LISTSTATUS", by);
    if (not_there(a)) return {};
    auto names = names_of(a.content);
    if (a.status != 200 || !names) refuse(a);
    return {generation_numbers(*names), std::move(*names)};
  }

  /// False: removed in the meantime, since there is a newer one.
  bool load(std::uint64_t number, time_point by) {
    auto const file = path_ + "/" + generation_name(number);
    auto const a = ask_in_two_steps("GET", file, "OPEN", {}, by);
    if (not_there(a)) return false;
    if (a.status != 200) refuse(a);
    auto found = parse_generation<file_generation>(a.content, "webhdfs_offsets: " + file);
    for (auto const& [key, partitions] : found.topics)
      if (key.group != group_)
        throw store_error(errc::store_damaged, "webhdfs_offsets: " + file + " holds the offsets of the group '" +
                                                   key.group + "': it was copied here; " +
                                                   std::string{earlier_file_counts});
    state_ = std::move(found);
    number_ = number;
    return true;
  }

  /// Best effort: what stays is removed by the next one.
  void clean_up(listing const& there, time_point by) {
    try {
      for (auto const n : there.numbers)
        if (n + 1 < there.numbers.back()) ask("DELETE", path_ + "/" + generation_name(n), "DELETE", by);
      for (std::string_view const name : there.names)
        if (name.starts_with(temporary_prefix))
          if (auto const n = padded_number(name.substr(temporary_prefix.size(), 20)); n && *n < there.numbers.back())
            ask("DELETE", path_ + "/" + std::string{name}, "DELETE", by);
    } catch (store_error const&) { return; }
  }

 public:
  explicit folder(settings const& s) : folder(s, address_of(s)) {}

  /// Throws store_error where the server can't be had, or the directory can't be written to.
  void probe(time_point by) {
    auto const a = ask("GET", settings_.directory, "CHECKACCESS&fsaction=rwx", by);
    if (not_there(a))
      throw store_error(errc::bad_configuration, "webhdfs_offsets.directory: there is no " + settings_.directory +
                                                     " at " + address_.host_and_port() +
                                                     ": make it (hdfs dfs -mkdir -p)");
    if (a.status != 200 || !a.content.empty()) refuse(a);
  }

  std::string name() const { return "webhdfs_offsets: " + path_; }

  void select(std::string const& group) {
    if (group == group_ && !path_.empty()) return;
    group_ = group;
    path_ = settings_.directory + group_path(group);
    number_ = acknowledged_ = 0;
    current_ = false;
  }

  file_generation& newest(time_point by) {
    while (!current_) {
      auto const there = list(by).numbers;
      if (there.empty()) {
        if (number_ > 0)
          throw store_error(errc::store_damaged,
                            name() + " is empty, and was not before: put its files back from a backup");
        state_ = file_generation{.id = {random_bits(), random_bits()}};
        current_ = true;
      } else {
        current_ = load(there.back(), by);
      }
    }
    return state_;
  }
  bool current() const { return current_; }
  void doubt() { current_ = false; }
  void unchanged() { current_ = true; }
  /// A name that can be seen may not be in the NameNode's journal yet; one that was acknowledged is.
  bool durable() const { return number_ == acknowledged_; }

  publication publish(time_point by) {
    current_ = false;
    auto const number = number_ + 1;
    if (number == 0) throw store_error(errc::store_damaged, name() + " " + std::string{highest_number});
    encode(state_, bytes_);
    auto const file = path_ + "/" + std::string{temporary_prefix} + padded(number) + "." + hex16(random_bits());
    auto const made = ask_in_two_steps("PUT", file, "CREATE&overwrite=false", bytes_, by);
    if (made.status != 201) refuse(made);
    try {
      auto const a =
          ask("PUT", file, "RENAME&destination=" + path_ + "/" + generation_name(number) + "&renameoptions=NONE", by);
      auto const renamed = boolean_of(a.content);
      if (exception_of(a.content) == "FileAlreadyExistsException" || not_there(a)) return publication::taken;
      if (a.status == 200 && renamed == false) return publication::taken;
      if (a.status >= 500) return publication::unknown;
      if (a.status != 200 || !(renamed || a.content.empty())) refuse(a);
    } catch (http::lost const&) { return publication::unknown; }
    listing there;
    try {
      there = list(by);
    } catch (store_error const&) { return publication::unknown; }
    if (there.numbers.empty()) return publication::unknown;
    clean_up(there, by);
    if (there.numbers.back() != number) return publication::overtaken;
    number_ = acknowledged_ = number;
    current_ = true;
    return publication::yes;
  }
};

}}}  // namespace sluice::v0::detail::webhdfs
