/// \file source/write_ahead_log.hpp  Makes a receiver replayable: what it hears is on the disk before anyone handles it.
#pragma once
#include <sluice/source/local_source.hpp>
#include <sluice/source/log_writer.hpp>
#include <sluice/source/receiver.hpp>

namespace sluice { inline namespace v0 {

namespace detail {

/// Reads a log's records one after another, and lends their memory.
template <class Files>
class log_cursor {
  static constexpr std::size_t chunk = 256 << 10;
  log_folder<Files>& folder_;
  block_ptr block_{};
  std::size_t at_ = 0, anchor_ = 0;  // in block_
  std::int64_t base_ = 0;            // of timestamps, as the last mark says
  std::optional<log_segment> segment_{};
  typename Files::handle file_{};
  std::uint64_t position_ = 0;  // in the segment, of block_'s end
  std::uint64_t number_ = 0;    // of the record there
  std::uint64_t wanted_ = 0;    // those before it are passed by

  /// False: there is nothing to read yet.
  bool fill(std::size_t at_least) {
    auto const n = segment_ ? number_ : wanted_;
    auto const now = folder_.segment_of(n);
    if (!now && n < folder_.low())
      throw error(errc::out_of_range, "record " + std::to_string(n) + " has been removed from the log in " +
                                          folder_.path() + ", which begins at " + std::to_string(folder_.low()) +
                                          "; seek() to where it is to go on");
    if (!now) return false;
    std::string text(record_block::anchor_size, '\0');
    if (!segment_ || now->first != segment_->first) {
      folder_.open_segment(now->first, file_);
      position_ = log_header_size;
      number_ = now->first;
      base_ = 0;
    } else if (block_)
      text.append(block_->data, at_);
    segment_ = now;
    std::string more;
    auto const want = std::max(chunk, at_least) - (text.size() - record_block::anchor_size);
    folder_.read(file_, position_, static_cast<std::size_t>(std::min<std::uint64_t>(want, now->bytes - position_)),
                 more);
    if (more.empty()) folder_.is_damaged(now->first, position_, number_);
    position_ += more.size();
    block_.reset(new record_block);
    block_->data = std::move(text) + more;
    block_->put_anchor(anchor_ = 0, base_);
    at_ = record_block::anchor_size;
    return true;
  }

 public:
  explicit log_cursor(log_folder<Files>& folder) : folder_(folder) {}

  /// Of the record that next() gives.
  std::uint64_t number() const { return wanted_; }
  void seek(std::uint64_t n) {
    if (n == wanted_) return;
    wanted_ = n;
    block_.reset();
    segment_.reset();
  }

  /// False: no more yet. Throws store_error(store_damaged); error(out_of_range) where the log was trimmed while the position
  /// went back.
  bool next(message& out) {
    for (;;) {
      if ((!block_ || at_ == block_->data.size()) && !fill(0)) return false;
      auto const text = std::string_view{block_->data}.substr(at_);
      auto const position = position_ - text.size();
      auto const piece = look_at(text, number_, folder_.id(), position);
      switch (piece.what) {
        case log_piece::cut:
          if (!fill(piece.size)) return false;
          break;
        case log_piece::mark:
          static_assert(log_mark_size == record_block::anchor_size);
          block_->put_anchor(anchor_ = at_, base_ = base_of(text));
          at_ += piece.size;
          break;
        case log_piece::record:
          if (number_ >= wanted_)
            out =
                block_->lend(at_ + piece.image, piece.size - piece.image, anchor_, static_cast<std::int64_t>(number_));
          at_ += piece.size;
          if (++number_ <= wanted_) break;
          wanted_ = number_;
          return true;
        case log_piece::bad:
          folder_.is_damaged(segment_->first, position, number_);
      }
    }
  }
};

}  // namespace detail

/// Models local_log: a receiver's records, read back from the disk.
template <class Receiver, class Files = detail::posix_files>
class logged_log {
  using writer = detail::log_writer<Files>;
  static constexpr bool remembers = requires(Receiver& r, std::optional<std::string> const& note, record const& one) {
    { r.note() } -> std::same_as<std::string>;
    r.recall(note);
    r.recall(one);
  };
  std::shared_ptr<Receiver> receiver_;
  detail::log_folder<Files> folder_;
  writer writer_;
  detail::receiver_host<Receiver, writer> host_;
  detail::log_cursor<Files> cursor_{folder_};
  std::vector<topic_partition> of_;

