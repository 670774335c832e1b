/// \file offset_store/checkpoint.hpp  Offsets and keyed state in one folder, of one moment, without any database.
#pragma once
#include <sluice/offset_store/checkpoint_beside.hpp>
#include <sluice/offset_store/file.hpp>

namespace sluice { inline namespace v0 {

/// What to do where a file of a checkpoint is damaged.
enum class on_damage {
  stop,  ///< error(store_damaged) at construction, naming the file and the remedy
  start_anew,  ///< all files are read and checked at construction; where one is damaged, all are renamed to `damaged.…`, that is
               ///< logged as an error, and the consumer begins without positions and state
};

struct checkpoint_kind;

/// Keeps offsets, keyed state, windows, and what file_offsets keeps (values, texts, what was skipped), in `directory`, which
/// must be there, on a local file system. It begins anew in an empty one, and goes on from what is there otherwise: there is
/// nothing to ask.
///
///     sl::stream_consumer<sl::transactional, sl::checkpoint> consumer{
///         sl::checkpoint{.directory = "/var/lib/counts"}, sl::kafka{…}};
///
/// Each batch makes one generation: a segment with the rows that it changed, and a numbered file that names all segments and
/// holds the positions, under one checksum. So a small change of a large state is a small write (segments are merged a little
/// with each batch: each row is written about once for every 16-fold growth), and state and offsets are of one moment after any
/// crash. A batch costs three syncs. Memory: `max_cache`, and the first key of every 4,096 rows; the rest is read from the
/// files.
///
/// All members of a group on this host may share the folder. State needs <sluice/state/checkpoint.hpp> and `transactional`.
///
/// Another program goes on from it if its states have the names and its codecs read the versions that are there: a new state,
/// a grown value type with a codec that migrates, another batch interval are no matter. What can't be read is told, and
/// left as it is. A damaged file is told too, and nothing is ever gone back to silently: of the numbered files the last two are
/// kept, and the older one counts once somebody has moved the newer one away.
///
/// With an `interval` generations are made no more often than that; what happens in between is in memory only. Then a crash sets
/// state and offsets back together, so each record still counts exactly once in the state and in what is kept here; but whatever a
/// handler does elsewhere is at_least_once, also with `transactional`. at_most_once is refused. One process has the folder to itself.
struct checkpoint {
  using slot = offset_store_slot;
  using must_be_configured = void;
  using transaction = checkpoint_transaction;
  static constexpr bool records_skips = true;
  static constexpr bool keeps_files = true;
  static constexpr bool is_local = true;

  std::string directory{};
  std::chrono::milliseconds interval{0};  ///< 0: each batch makes a generation
  sluice::on_damage on_damage = sluice::on_damage::stop;
  std::string program{};             ///< a folder of another program is refused; empty: not compared
  std::string version{};             ///< of the program: shown to whoever reads
  std::size_t max_cache = 32 << 20;  ///< bytes of what was read from segments
  bool mirror = true;                ///< the consumer also tells the source's group how far it is

  using runtime = basic_file_store<detail::posix_files, checkpoint_kind>;
  template <class Context = context>
  static detail::late<runtime, Context> open(checkpoint const& self, Context const& with);
};

struct checkpoint_kind {
  using policy = checkpoint;
  using state = checkpoint_generation;
  using transaction = checkpoint_transaction;
  template <class Files>
  using beside = detail::checkpoint_rows_beside<Files>;
};

template <class Context>
detail::late<checkpoint::runtime, Context> checkpoint::open(checkpoint const& self, Context const& with) {
  if (self.directory.empty())
    throw error{errc::bad_configuration, "checkpoint.directory is empty; name a folder, such as \"/var/lib/counts\""};
  if (auto const network = detail::network_file_system(self.directory); !network.empty())
    throw error{errc::bad_configuration, "checkpoint.directory: '" + self.directory +
                                             "' lies on a network file system (" + network +
                                             "), which does not keep what this store needs; name a local folder"};
  if (self.interval.count() < 0)
    throw error{errc::bad_configuration,
                "checkpoint.interval is negative; give 0 for every batch, or a length of time"};
  if (self.interval.count() > 0 && with.stores_first)
    throw error{
        errc::bad_configuration,
        "checkpoint.interval: between generations offsets are in memory only, so at_most_once can't be kept; give "
        "0, or use at_least_once"};
  if (self.on_damage == sluice::on_damage::start_anew) detail::set_damaged_aside(detail::posix_files{}, self, with.log);
  return detail::late<runtime, Context>{{}, self, with.group};
}

}}  // namespace sluice::v0
