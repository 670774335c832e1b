/// \file output/objects.hpp  Records as binary files named by their offset range, versioned and checked; and a reader.
///
/// The files lie as files_by_range's do. A file is: magic (8 bytes), version of this format (u32), version of the codec (u32),
/// CRC-32C of these 16 bytes (u32); then for each object its length (u32), its bytes, and their CRC-32C (u32); at the end the
/// length 0xFFFFFFFF, the number of objects (u64), and the CRC-32C of the 8 bytes before it. Numbers are little-endian.
#pragma once
#include <sluice/offset_store/file_generation.hpp>
#include <sluice/output/files.hpp>

namespace sluice { inline namespace v0 {

/// A record that owns its bytes.
struct kept_record {
  offset at{};
  wall_time time{};
  std::optional<std::string> key{};
  std::optional<std::string> value{};
  std::vector<std::pair<std::string, std::optional<std::string>>> headers{};
  friend bool operator==(kept_record const&, kept_record const&) = default;
};

/// How an object is written and read: a codec of yours has the same three members. `read` gets the version that the file was
/// written with, never a newer one, and throws anything for bytes that it can't read.
template <class Late>
struct basic_record_codec {
  static constexpr std::uint32_t version = 1;

  void write(record const& r, std::string& out) const {
    detail::byte_writer w{out};
    auto const data = [&](bool there, std::string_view text) {
      w.number(std::uint8_t{there});
      if (there) w.text(text);
    };
    w.number(r.offset().value());
    w.number(static_cast<std::int64_t>(r.timestamp().time_since_epoch().count()));
    data(r.has_key(), r.key_text());
    data(!r.is_tombstone(), r.text());
    for (header const h : r.headers()) {
      w.text(h.name);
      data(h.value.data() != nullptr, as_text(h.value));
    }
  }
  kept_record read(std::string_view in, std::uint32_t) const {
    detail::byte_reader r{in};
    auto const data = [&] { return r.number<std::uint8_t>() ? std::optional<std::string>{r.text()} : std::nullopt; };
    kept_record k;
    k.at = offset{r.number<std::int64_t>()};
    k.time = wall_time{std::chrono::milliseconds{r.number<std::int64_t>()}};
    k.key = data();
    k.value = data();
    while (r.good() && !r.at_end()) {
      std::string name{r.text()};
      k.headers.emplace_back(std::move(name), data());
    }
    if (!r.good()) throw error{errc::store_damaged, "a record ends too early"};
    return k;
  }
};
using record_codec = basic_record_codec<void>;

namespace detail {

inline constexpr std::string_view objects_magic{"sluice\x1ao", 8};
inline constexpr std::uint32_t objects_version = 1;
inline constexpr std::uint32_t objects_end = 0xFFFFFFFF;
inline constexpr std::size_t objects_header = 20;

/// What files_by_range calls at the beginning of a file, for each record, and at its end.
template <class Codec>
class object_format {
  Codec codec_;
  std::uint64_t count_ = 0;
  std::string one_{};

 public:
  explicit object_format(Codec codec) : codec_(std::move(codec)) {}

  void begin(std::string& out) {
    out += objects_magic;
    byte_writer w{out};
    w.number(objects_version);
    w.number(static_cast<std::uint32_t>(Codec::version));
    w.number(crc32c(out));
    count_ = 0;
  }
  void operator()(record const& r, std::string& out) {
    one_.clear();
    codec_.write(r, one_);
    if (one_.size() >= objects_end) throw error{errc::bad_statement, "objects_by_range: an object has 4 GiB or more"};
    byte_writer w{out};
    w.text(one_);
    w.number(crc32c(one_));
    ++count_;
  }
  void end(std::string& out) {
    byte_writer w{out};
    w.number(objects_end);
    auto const at = out.size();
    w.number(count_);
    w.number(crc32c(std::string_view{out}.substr(at)));
  }
};

/// Calls `each` with every object of a file's text. Throws store_error, which names the file.
template <class Codec, class Each>
void parse_objects(std::string_view text, std::string const& path, Codec const& codec, Each& each) {
  auto const damaged = [&](std::string const& what) {
    throw store_error{errc::store_damaged, path + " " + what + ": put it back from a backup, or have it written again"};
  };
  byte_reader head{text.substr(0, objects_header)};
  if (!text.starts_with(objects_magic) || text.size() < objects_header) damaged("is no file of objects");
  head.number<std::uint64_t>();
  auto const format = head.number<std::uint32_t>(), version = head.number<std::uint32_t>();
  auto const newer = [&](char const* of_what) {
    throw store_error{errc::store_newer, path + " was written by a later version " + of_what + ": read it with that"};
  };
  if (format > objects_version) newer("of the library");
  if (format == 0 || head.number<std::uint32_t>() != crc32c(text.substr(0, 16))) damaged("has a damaged beginning");
  if (version > Codec::version) newer("of its codec");
  std::uint64_t count = 0;
  for (auto at = objects_header;; ++count) {
    auto const number = [&]<class N>(N) {
      if (text.size() - at < sizeof(N)) damaged("was cut short");
      byte_reader r{text.substr(at, sizeof(N))};
      at += sizeof(N);
      return r.number<N>();
    };
    auto const size = number(std::uint32_t{});
    if (size == objects_end) {
      auto const from = at;
      auto const wanted = number(std::uint64_t{});
      if (number(std::uint32_t{}) != crc32c(text.substr(from, 8)) || wanted != count || at != text.size())
        damaged("does not end where it should");
      return;
    }
    if (text.size() - at < size) damaged("was cut short");
    auto const one = text.substr(at, size);
    at += size;
    if (number(std::uint32_t{}) != crc32c(one)) damaged("has bytes that were changed");
    each(codec.read(one, version));
  }
}

}  // namespace detail

/// A handler for `idempotent`: as files_by_range, with objects instead of text. `codec` says what of a record is kept; the
/// library's keeps all of it.
///
///     sl::objects_by_range out{"/var/lib/orders"};
///     consumer.run(stop, out);
///     sl::read_objects("/var/lib/orders", {"orders", 0}, [](sl::kept_record r) { … });
template <class Codec = record_codec, class Files = detail::posix_files>
class objects_by_range : public files_by_range<detail::object_format<Codec>, Files> {
  using base = files_by_range<detail::object_format<Codec>, Files>;

 public:
  explicit objects_by_range(std::string directory, Codec codec = {}, std::string suffix = ".objects", Files files = {})
      : base(std::move(directory), detail::object_format<Codec>{std::move(codec)}, std::move(suffix),
             std::move(files)) {}
};

/// Calls `each` with all objects of a partition, by incarnation and offset; one file at a time is in memory. Throws
/// store_error(store_damaged, store_newer), which names the file, and what `each` and the codec throw.
template <class Each, class Codec = record_codec, class Files = detail::posix_files>
void read_objects(std::string const& directory, topic_partition const& of, Each each, Codec const& codec = {},
                  Files files = {}) {
  std::string text;
  for (auto const& one : detail::list_files(files, directory, of)) {
    detail::read_file(files, directory, of, one, text);
    detail::parse_objects(text, one.path, codec, each);
  }
}

}}  // namespace sluice::v0
