/// \file offset_store/s3_object.hpp  The state of a group as one object in S3, changed only by conditional writes.
#pragma once
#include <sluice/offset_store/file_claims.hpp>
#include <sluice/offset_store/s3_client.hpp>

namespace sluice { inline namespace v0 { namespace detail::s3 {

inline constexpr std::string_view restore_object = "put an earlier version back, or a backup";

/// The ETag of what was read goes with every write, so a late one changes nothing: no state ever comes back, since each
/// change makes a new fence or moves an offset on.
class object {
  static constexpr std::size_t longest_key = 1024;

  client client_;
  std::string key_{};
  std::string group_{};
  std::string etag_{};  // empty: the object is not there
  bool current_ = false;
  file_generation state_{};
  std::string bytes_{};

  [[noreturn]] void gone() const {
    throw store_error(errc::store_damaged, name() + " is gone, and was there before: " + std::string{restore_object});
  }

 public:
  explicit object(settings const& s) : client_(s) {}

  /// Throws store_error where the server can't be had, or writes without looking at conditions. It leaves one small object.
  void probe(time_point by) { client_.probe(by); }

  std::string name() const { return "s3_offsets: s3://" + client_.config().bucket + "/" + key_; }

  void select(std::string const& group) {
    if (group == group_ && !key_.empty()) return;
    auto key = client_.config().prefix + url_name(group);
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
    auto a = client_.ask("GET", key_, by);
    if (a.status == 404 && code_of(a.content) == "NoSuchKey") {
      if (!etag_.empty()) gone();
      state_ = file_generation{.id = {random_bits(), random_bits()}};
    } else {
      if (a.status != 200) client_.refuse(a);
      if (a.etag.empty())
        throw store_error(errc::store_unavailable, client_.where() + " gave an object without its ETag");
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
      a = client_.ask("PUT", key_, by, bytes_, etag_.empty() ? "If-None-Match: *" : "If-Match: " + etag_);
    } catch (http::lost const&) { return publication::unknown; }
    if (a.status == 409 || a.status == 412) return publication::taken;
    if (a.status == 429 || a.status >= 500) {
      if (auto const m = meaning_of(a); m.code == errc::store_full) client_.refuse(a);
      return publication::unknown;
    }
    if (a.status == 404 && code_of(a.content) == "NoSuchKey" && !etag_.empty()) gone();
    if (a.status != 200) client_.refuse(a);
    current_ = !a.etag.empty();
    if (current_) etag_ = std::move(a.etag);
    return publication::yes;
  }
};

}}}  // namespace sluice::v0::detail::s3
