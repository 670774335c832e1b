/// \file offset_store/s3_checkpoint.hpp  checkpoint_in<s3_offsets>: offsets and state as objects below a prefix in S3.
///
/// PREFIX/generation.NUMBER and PREFIX/segments/segment.ID, each written once, with `If-None-Match: *`.
#pragma once
#include <sluice/offset_store/checkpoint_in.hpp>
#include <sluice/offset_store/s3.hpp>

namespace sluice { inline namespace v0 { namespace detail {

/// Needs s3:DeleteObject besides what s3_offsets needs.
template <>
struct checkpoint_place<s3_offsets> {
  using server = s3::files_of;

  static std::string folder(s3_offsets const& p) {
    auto prefix = p.prefix;
    while (prefix.ends_with('/')) prefix.pop_back();
    if (prefix.empty())
      throw error{errc::bad_configuration, "s3_offsets.prefix is empty; a checkpoint needs one of its own"};
    return "s3://" + p.bucket + "/" + prefix;
  }
  static server reading(s3_offsets const& p) { return server{s3::settings_of(p)}; }
  static server open(s3_offsets const& p) {
    auto s = reading(p);
    s.requests().probe(std::chrono::steady_clock::now() + p.timeout);
    return s;
  }
};

}}}  // namespace sluice::v0::detail
