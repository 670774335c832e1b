/// \file offset_store/checkpoint_in.hpp  A checkpoint on a server, so that whoever gets a partition, on whatever host, has its state.
#pragma once
#include <sluice/offset_store/checkpoint.hpp>
#include <sluice/offset_store/hosted_files.hpp>

namespace sluice { inline namespace v0 {

template <class Place>
struct checkpoint_in;

namespace detail {

/// What basic_file_store is told.
struct hosted_checkpoint {
  std::string directory{};  // as errors name it
  std::chrono::milliseconds interval{0};
  std::string program{};
  std::string version{};
  std::size_t max_cache = 0;
  bool mirror = true;
};
struct hosted_checkpoint_kind {
  using policy = hosted_checkpoint;
  using state = checkpoint_generation;
  using transaction = hosted_checkpoint_transaction;
  template <class Files>
  using beside = checkpoint_rows_beside<Files>;
};

/// Beside each store that can: its files (a file_server), the folder in it as errors name it, and what is tried before it is used.
template <class Place>
struct checkpoint_place;

template <class Place>
hosted_checkpoint told(checkpoint_in<Place> const& p) {
  return {.directory = checkpoint_place<Place>::folder(p.place),
          .program = p.program,
          .version = p.version,
          .max_cache = p.max_cache,
          .mirror = p.place.mirror};
}

}  // namespace detail

/// What a call could not find out is told as `unknown`; otherwise basic_file_store.
template <class Server>
class hosted_checkpoint_store
    : public basic_file_store<detail::hosted_files<Server>, detail::late<detail::hosted_checkpoint_kind, Server>> {
  using base = basic_file_store<detail::hosted_files<Server>, detail::late<detail::hosted_checkpoint_kind, Server>>;

  std::function<void(int, std::string_view)> log_;
  detail::late<std::vector<outcome>, Server> unknown_{};

  std::span<outcome const> not_known(std::size_t moves, store_error const& e) {
    if (log_) log_(5, e.what());
    unknown_.assign(moves, outcome::unknown);
    return unknown_;
  }

 public:
  using transaction = typename base::transaction;

  hosted_checkpoint_store(detail::hosted_files<Server> files, detail::hosted_checkpoint const& with, std::string group,
                          std::function<void(int, std::string_view)> log)
      : base(std::move(files), with, std::move(group)), log_(std::move(log)) {}

  std::optional<std::string> local_id() const { return std::nullopt; }
  void set_aside(std::string const&, dead_letter const&) = delete;

  using base::advance;
  std::span<outcome const> advance(std::span<move const> moves, time_point by) {
    try {
      return base::advance(moves, by);
    } catch (store_error const& e) {
      if (e.code() != errc::store_unavailable) throw;
      return not_known(moves.size(), e);
    }
  }
  std::span<outcome const> settle(std::span<move const> moves, time_point by) {
    try {
      return base::settle(moves, by);
    } catch (store_error const& e) { return not_known(moves.size(), e); }
  }
};

/// As checkpoint, in a store that every host reaches: `checkpoint_in<s3_offsets>` (<sluice/offset_store/s3_checkpoint.hpp>),
/// `checkpoint_in<webhdfs_offsets>` (<sluice/offset_store/webhdfs_checkpoint.hpp>).
///
///     sl::stream_consumer<sl::transactional, sl::checkpoint_in<sl::s3_offsets>> consumer{
///         sl::checkpoint_in<sl::s3_offsets>{.place = {.bucket = "counts", .prefix = "visits"}}, sl::kafka{…}};
///
/// Offsets and rows are of one moment: a numbered file, which is published only where its number is free, names the segments.
/// Members of a group, on any number of hosts, share one; a partition's state is there for whoever claims it next. The
/// folder, or prefix, is for this alone. Values are kept, texts are not (`append`), so `skip` and dead_letter_file do not go with it.
///
/// A batch costs eight to ten requests, so it suits batches of seconds (micro_batch{.interval}). What a process reads of the
/// state it fetches once, a mebibyte at a time, and what it wrote it does not fetch; both lie in files without a name in
/// $TMPDIR, or /tmp: room for the state is needed there. Nothing that goes wrong in between is seen by others; what was left
/// behind is removed by the next ones.
template <class Place>
struct checkpoint_in {
  using slot = offset_store_slot;
  using must_be_configured = void;
  using transaction = hosted_checkpoint_transaction;

  Place place{};  ///< where, by whom, and whether the progress is mirrored: as offsets alone would be kept there
  sluice::on_damage on_damage = sluice::on_damage::stop;
  std::string program{};             ///< a folder of another program is refused; empty: not compared
  std::string version{};             ///< of the program: shown to whoever reads
  std::size_t max_cache = 32 << 20;  ///< bytes in memory of what was read from segments

  using runtime = hosted_checkpoint_store<typename detail::checkpoint_place<Place>::server>;
  /// Throws error(bad_configuration), store_error.
  template <class Context = context>
  static detail::late<runtime, Context> open(checkpoint_in const& self, Context const& with) {
    using place = detail::checkpoint_place<Place>;
    auto const told = detail::told(self);
    detail::hosted_files<typename place::server> const files{place::open(self.place)};
    if (self.on_damage == sluice::on_damage::start_anew) detail::set_damaged_aside(files, told, with.log);
    return detail::late<runtime, Context>{files, told, with.group, with.log};
  }
};

}}  // namespace sluice::v0
