/// \file detail/kept_text.hpp  A short text in a folder, replaced as a whole: after a crash it is the one before or the one after.
#pragma once
#include <sluice/detail/crc32c.hpp>
#include <sluice/detail/file_names.hpp>
#include <sluice/detail/made_folders.hpp>

#include <algorithm>
#include <charconv>
#include <optional>

namespace sluice { inline namespace v0 { namespace detail {

/// With a last line that tells whether it is whole.
inline std::string sealed(std::string text) {
  auto const crc = crc32c(text);
  return std::move(text) + "crc " + std::to_string(crc) + "\n";
}
inline std::optional<std::string_view> unsealed(std::string_view text) {
  auto const last = text.rfind("crc ");
  if (last == text.npos) return {};
  std::uint32_t crc = 0;
  auto const [end, wrong] = std::from_chars(text.data() + last + 4, text.data() + text.size(), crc);
  if (wrong != std::errc{} ||
      std::string_view{end, static_cast<std::size_t>(text.data() + text.size() - end)} != "\n" ||
      crc != crc32c(text.substr(0, last)) ||
      text != std::string{text.substr(0, last)} + "crc " + std::to_string(crc) + "\n")
    return {};
  return text.substr(0, last);
}

/// PREFIX.NUMBER, of which the highest counts.
template <class Files>
class kept_text {
  std::string prefix_;
  std::uint64_t number_ = 0;

  std::string name_of(std::uint64_t n) const { return prefix_ + "." + padded(n); }
  static void check(int code, std::string const& doing, std::string const& path) {
    if (code) throw_file_error(code, doing, path);
  }

 public:
  explicit kept_text(std::string prefix) : prefix_(std::move(prefix)) {}

  /// The name of the file that counts now.
  std::string name() const { return name_of(number_); }

  /// As it was kept, or none. `path` is the folder's, for errors. Throws store_error.
  std::optional<std::string> load(Files& files, typename Files::handle const& folder, std::string const& path) {
    std::vector<std::string> names;
    check(files.list(folder, names), "list the files", path);
    for (auto const& name : names)
      if (name.starts_with(prefix_ + "."))
        if (auto const n = padded_number(std::string_view{name}.substr(prefix_.size() + 1)))
          number_ = std::max(number_, *n);
    if (number_ == 0) return {};
    for (auto const& name : names)
      if (name.starts_with(prefix_ + ".") && name != name_of(number_)) files.remove(folder, name);
    typename Files::handle file;
    std::uint64_t size = 0;
    std::string text;
    check(files.open_to_read(folder, name_of(number_), file), "open " + name(), path);
    check(files.size(file, size), "measure " + name(), path);
    check(files.read(file, 0, static_cast<std::size_t>(size), text), "read " + name(), path);
    return text;
  }

  /// It is on the disk, or store_error: then it may be there or not.
  void keep(Files& files, typename Files::handle const& folder, std::string const& path, std::string const& text) {
    auto const temporary = prefix_ + ".temporary";
    typename Files::handle file;
    files.remove(folder, temporary);
    int e = files.create(folder, temporary, file);
    if (!e) e = files.write(file, text, 0);
    if (!e) e = files.sync(file);
    if (!e) e = files.publish(folder, temporary, name_of(number_ + 1));
    check(e, "write " + prefix_, path);
    ++number_;
    check(files.sync(folder), "sync the folder", path);
    if (number_ > 1) files.remove(folder, name_of(number_ - 1));
  }
};

}}}  // namespace sluice::v0::detail
