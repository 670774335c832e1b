/// \file offset_store/checkpoint_place.hpp  Where the segments of a checkpoint lie: written once, read in parts, removed.
#pragma once
#include <sluice/detail/files.hpp>
#include <sluice/detail/made_folders.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail {

/// A segment that is being written. As long as it lives nobody takes it for what a dead process left behind.
class segment_sink {
 public:
  virtual ~segment_sink() = default;
  virtual std::uint64_t id() const = 0;
  /// Throws store_error.
  virtual void append(std::string_view data) = 0;
  /// True: its bytes and its name are durable; false: nobody knows. Throws store_error where there is no room.
  virtual bool finish() = 0;
};

class segment_source {
 public:
  virtual ~segment_source() = default;
  virtual std::uint64_t size() const = 0;
  /// Up to `count` bytes from `at`, fewer at the end. Throws store_error.
  virtual void read(std::uint64_t at, std::size_t count, std::string& out) = 0;
};

class segment_place {
 public:
  virtual ~segment_place() = default;
  virtual std::unique_ptr<segment_sink> create() = 0;
  virtual std::unique_ptr<segment_source> open(std::uint64_t id) = 0;  ///< null: it isn't there
  virtual void remove(std::uint64_t id) noexcept = 0;
  virtual std::string name_of(std::uint64_t id) const = 0;
};

inline constexpr std::string_view segment_prefix = "segment.";
inline constexpr std::string_view segment_folder = "segments";
inline constexpr std::string_view aside_prefix = "damaged.";

inline std::string segment_name(std::uint64_t id) { return std::string{segment_prefix} + hex16(id); }

/// Exactly what segment_name() gives, or absent.
inline std::optional<std::uint64_t> segment_number(std::string_view name) {
  if (!name.starts_with(segment_prefix) || name.size() != segment_prefix.size() + 16) return {};
  std::uint64_t id = 0;
  for (char const c : name.substr(segment_prefix.size())) {
    auto const digit = std::string_view{"0123456789abcdef"}.find(c);
    if (digit == std::string_view::npos) return {};
    id = id << 4 | digit;
  }
  return id;
}

/// Files in the folder `segments`. Names are made some in advance, so that their folder is synced once for all of them, and
/// a segment costs one sync. A file is locked by whoever may still make it count.
template <class Files>
class local_segments final : public segment_place {
  using handle = typename Files::handle;

  struct empty_file {
    std::uint64_t id = 0;
    handle file{};
  };
  class sink final : public segment_sink {
    Files& files_;
    empty_file to_;
    std::string const& path_;
    std::string buffer_{};
    std::uint64_t at_ = 0;

    void write() {
      if (int const e = files_.write(to_.file, buffer_, at_)) throw_file_error(e, "write a segment", path_);
      at_ += buffer_.size();
      buffer_.clear();
    }

   public:
    sink(Files& files, empty_file to, std::string const& path) : files_(files), to_(std::move(to)), path_(path) {}
    std::uint64_t id() const override { return to_.id; }
    void append(std::string_view data) override {
      buffer_ += data;
      if (buffer_.size() >= std::size_t{256} << 10) write();
    }
    bool finish() override {
      if (!buffer_.empty()) write();
      int const e = files_.sync(to_.file);
      if (is_full(e)) throw_file_error(e, "sync a segment", path_);
      return e == 0;
    }
  };
  class source final : public segment_source {
    Files& files_;
    handle file_;
    std::string name_;
    std::uint64_t size_;

   public:
    source(Files& files, handle file, std::string name, std::uint64_t size)
        : files_(files), file_(std::move(file)), name_(std::move(name)), size_(size) {}
    std::uint64_t size() const override { return size_; }
    void read(std::uint64_t at, std::size_t count, std::string& out) override {
      if (int const e = files_.read(file_, at, count, out)) throw_file_error(e, "read a segment", name_);
    }
  };

  static constexpr int names_at_once = 8;

  Files& files_;
  handle const& root_;
  std::string path_;
  handle folder_{};
  made_folders<Files> folders_{};
  std::vector<empty_file> free_{};

