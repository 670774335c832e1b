/// \file offset_store/position_words.hpp  A position as seven words of text, for stores that keep text: written, and read with suspicion.
///
/// NEXT INCARNATION TURN NONCE EPOCH LAST HASH, each a decimal number; NEXT is `-` where the position is missing, LAST and
/// HASH are `-` where no record was consumed. TURN and NONCE are the fence, LAST and HASH the fingerprint.
#pragma once
#include <sluice/offset_store/concept.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string_view>
#include <system_error>

namespace sluice { inline namespace v0 { namespace detail {

template <class N>
std::optional<N> number_in(std::string_view word) {
  N n{};
  auto const [end, trouble] = std::from_chars(word.data(), word.data() + word.size(), n);
  if (trouble != std::errc{} || end != word.data() + word.size()) return {};
  return n;
}

/// The last three words.
inline std::string log_words(log_state const& log) {
  auto const last = log.last ? std::to_string(log.last->of.value()) + " " + std::to_string(log.last->hash) : "- -";
  return std::to_string(log.leader_epoch) + " " + last;
}

/// All seven.
inline std::string position_words(std::optional<offset> next, fence const& mine, log_state const& log) {
  return (next ? std::to_string(next->value()) : "-") + " " + std::to_string(log.incarnation) + " " +
         std::to_string(mine.turn) + " " + std::to_string(mine.nonce) + " " + log_words(log);
}

/// Fills in next, log and mine from a position's seven words. False: they are none.
inline bool read_words(std::string_view words, claimed& into) {
  std::array<std::string_view, 7> w;
  for (std::size_t i = 0; i < w.size(); ++i) {
    auto const end = std::min(words.find(' '), words.size());
    if ((end == words.size()) != (i + 1 == w.size())) return false;
    w[i] = words.substr(0, end);
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  auto const next = w[0] == "-" ? std::optional<std::int64_t>{0} : number_in<std::int64_t>(w[0]);
  auto const life = number_in<std::int64_t>(w[1]);
  auto const turn = number_in<std::uint64_t>(w[2]), nonce = number_in<std::uint64_t>(w[3]);
  auto const epoch = number_in<std::int32_t>(w[4]);
  if (!next || !life || !turn || !nonce || !epoch || (w[5] == "-") != (w[6] == "-")) return false;
  into.next = offset{*next};
  into.log = {.incarnation = *life, .leader_epoch = *epoch};
  into.mine = {*turn, *nonce};
  if (w[5] == "-") return true;
  auto const last = number_in<std::int64_t>(w[5]);
  auto const hash = number_in<std::uint64_t>(w[6]);
  if (!last || !hash) return false;
  into.log.last = fingerprint{offset{*last}, *hash};
  return true;
}

}}}  // namespace sluice::v0::detail