 public:
  static constexpr bool numbers_anew = false;

  logged_log(detail::bell& bell, std::shared_ptr<Receiver> receiver, std::string const& topic,
             std::string const& folder, detail::log_bounds bounds, Files files = {})
      : receiver_(receiver),
        folder_(std::move(files), folder),
        writer_(
            folder_, bounds,
            [this, &bell](std::uint64_t n) {
              bell.ring();
              host_.durable(n);
            },
            [this](std::string text) { host_.tell(std::move(text)); }, note_of(receiver_.get())),
        host_(std::move(receiver), writer_, bell),
        of_{{topic, 0}} {}
  logged_log(logged_log const&) = delete;
  logged_log& operator=(logged_log const&) = delete;
  ~logged_log() { (void)close(std::chrono::steady_clock::now()); }

  void open(time_point) {
    folder_.open();
    if constexpr (remembers) recall();
    writer_.start();
    host_.start();
  }
  bool close(time_point by) {
    bool const in_time = host_.close(by);
    writer_.close();
    return in_time && std::chrono::steady_clock::now() <= by;
  }
  std::uint64_t left_behind() const { return detail::keeps_what_is_not_durable<Receiver> ? 0 : writer_.waiting(); }
  std::vector<topic_partition> const& partitions() const { return of_; }
  client::watermarks ends(std::size_t) const { return {as_offset(folder_.low()), as_offset(folder_.end()), true}; }
  std::int32_t mark() const { return static_cast<std::int32_t>(folder_.id()[0] & 0x7FFFFFFF); }
  bool ended(std::size_t) const { return host_.finished() && writer_.waiting() == 0; }
  std::optional<time_point> next_due() const { return {}; }
  detail::message_access const* access() const { return &detail::image_access; }

  void tend(source_owner& owner, time_point) {
    for (auto const& text : host_.take_told()) owner.troubled(errc::client_failed, text);
  }
  void begins(std::size_t i, offset at) { stored(i, at); }
  void stored(std::size_t, offset until) { writer_.stored(static_cast<std::uint64_t>(until.value())); }

  std::optional<fingerprint> print_at(std::size_t, offset of) {
    detail::log_cursor<Files> look{folder_};
    look.seek(static_cast<std::uint64_t>(of.value()));
    detail::message m;
    if (folder_.low() > static_cast<std::uint64_t>(of.value()) || !look.next(m)) return {};
    auto const print = detail::fingerprint_of(m, *access());
    detail::record_block::give_back(m);
    return print;
  }

  offset take(std::size_t, offset from, offset until, std::size_t want, std::size_t max_bytes, intake& in) {
    cursor_.seek(static_cast<std::uint64_t>(from.value()));
    auto const room = in.messages.room_for(want);
    std::size_t count = 0;
    try {
      while (count < room.size() && in.bytes < max_bytes &&
             cursor_.number() < static_cast<std::uint64_t>(until.value()) && cursor_.next(room[count])) {
        in.bytes += room[count].key_size + room[count].value_size;
        ++count;
      }
    } catch (error const&) {
      if (count == 0) throw;  // otherwise next time: what comes before is good
    }
    in.messages.keep(count);
    return as_offset(cursor_.number());
  }
  void give_back(std::span<detail::message const> messages) {
    for (auto const& m : messages) detail::record_block::give_back(m);
  }