  void make_names() {
    std::vector<empty_file> made;
    for (int i = 0; i < names_at_once; ++i) {
      auto& one = made.emplace_back(empty_file{random_bits(), {}});
      if (int const e = files_.create(folder(), segment_name(one.id), one.file)) {
        if (e == ENOENT) folder_ = handle{};
        throw_file_error(e, "make a segment", path_);
      }
      if (!files_.lock(one.file)) made.pop_back();
    }
    if (int const e = files_.sync(folder_)) throw_file_error(e, "sync the folder of segments", path_);
    if constexpr (!requires { Files::is_hosted; }) {
      // Whoever started before one was locked may have taken it for a dead process's, and removed it.
      auto const there = all();
      std::erase_if(made, [&](empty_file const& one) { return std::count(there.begin(), there.end(), one.id) == 0; });
    }
    free_ = std::move(made);
  }

 public:
  /// Both are borrowed; `path` is the root's, for errors.
  local_segments(Files& files, handle const& root, std::string const& path)
      : files_(files), root_(root), path_(path + "/" + std::string{segment_folder}) {}
  ~local_segments() override {
    for (auto const& one : free_) remove(one.id);
  }
  local_segments(local_segments const&) = delete;
  local_segments& operator=(local_segments const&) = delete;

  /// Made, and durable, where it isn't there.
  handle const& folder() {
    if (!folder_) {
      auto const end = path_.size() - segment_folder.size() - 1;
      folder_ = folders_.take(files_, root_, {std::string{segment_folder}}, path_.substr(0, end));
    }
    return folder_;
  }
  /// Only to look: false where there is none.
  bool has_folder() { return folder_ || files_.open_directory(root_, std::string{segment_folder}, folder_) == 0; }

  std::unique_ptr<segment_sink> create() override {
    while (free_.empty()) make_names();
    auto one = std::move(free_.back());
    free_.pop_back();
    return std::make_unique<sink>(files_, std::move(one), path_);
  }
  std::unique_ptr<segment_source> open(std::uint64_t id) override {
    auto const name = name_of(id);
    handle file;
    std::uint64_t size = 0;
    auto const look = [&] { return has_folder() ? files_.open_to_read(folder_, segment_name(id), file) : ENOENT; };
    int e = look();
    if (e == ENOENT) {  // the folder may have been taken back, empty, and made again
      folder_ = handle{};
      e = look();
    }
    if (e == ENOENT) return {};
    if (!e) e = files_.size(file, size);
    if (e) throw_file_error(e, "open a segment", name);
    return std::make_unique<source>(files_, std::move(file), name, size);
  }
  void remove(std::uint64_t id) noexcept override {
    try {
      if (has_folder()) files_.remove(folder_, segment_name(id));
    } catch (...) {}
  }
  std::string name_of(std::uint64_t id) const override { return path_ + "/" + segment_name(id); }

  /// All that have a name. For files that can't be locked; the next two likewise.
  std::vector<std::uint64_t> all() {
    std::vector<std::string> names;
    std::vector<std::uint64_t> ids;
    if (int const e = has_folder() ? files_.list(folder_, names) : ENOENT; e && e != ENOENT)
      throw_file_error(e, "list the segments", path_);
    for (auto const& name : names)
      if (auto const id = segment_number(name)) ids.push_back(*id);
    return ids;
  }
  bool is_there(std::uint64_t id) { return has_folder() && files_.is_there(folder_, segment_name(id)); }
  /// True: it is certain that it is not there any more.
  bool removed(std::uint64_t id) { return has_folder() && files_.remove(folder_, segment_name(id)) == 0; }

  /// Those that no living process holds. `wanted(ids)` is asked once they are held, and takes away what counts.
  template <class Wanted>
  void remove_left_behind(Wanted wanted) {
    std::vector<std::string> names;
    if (!has_folder() || files_.list(folder_, names)) return;
    std::vector<empty_file> held;
    for (auto const& name : names) {
      handle file;
      if (auto const id = segment_number(name);
          id && files_.open_to_write(folder_, name, file) == 0 && files_.lock(file))
        held.push_back({*id, std::move(file)});
    }
    if (held.empty()) return;
    auto const counts = wanted();
    for (auto const& one : held)
      if (!counts(one.id)) remove(one.id);
  }
  /// Gives all segments other names, that nothing reads.
  void set_all_aside() {
    std::vector<std::string> names;
    if (!has_folder() || files_.list(folder_, names)) return;
    for (auto const& name : names)
      if (segment_number(name)) files_.publish(folder_, name, std::string{aside_prefix} + name);
    if (int const e = files_.sync(folder_)) throw_file_error(e, "sync the folder of segments", path_);
  }
};

}}}  // namespace sluice::v0::detail
