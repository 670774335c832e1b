/// \file offset_store/webhdfs_answers.hpp  What a WebHDFS server's answers mean: names of files, and refusals by the exception that they name.
#pragma once
#include <sluice/detail/url_names.hpp>
#include <sluice/offset_store/http_connection.hpp>

#include <charconv>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail::webhdfs {

/// The text that stands behind `"KEY":"` from `at` on, up to the next quote; absent where there is none. `at` goes behind it.
inline std::optional<std::string_view> text_behind(std::string_view json, std::string const& key, std::size_t& at) {
  auto const begin = "\"" + key + "\":\"";
  auto const found = json.find(begin, at);
  if (found == json.npos) return {};
  auto const from = found + begin.size();
  auto const until = json.find('"', from);
  if (until == json.npos) return {};
  at = until + 1;
  return json.substr(from, until - from);
}

/// The class of a RemoteException, such as AccessControlException; empty where the answer is none.
inline std::string exception_of(std::string_view json) {
  std::size_t at = 0;
  if (!json.starts_with("{\"RemoteException\":{")) return {};
  std::string word{text_behind(json, "exception", at).value_or("")};
  return word.size() <= 64 && is_made_of(word, capitals) ? word : "";
}

/// The names in the answer to LISTSTATUS; absent where it is none. Names of ours hold nothing that JSON would escape.
inline std::optional<std::vector<std::string>> names_of(std::string_view json) {
  if (!json.starts_with("{\"FileStatuses\":{")) return {};
  std::vector<std::string> names;
  std::size_t at = 0;
  while (auto const name = text_behind(json, "pathSuffix", at)) names.emplace_back(*name);
  return names;
}

/// What is said instead of an exception, such as `{"boolean":false}` by a RENAME whose name is taken; absent in other answers.
inline std::optional<bool> boolean_of(std::string_view json) {
  if (json.starts_with("{\"boolean\":true}")) return true;
  if (json.starts_with("{\"boolean\":false}")) return false;
  return {};
}

/// The number that stands behind `"length":`, of the answer to GETFILESTATUS; absent where there is none.
inline std::optional<std::uint64_t> length_of(std::string_view json) {
  constexpr std::string_view begin = "\"length\":";
  auto const at = json.find(begin);
  if (!json.starts_with("{\"FileStatus\":{") || at == json.npos) return {};
  std::uint64_t n = 0;
  auto const digits = json.substr(at + begin.size());
  auto const end = std::from_chars(digits.data(), digits.data() + digits.size(), n);
  if (end.ec != std::errc{}) return {};
  return n;
}

struct meaning {
  errc code;
  std::string what;
};

/// Of an answer that is neither success nor that a name is taken, or not there.
inline meaning meaning_of(http::answer const& a, std::string const& who = "webhdfs_offsets") {
  auto const word = exception_of(a.content);
  auto const said = [&] { return std::to_string(a.status) + (word.empty() ? "" : " " + word); };
  if (word == "AccessControlException")
    return {errc::bad_configuration,
            "does not let this user do it: give it the right to read, write and enter " +
                (who == "webhdfs_offsets" ? who + ".directory" : "the folder") + " (hdfs dfs -chown, -chmod)"};
  if (a.status == 401 || word == "InvalidToken" || word == "SecurityException" || word == "AuthenticationException")
    return {errc::bad_configuration,
            "does not accept this user or token (" + said() + "): see " + who + ".user and .token"};
  if (word == "StandbyException")
    return {errc::store_unavailable, "is a standby: give the address of the active NameNode"};
  if (word == "SafeModeException")
    return {errc::store_unavailable, "is in safe mode, and changes nothing until it leaves it"};
  if (word.find("Quota") != word.npos) return {errc::store_full, "has no room left for this folder (" + said() + ")"};
  if (word == "RetriableException" || a.status == 429 || a.status >= 500 || word == "IOException")
    return {errc::store_unavailable,
            "can't do it now (" + said() + "): are all its DataNodes up, and have they space?"};
  if (word.empty())
    return {errc::store_unavailable,
            "gave an answer that is none of WebHDFS's (" + said() + "): is the address right?"};
  return {errc::store_unavailable, "refuses: " + said()};
}

}}}  // namespace sluice::v0::detail::webhdfs
