/// \file offset_store/s3.hpp  Offsets in S3, or what speaks like it: one object for each group, changed by conditional writes.
#pragma once
#include <sluice/offset_store/s3_object.hpp>
#include <sluice/offset_store/state_store.hpp>

namespace sluice { inline namespace v0 {

using s3_offset_store = basic_state_store<detail::s3::object>;

/// Goes with at_most_once, at_least_once and idempotent. An advance of all partitions is one PUT of the group's object
/// (53 bytes for each partition), so it suits batches that take seconds rather than milliseconds.
///
/// The server must have conditional writes, `If-None-Match: *` and `If-Match`: AWS has, MinIO, Ceph and others in later
/// versions. When the store is opened it shows that it does, on an object PREFIX~probe that stays. The key needs
/// s3:GetObject and s3:PutObject on the prefix, and s3:ListBucket on the bucket, which must be there. Let no lifecycle
/// rule remove the objects.
///
/// Not one of the secrets is ever printed. With http:// the requests are signed but can be read by others on the way.
struct s3_offsets {
  using slot = offset_store_slot;
  using must_be_configured = void;
  using runtime = s3_offset_store;

  std::string bucket{};
  std::string region = "us-east-1";
  std::string endpoint{};             ///< "https://HOST:PORT"; empty: AWS's of the region
  bool path_style = false;            ///< ENDPOINT/BUCKET/KEY; else BUCKET.ENDPOINT/KEY
  std::string prefix = "sluice/";     ///< of all keys; a group's is PREFIX and its name
  std::string access_key{};           ///< empty: AWS_ACCESS_KEY_ID, with its two secrets, of the environment
  std::string secret_key{};           ///< or, so that no source text holds it:
  std::string secret_key_file{};      ///< a file that holds it, read for each request
  std::string secret_key_variable{};  ///< the name of an environment variable that holds it
  std::string session_token{};        ///< of temporary keys; or likewise:
  std::string session_token_file{};
  std::string session_token_variable{};
  std::string ca_file{};                    ///< certificates of authorities, PEM; empty: the system's
  std::chrono::milliseconds timeout{5000};  ///< for connecting, and for the whole of opening
  bool mirror = true;                       ///< progress is shown in the source's group too, best effort

  /// Throws error(bad_configuration), store_error(store_unavailable, bad_configuration).
  template <class Context = context>
  static runtime open(s3_offsets const& self, Context const& c);
};

template <class Context>
s3_offsets::runtime s3_offsets::open(s3_offsets const& self, Context const& c) {
  detail::s3::object o{detail::s3::settings_of(self)};
  o.probe(std::chrono::steady_clock::now() + self.timeout);
  return runtime{std::move(o), c.group, self.mirror, c.log};
}

}}  // namespace sluice::v0
