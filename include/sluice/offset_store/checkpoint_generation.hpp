/// \file offset_store/checkpoint_generation.hpp  What one numbered file of a checkpoint holds: what file_offsets keeps, and the list of segments.
#pragma once
#include <sluice/offset_store/checkpoint_segment.hpp>

namespace sluice { inline namespace v0 {

/// The whole of a checkpoint is its newest numbered file and the segments that this names. The list is part of what the file's checksum
/// covers, so positions and rows are of one moment.
struct checkpoint_generation : file_generation {
  static constexpr std::string_view kept_by = "checkpoint";
  static constexpr std::string_view holds = "a checkpoint";
  static constexpr std::string_view magic{
      "sluice\x1a"
      "C",
      8};
  static constexpr std::uint32_t format_version = 1;

  std::string program{};                        ///< whose it is; empty: nobody said
  std::string version{};                        ///< of the program that wrote it last
  std::vector<detail::segment_ref> segments{};  ///< the oldest first
  std::vector<detail::segment_ref> retired{};   ///< named by the numbered file before this one, and not by this
  /// Rows that belong to no partition of the writer's: in which numbered file they changed last.
  std::map<detail::table_key, std::uint64_t> shared{};

  friend bool operator==(checkpoint_generation const&, checkpoint_generation const&) = default;

  static void check_kind(std::string_view content, std::string const& file) {
    if (content.starts_with(detail::generation_magic))
      throw error{errc::bad_configuration, "checkpoint.directory: " + file +
                                               " was made by file_offsets; name another folder. It was left as it is"};
  }
  void write_more(detail::byte_writer& w) const {
    w.text(program);
    w.text(version);
    for (auto const* list : {&segments, &retired}) {
      w.number(static_cast<std::uint32_t>(list->size()));
      for (auto const& s : *list) {
        w.number(s.id);
        w.number(s.size);
        w.number(s.crc);
        w.number(s.rows);
        w.number(s.level);
      }
    }
    w.number(static_cast<std::uint32_t>(shared.size()));
    for (auto const& [key, since] : shared) {
      w.text(key.group);
      w.text(key.state);
      w.text(key.topic);
      w.number(key.partition);
      w.number(since);
    }
  }
  void read_more(detail::byte_reader& r) {
    program = r.text();
    version = r.text();
    for (auto* list : {&segments, &retired})
      for (auto n = r.count(29); n > 0; --n) {
        auto& s = list->emplace_back();
        s.id = r.number<std::uint64_t>();
        s.size = r.number<std::uint64_t>();
        s.crc = r.number<std::uint32_t>();
        s.rows = r.number<std::uint64_t>();
        s.level = r.number<std::uint8_t>();
      }
    for (auto n = r.count(24); n > 0; --n) {
      detail::table_key key;
      key.group = r.text();
      key.state = r.text();
      key.topic = r.text();
      key.partition = r.number<std::int32_t>();
      detail::put_last(r, shared, std::move(key), r.number<std::uint64_t>());
    }
  }
};

}}  // namespace sluice::v0