 private:
  static std::function<std::string()> note_of([[maybe_unused]] Receiver* r) {
    if constexpr (remembers)
      return [r] { return r->note(); };
    else
      return {};
  }
  /// What was trimmed as it was noted then, and all that is there.
  void recall() {
    receiver_->recall(folder_.note());
    detail::log_cursor<Files> all{folder_};
    all.seek(folder_.low());
    for (detail::message m; all.next(m);) {
      detail::part const one{&m, &m + 1, {of_[0], offset{m.at}, offset{m.at + 1}, 0}, access()};
      receiver_->recall(record{&m, &one});
      detail::record_block::give_back(m);
    }
  }
  static offset as_offset(std::uint64_t n) { return offset{static_cast<std::int64_t>(n)}; }
};

/// A receiver's source (socket_source, user_source, queue_source) behind a log on this host's disk. A record is handed over
/// after it was synced, under a number of its own; so every delivery can be kept, with every store that does not forget.
///
///     sl::write_ahead_log<sl::socket_source>{.source = {.host = "feed", .port = 9999, .group = "words"},
///                                            .folder = "/var/lib/words/log"}
///
/// What the receiver has heard and not yet stored when the process dies is lost, unless its sender asks for an
/// acknowledgement (receiver::durable). The folder is made if its parent is there (mode 0700, files 0600), belongs to one
/// consumer at a time, and lies on a local file system. It has an id, which is kept with the position: a log that was
/// deleted and begun anew is a position_error. Segments are removed when what they hold is stored; when `max_bytes` are
/// there, the receiver waits. A torn end is cut at opening; other damage is errc::store_damaged, with the place.
///
/// Kafka needs no log: `kafka` is read again from where the position is, and nothing is written twice.
template <class Source>
struct write_ahead_log {
  using slot = source_slot;
  using must_be_configured = void;
  using runtime = local_source<logged_log<typename Source::receiver_type>>;
  static constexpr bool has_group = false;
  static constexpr bool assigned_by_hand = true;
  static constexpr bool discards_what_is_stored = true;

  Source source{};  ///< its .group is the name under which positions are kept
  std::string folder{};
  std::uint64_t segment_bytes = 64 << 20;
  std::uint64_t max_bytes = std::uint64_t{1} << 30;  ///< at least four segments
  std::size_t max_record = 16 << 20;
  std::chrono::milliseconds sync_every{0};  ///< 0: what has come during one sync is the next one's group
  std::optional<start_at> start{};
  out_of_range on_out_of_range = out_of_range::stop;
  position_error on_position_error = position_error::stop;
  read_until until{};

  static std::string group_of(write_ahead_log const& self) { return self.source.group; }
  /// Throws error(bad_configuration).
  template <class Context>
  static detail::late<runtime, Context> open(write_ahead_log const& self, Context const&) {
    if (self.segment_bytes == 0 || self.max_record == 0 || self.max_record > detail::most_image ||
        self.max_bytes / 4 < std::max<std::uint64_t>(self.segment_bytes, self.max_record) ||
        self.sync_every.count() < 0)
      throw error(
          errc::bad_configuration,
          "write_ahead_log: .max_bytes must be at least four times .segment_bytes and .max_record, these above 0, "
          "and .sync_every not negative");
    if constexpr (requires { self.source.max_record; })
      if (self.source.max_record >= self.max_record)
        throw error(errc::bad_configuration,
                    "write_ahead_log{.max_record}, " + std::to_string(self.max_record) +
                        ", must be above its source's, " + std::to_string(self.source.max_record) +
                        ", since a record takes a byte more in the log; raise it, or lower the source's");
    return detail::late<runtime, Context>{
        local_plan{self.start.value_or(start_at::earliest), self.on_out_of_range, self.on_position_error, self.until},
        Source::receiver_of(self.source), self.source.topic, self.folder,
        detail::log_bounds{self.segment_bytes, self.max_bytes, self.max_record,
                           std::min<std::uint64_t>(8 << 20, self.segment_bytes), self.sync_every}};
  }
};

}}  // namespace sluice::v0
