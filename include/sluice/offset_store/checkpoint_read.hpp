/// \file offset_store/checkpoint_read.hpp  Positions, state and results in a checkpoint, read by another program without claiming anything.
///
/// All of one moment: what the newest generation says when the call begins. Any process may read, at any time; the consumer
/// does not notice. Throws error(bad_configuration), store_error (damaged, newer).
#pragma once
#include <sluice/offset_store/checkpoint.hpp>
#include <sluice/offset_store/state_read.hpp>
#include <sluice/state/codec.hpp>

namespace sluice { inline namespace v0 {

namespace detail {

template <class Files>
using checkpoint_folder = generation_folder<Files, checkpoint_generation>;

inline void check_checkpoint_directory(checkpoint const& config) {
  if (config.directory.empty())
    throw error{errc::bad_configuration, "checkpoint.directory is empty; name a folder, such as \"/var/lib/counts\""};
}

/// Calls f(table, row) for all rows of the group's state of that name.
template <class Files, class F>
void each_state_row(Files files, std::string const& directory, std::string const& group, std::string_view name, F f) {
  checkpoint_folder<Files> folder{std::move(files), directory};
  local_segments<Files> place{folder.files(), folder.handle(), folder.path()};
  open_segments segments{place, std::size_t{1} << 20};
  folder.newest();
  follow_newest(folder, segments);
  row_view const view{segments, {}};
  for (auto const& t : view.tables())
    if (t.kind == table_key::rows && t.group == group && t.state == name)
      view.each(t, [&](table_row const& row) {
        f(t, row);
        return true;
      });
}

/// Calls f(partition, key, value) with a row of the state of that name, where it is one.
template <class Key, class Value, class F>
auto decoded_row(std::string_view name, F& f) {
  return [name, &f](table_key const& t, table_row const& row) {
    if (!row.key.starts_with('k')) return;
    topic_partition const of{t.topic, t.partition};
    try {
      f(of, decoded<Key>(row.key.substr(1)), decoded<Value>(row.value));
    } catch (unreadable const& e) {
      throw store_error{e.code(), "state \"" + std::string{name} + "\": a key of " + std::to_string(row.key.size() - 1) +
                                      " bytes in " + to_string(of) +
                                      " can't be read as the types that were asked for (" + e.what() + ")"};
    }
  };
}

}  // namespace detail

/// See kept_position.hpp. Nothing here waits, so `by` is not looked at.
template <class Context = context>
detail::late<std::vector<kept_position>, Context> read_positions(checkpoint const& config, Context const& c,
                                                                 time_point /*by*/) {
  detail::check_checkpoint_directory(config);
  detail::checkpoint_folder<detail::late<detail::posix_files, Context>> folder{{}, config.directory};
  auto const& state = folder.newest();
  if (folder.number() == 0) return {};
  return detail::positions_in(state, c.group, detail::hex16(state.id[0]) + detail::hex16(state.id[1]));
}

/// Calls f(partition, key, value) for each key of the group's keyed_state of that name, by partition. Memory is needed
/// for a few blocks, whatever the state's size.
///
///     sl::for_each_state<std::string, std::int64_t>(
///         sl::checkpoint{"/var/lib/counts"}, {.group = "counts"}, "counts",
///         [](sl::topic_partition const& of, std::string const& key, std::int64_t n) { … });
template <class Key, class Value, class F>
void for_each_state(checkpoint const& config, context const& c, std::string_view name, F f) {
  detail::check_checkpoint_directory(config);
  detail::each_state_row(detail::posix_files{}, config.directory, c.group, name,
                         detail::decoded_row<Key, Value>(name, f));
}

/// The newest generation: positions, values, lengths of texts, rewinds, program, segments.
template <class Files = detail::posix_files>
detail::late<checkpoint_generation, Files> read_checkpoint(std::string const& directory) {
  return detail::checkpoint_folder<Files>{{}, directory}.newest();
}

/// As read_text of file_offsets: all committed text that was appended under `name`.
template <class Files = detail::posix_files>
std::string read_checkpoint_text(std::string const& directory, std::string const& name, std::string const& group = {}) {
  return detail::read_text<checkpoint_generation>(Files{}, directory, name, group);
}

}}  // namespace sluice::v0
