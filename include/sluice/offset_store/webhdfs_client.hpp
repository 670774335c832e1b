/// \file offset_store/webhdfs_client.hpp  Requests to WebHDFS: who asks, where a file's content goes, and what a refusal means.
#pragma once
#include <sluice/detail/secret.hpp>
#include <sluice/detail/url_names.hpp>
#include <sluice/offset_store/hosted_files.hpp>
#include <sluice/offset_store/webhdfs_answers.hpp>

namespace sluice { inline namespace v0 { namespace detail::webhdfs {

struct settings {
  std::string address{};
  std::string directory{};
  std::string user{};
  secret token{};
  std::string ca_file{};
  std::chrono::milliseconds timeout{};
  std::string who = "webhdfs_offsets";  ///< the policy, for errors
};

/// What can be told of it without the server. Throws error(bad_configuration).
inline void check_directory(std::string const& path, std::string const& key) {
  auto const below = std::string_view{path}.substr(path.starts_with('/') ? 1 : 0);
  if (!path.starts_with('/') || below.empty() || below.ends_with('/') || !is_plain_path(below))
    throw error(errc::bad_configuration,
                key + " must be an absolute path of letters, digits and any of - _ . / such as /user/billing/offsets");
}

/// The same of all but the directory.
inline void check(settings const& s) {
  auto const bad = [&](char const* key, char const* why) {
    throw error(errc::bad_configuration, s.who + "." + key + " " + why);
  };
  if (s.user.size() > 64 || !is_plain_path(s.user) || s.user.find('/') != s.user.npos)
    bad("user", "must be at most 64 letters, digits and any of - _ .");
  check_secret(s.token, s.who + ".token");
  if (s.user.empty() == (ways_given(s.token) == 0))
    bad("user", "must be given, or a delegation token (.token_file, .token_variable, .token), and not both");
  if (s.timeout.count() <= 0) bad("timeout", "must be above 0");
}

/// As it stands in a URL; names of others in a folder may hold anything.
inline std::string url_path(std::string_view path) {
  std::string out;
  for (char const c : path) {
    if (is_made_of({&c, 1}, capitals_and_signs) ? c != '=' : c == '~') {
      out += c;
    } else {
      auto const byte = static_cast<unsigned char>(c);
      out += {'%', "0123456789ABCDEF"[byte >> 4], "0123456789ABCDEF"[byte & 15]};
    }
  }
  return out;
}

/// One request at a time. Paths are absolute.
class client {
  settings settings_;
  http::connection http_;
  http::address address_;

  static http::settings of(settings const& s, http::address const& a) {
    return {.who = s.who,
            .where = s.who + ": WebHDFS at " + a.host_and_port(),
            .ca_file = s.ca_file,
            .timeout = s.timeout,
            .longest = generation_header + generation_cap};
  }
  static http::address address_of(settings const& s) {
    check(s);
    return http::parse_address(s.address, s.who + ".address");
  }
  client(settings s, http::address a) : settings_(std::move(s)), http_(of(settings_, a)), address_(std::move(a)) {}

  std::string who_asks() const {
    if (!settings_.user.empty()) return "&user.name=" + settings_.user;
    auto const token = read_secret(settings_.token, settings_.who + ".token");
    if (!is_made_of(token, capitals_and_signs))
      throw store_error(errc::bad_configuration,
                        settings_.who + ".token is none: it has a letter that no delegation token has");
    return "&delegation=" + token;
  }

 public:
  explicit client(settings const& s) : client(s, address_of(s)) {}

  settings const& config() const { return settings_; }
  std::string const& where() const { return http_.config().where; }

