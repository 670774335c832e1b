/// \file offset_store/redis_errors.hpp  What a Redis server's errors mean. A server may repeat what it was sent, so little of its text is passed on.
#pragma once
#include <sluice/error.hpp>

#include <algorithm>
#include <string>
#include <string_view>

namespace sluice { inline namespace v0 { namespace detail::redis {

/// The request may have been carried out; the answer is not there.
class lost : public store_error {
  std::string bare_;

 public:
  explicit lost(std::string const& what) : store_error(errc::store_unavailable, what), bare_(what) {}
  std::string const& bare() const { return bare_; }
};

/// The error's first word, such as WRONGTYPE.
inline std::string_view first_word(std::string_view text) { return text.substr(0, text.find(' ')); }

/// The text up to where the server may begin to cite.
inline std::string without_citations(std::string_view text) {
  auto const until = std::min({text.find_first_of("'\"`<"), text.find(", with args"), std::size_t{120}});
  std::string some{text.substr(0, until)};
  std::erase_if(some, [](char c) { return c < ' ' || c > '~'; });
  return some;
}

struct meaning {
  errc code;
  std::string what;
};

/// What a server with too many clients says to another one, whatever that has asked, before it closes the connection.
inline bool has_no_room(std::string_view text) { return text.starts_with("ERR max number of clients"); }

inline meaning meaning_of(std::string_view text) {
  auto const word = first_word(text);
  if (word == "OOM") return {errc::store_full, "has no memory left (maxmemory): give it more, or remove keys"};
  if (word == "MISCONF")
    return {errc::store_full, "can't write to its disk, and takes no more changes: see its log, and make room"};
  if (word == "WRONGTYPE")
    return {errc::store_damaged,
            "holds a key of the store's name that is of another type: choose another prefix, or remove that key"};
  if (word == "READONLY") return {errc::store_unavailable, "is a read-only replica: give the address of the primary"};
  if (word == "BUSY")
    return {errc::store_unavailable, "is busy with somebody's script that does not end: SCRIPT KILL ends it"};
  if (word == "LOADING") return {errc::store_unavailable, "is still loading its data"};
  if (word == "MASTERDOWN")
    return {errc::store_unavailable, "is a replica that has lost its primary: give the address of the primary"};
  if (word == "CLUSTERDOWN" || word == "TRYAGAIN" || word == "MOVED" || word == "ASK")
    return {errc::store_unavailable, "is a cluster that is being changed, or has slots that no node serves"};
  bool const within_script = text.find("The user executing the script") != text.npos ||  // Redis 7
                             text.find("ACL failure in script") != text.npos;            // Redis 8
  if (word == "NOPERM" || within_script)
    return {errc::bad_configuration,
            "does not give this user the right to run scripts on the store's keys: allow ~{PREFIX:* and +@all "
            "-@dangerous +config|get +info, or what comes to the same (ACL SETUSER)"};
  if (word == "NOAUTH")
    return {errc::bad_configuration, "asks for a password: give .password_file, .password_variable or .password"};
  if (word == "WRONGPASS") return {errc::bad_configuration, "does not accept this user and password"};
  if (word == "DENIED")
    return {errc::bad_configuration,
            "is in protected mode, and takes connections from its own host only: give it a "
            "password, and bind it to the network"};
  if (has_no_room(text))
    return {errc::store_unavailable,
            "has as many clients as it takes (maxclients): close some, or let it take more (CONFIG SET maxclients)"};
  if (word == "NOREPLICAS")
    return {errc::store_unavailable, "has fewer good replicas than min-replicas-to-write asks for"};
  if (text.find("Script killed") != text.npos)
    return {errc::store_unavailable, "ended our script, since somebody sent SCRIPT KILL: nothing was changed"};
  return {errc::store_unavailable, "refuses: " + without_citations(text)};
}

/// The server answered with an error, and changed nothing.
class refused : public store_error {
  std::string text_;

 public:
  refused(std::string const& where, std::string_view text) : refused(where, text, meaning_of(text)) {}
  std::string_view word() const { return first_word(text_); }
  std::string_view text() const { return text_; }

 private:
  refused(std::string const& where, std::string_view text, meaning const& m)
      : store_error(m.code, where + " " + m.what), text_(text) {}
};

}}}  // namespace sluice::v0::detail::redis
