/// \file offset_store/file_text.hpp  Text results beside the offsets: written at the end, valid as far as the state says.
///
/// A text lies in `results/TOPIC/NAME.PARTITION.FENCE`: one file for each claim, so an owner that was thought dead writes
/// where nobody reads. What lies behind the valid length was never committed.
#pragma once
#include <sluice/detail/crash_point.hpp>
#include <sluice/offset_store/file_folder.hpp>

#include <map>

namespace sluice { inline namespace v0 {

/// A text file, as the newest state of its folder knows it.
struct text_file {
  std::string name{};
  std::string group{};
  topic_partition of{};
  fence mine{};              ///< of the claim that wrote it
  std::uint64_t length = 0;  ///< in bytes, how far it is valid
  std::string path{};
};

namespace detail {

template <class Key>
std::vector<std::string> text_folders(Key const& key) {
  auto folders = folder_names(key.of.topic);
  folders.insert(folders.begin(), "results");
  return folders;
}

template <class Key>
std::string text_file_name(Key const& key) {
  return file_name(key.name) + "." + std::to_string(key.of.partition) + "." + std::to_string(key.turn) + "-" +
         hex16(key.nonce);
}

template <class Key>
std::string text_path(std::string const& directory, Key const& key) {
  auto path = directory;
  for (auto const& folder : text_folders(key)) path += "/" + folder;
  return path + "/" + text_file_name(key);
}

/// Writes texts behind what is valid. Keeps files open, so that a batch costs a write and a sync for each.
template <class Files>
class text_writer {
  using state = late<file_generation, Files>;
  using text_key = typename state::text_key;

  struct open_file {
    typename Files::handle file{};
    std::uint64_t size = 0;
  };
  static constexpr std::size_t most_open = 64;
  std::map<text_key, open_file> open_{};
  made_folders<Files> folders_{};

  static void fail(int code, char const* doing, std::string const& path) {
    if (code) throw_file_error(code, std::string{doing} + " a text file", path);
  }

  /// What earlier owners left behind their valid lengths. None of them can make it valid any more.
  void cut_earlier(Files& files, typename Files::handle const& in, state const& now, text_key const& key) {
    auto first = key;
    first.turn = first.nonce = 0;
    for (auto i = now.texts.lower_bound(first); i != now.texts.end() && i->first < key; ++i) {
      typename Files::handle file;
      std::uint64_t size = 0;
      if (files.open_to_write(in, text_file_name(i->first), file) == 0 && files.size(file, size) == 0 &&
          size > i->second)
        files.truncate(file, i->second);
    }
  }

  template <class Root>
  open_file& opened(Root& root, state const& now, text_key const& key, std::uint64_t valid) {
    auto& files = root.files();
    if (open_.size() >= most_open && !open_.contains(key)) open_.clear();
    auto const [at, fresh] = open_.try_emplace(key);
    if (!fresh) return at->second;
    try {
      auto const& in = folders_.open(files, root.handle(), text_folders(key), root.path());
      auto const name = text_file_name(key);
      // What was left there before anything was committed goes: its name may never have reached the disk.
      if (valid == 0) files.remove(in, name);
      if (int const e = files.create(in, name, at->second.file); e == EEXIST && valid > 0) {
        fail(files.open_to_write(in, name, at->second.file), "open", root.path());
        fail(files.size(at->second.file, at->second.size), "measure", root.path());
      } else {
        fail(e, "make", root.path());
        fail(files.sync(in), "sync the folder of", root.path());
        cut_earlier(files, in, now, key);
      }
      if (at->second.size < valid)
        throw store_error{
            errc::store_damaged,
            text_path(root.path(), key) + " is shorter than what was committed to it; put it back from a backup"};
    } catch (...) {
      open_.erase(at);
      folders_.forget();
      throw;
    }
    return at->second;
  }

 public:
  /// Appends behind the valid bytes and syncs. False: the sync failed, so nobody knows.
  template <class Root>
  bool append(Root& root, state const& now, text_key const& key, std::uint64_t valid, std::string_view text) {
    auto& to = opened(root, now, key, valid);
    int e = to.size > valid ? root.files().truncate(to.file, valid) : 0;
    if (!e) e = root.files().write(to.file, text, valid);
    if (e) {
      open_.erase(key);
      fail(e, "write", root.path());
    }
    SLUICE_CRASH_POINT("text written");
    to.size = valid + text.size();
    if ((e = root.files().sync(to.file)) == 0) {
      SLUICE_CRASH_POINT("text synced");
      return true;
    }
    open_.erase(key);
    if (is_full(e)) fail(e, "sync", root.path());
    return false;
  }
};

template <class Files, class State, class Key>
std::string read_valid(generation_folder<Files, State>& root, Key const& key, std::uint64_t length) {
  auto& files = root.files();
  typename Files::handle folder, file;
  auto const* in = &root.handle();
  int e = 0;
  for (auto const& name : text_folders(key)) {
    typename Files::handle inner;
    if (!e) e = files.open_directory(*in, name, inner);
    folder = std::move(inner);
    in = &folder;
  }
  std::string text;
  if (!e) e = files.open_to_read(folder, text_file_name(key), file);
  if (!e) e = files.read(file, 0, static_cast<std::size_t>(length), text);
  if (e && e != ENOENT) throw_file_error(e, "read a text file", text_path(root.path(), key));
  if (text.size() == length) return text;
  throw store_error{errc::store_damaged, text_path(root.path(), key) +
                                             " is shorter than what was committed to it; put it back from a backup"};
}

template <class State = file_generation, class Files>
std::string read_text(Files files, std::string const& directory, std::string const& name, std::string const& group) {
  generation_folder<Files, State> folder{files, directory};
  std::string all;
  for (auto const& [key, length] : folder.newest().texts)
    if (key.name == name && (group.empty() || key.group == group)) all += read_valid(folder, key, length);
  return all;
}

}  // namespace detail

/// The newest committed state of a folder of file_offsets: offsets, values, lengths of texts, rewinds. Any process may
/// read, at any time. Throws store_error (damaged, newer), error(bad_configuration).
template <class Files = detail::posix_files>
detail::late<file_generation, Files> read_generation(std::string const& directory) {
  return detail::generation_folder<Files>{{}, directory}.newest();
}

/// All committed text that was appended under `name`: by group, topic and partition, and within each in the order of the
/// commits. `group` empty: of all groups. Memory is needed for the whole of it.
template <class Files = detail::posix_files>
std::string read_text(std::string const& directory, std::string const& name, std::string const& group = {}) {
  return detail::read_text(Files{}, directory, name, group);
}

/// Which text files there are, in the order that read_text joins them.
template <class Files = detail::posix_files>
std::vector<text_file> list_text(std::string const& directory) {
  detail::late<std::vector<text_file>, Files> all;
  for (auto const& [key, length] : read_generation<Files>(directory).texts)
    all.push_back({key.name, key.group, key.of, {key.turn, key.nonce}, length, detail::text_path(directory, key)});
  return all;
}

}}  // namespace sluice::v0