  http::answer ask(char const* method, std::string const& path, std::string const& operation, time_point by) {
    return http_.ask(
        {.method = method, .url = address_.url() + "/webhdfs/v1" + url_path(path) + "?op=" + operation + who_asks()},
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
      throw store_error(errc::store_unavailable, where() + " names a place for the file's content that is none: " +
                                                     "WebHDFS's own, and over https where the address is, are gone to");
    http::request r{.method = method, .url = std::move(a.location), .content = content};
    if (content) r.headers.push_back("Content-Type: application/octet-stream");
    return http_.ask(r, by);
  }
  [[noreturn]] void refuse(http::answer const& a) const {
    auto const m = meaning_of(a, settings_.who);
    throw store_error(m.code, where() + " " + m.what);
  }
  static bool not_there(http::answer const& a) {
    return a.status == 404 && exception_of(a.content) == "FileNotFoundException";
  }

  /// The names in a folder; absent where it is not there.
  std::optional<std::vector<std::string>> list(std::string const& path, time_point by) {
    auto const a = ask("GET", path, "LISTSTATUS", by);
    if (not_there(a)) return {};
    auto names = names_of(a.content);
    if (a.status != 200 || !names) refuse(a);
    return names;
  }
  /// A new file. Throws store_error: then what is there under that name, if anything, is of no use.
  void create(std::string const& path, std::string_view content, time_point by) {
    auto const made = ask_in_two_steps("PUT", path, "CREATE&overwrite=false", content, by);
    if (made.status != 201) refuse(made);
  }
  /// Another name for a file, or a folder; one that is there is never replaced. HttpFS leaves renameoptions out and calls
  /// FileSystem.rename: in HDFS that does not replace a file either (it says false), and puts a folder into the folder that is there.
  naming rename(std::string const& from, std::string const& to, time_point by) {
    try {
      auto const a = ask("PUT", from, "RENAME&destination=" + url_path(to) + "&renameoptions=NONE", by);
      auto const renamed = boolean_of(a.content);
      if (exception_of(a.content) == "FileAlreadyExistsException") return naming::taken;
      if (not_there(a)) return naming::gone;
      if (a.status == 200 && renamed == false) return naming::taken;
      if (a.status >= 500) return naming::unknown;
      if (a.status != 200 || !(renamed || a.content.empty())) refuse(a);
      return naming::done;
    } catch (http::lost const&) { return naming::unknown; }
  }
  /// Sets when a file or a folder was changed, to now: an entry of the journal, whatever the time was.
  naming touch(std::string const& path, time_point by) {
    auto const now = std::chrono::system_clock::now().time_since_epoch();
    auto const ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
    try {
      auto const a = ask("PUT", path, "SETTIMES&modificationtime=" + std::to_string(ms), by);
      if (not_there(a)) return naming::gone;
      if (a.status >= 500) return naming::unknown;
      if (a.status != 200) refuse(a);
      return naming::done;
    } catch (http::lost const&) { return naming::unknown; }
  }
  /// A file, or a folder with all that is in it; it may be gone already.
  void remove(std::string const& path, time_point by) {
    auto const a = ask("DELETE", path, "DELETE&recursive=true", by);
    if (a.status != 200) refuse(a);
  }
  /// Throws store_error where the directory can't be used.
  void probe(time_point by) {
    auto const a = ask("GET", settings_.directory, "CHECKACCESS&fsaction=rwx", by);
    if (not_there(a))
      throw store_error(errc::bad_configuration, settings_.who + ".directory: there is no " + settings_.directory +
                                                     " at " + address_.host_and_port() +
                                                     ": make it (hdfs dfs -mkdir -p)");
    if (a.status != 200 || !a.content.empty()) refuse(a);
  }
};

/// For hosted_files.
class files_of {
  client client_;
  bool renames_folders_ = false;  // known to refuse one whose name is taken

 public:
  static constexpr bool renames = true;

  explicit files_of(settings const& s) : client_(s) {}

  client& requests() { return client_; }
  std::chrono::milliseconds timeout() const { return client_.config().timeout; }
  std::string path_of(std::string const& name) const {
    check_directory(name, "the folder '" + name + "'");
    return name;
  }

  std::optional<std::vector<std::string>> list(std::string const& path, time_point by) {
    return client_.list(path, by);
  }
  std::optional<std::uint64_t> size(std::string const& path, time_point by) {
    auto const a = client_.ask("GET", path, "GETFILESTATUS", by);
    if (client_.not_there(a)) return {};
    auto const length = length_of(a.content);
    if (a.status != 200 || !length) client_.refuse(a);
    return length;
  }
  std::string fetch(std::string const& path, std::uint64_t at, std::size_t count, time_point by) {
    auto a = client_.ask_in_two_steps("GET", path,
                                      "OPEN&offset=" + std::to_string(at) + "&length=" + std::to_string(count), {}, by);
    if (a.status != 200) client_.refuse(a);
    return std::move(a.content);
  }
  naming create(std::string const& path, std::string_view content, time_point by) {
    client_.create(path, content, by);
    return naming::done;
  }
  naming rename(std::string const& from, std::string const& to, time_point by) { return client_.rename(from, to, by); }
  void remove(std::string const& path, time_point by) { client_.remove(path, by); }
  naming touch(std::string const& path, time_point by) { return client_.touch(path, by); }

  /// in/from becomes in/to. Throws store_error(bad_configuration) where the server would put it into a folder of that name.
  naming rename_folder(std::string const& in, std::string const& from, std::string const& to, time_point by) {
    if (!renames_folders_) {
      auto const trial = in + "/" + std::string{temporary_prefix} + hex16(random_bits());
      client_.create(trial + "/a/content", "", by);
      client_.create(trial + "/b/content", "", by);
      auto const how = client_.rename(trial + "/a", trial + "/b", by);
      client_.remove(trial, by);
      if (how == naming::done)
        throw store_error(errc::bad_configuration,
                          client_.where() +
                              " moves a folder into one whose name is taken, as HttpFS does: give the "
                              "address of the NameNode");
      if (how != naming::taken) throw store_error(errc::store_unavailable, client_.where() + " can't rename now");
      renames_folders_ = true;
    }
    auto const how = client_.rename(in + "/" + from, in + "/" + to, by);
    if (how == naming::unknown)
      throw store_error(errc::store_unavailable, client_.where() + ": no answer came to a renaming in " + in);
    return how;
  }
};

template <class Policy>
settings settings_of(Policy const& p) {
  settings s{.address = p.address,
             .user = p.user,
             .token = {p.token, p.token_file, p.token_variable},
             .ca_file = p.ca_file,
             .timeout = p.timeout};
  if constexpr (requires { p.directory; }) {
    s.directory = p.directory;
    check_directory(s.directory, s.who + ".directory");
  } else {
    s.who = "webhdfs_server";
  }
  return s;
}

}}}  // namespace sluice::v0::detail::webhdfs
