/// \file simulation/folder_bench.hpp  What a disk has of a folder of numbered files, shown to the checks of records.
///
/// What is stored is what the disk would have left after a loss of power at that moment: it is read after each sync of a folder and each
/// loss of power. Effects are the lines that a transaction adds to a text file and to a value: both are there, or none. Beside the checks
/// of records: torn (what has a name on the disk can't be read, or goes while it is named), acknowledged (an answer, and the disk does not
/// have it), settle, damaged (a bit that flipped, or an end that is gone, was taken for good; or there was none, and it is told).
#pragma once
#include <sluice/state/checkpoint.hpp>

#include "stored_bench.hpp"

#ifdef SLUICE_SIMULATION_THREADS
namespace simulated_consumers {

/// All that outlives processes. `Kind` says which store.
template <class Kind>
class folder_bench final : public stored_bench, disk::watcher {
  using generation = typename Kind::state;
  using text_key = typename generation::text_key;
  static constexpr int root = 1;

  int newest_ = -1;  // node
  generation state_{};
  std::map<text_key, std::uint64_t> lengths_{};  // of texts that were looked at
  std::vector<std::string> seen_{};              // results of partitions, as their values have them

 public:
  static constexpr char const* directory = "store";
  static constexpr std::string_view results = "results";
  static std::string value_name(int p) { return "results of " + std::to_string(p); }

  disk files;

  explicit folder_bench(st::simulation& sim) : stored_bench(sim), files(sim.around().world, *this) {}

  void begin() {
    files.reset();
    files.nodes.push_back({.folder = true});
    files.at(0).names = files.at(0).durable_names = {{directory, root}};
    newest_ = -1;
    state_ = {};
    lengths_.clear();
    seen_.clear();
    forget();
  }
  bool happen(st::decision const& d) {
    if (d.what == fault::bit_flip || d.what == fault::cut)
      return harm(static_cast<std::uint64_t>(d.amount), d.what == fault::cut);
    if (d.what != fault::power_loss) return false;
    lose_power(files, d);
    return true;
  }

  // ---- damage

  void told_of_damage(std::string const& text) {
    if (files.flipped < 0 && !(files.met_by & files.me())) wrong("damaged", "nothing is damaged, and it says: " + text);
    files.heal();
    files.met_by &= ~files.me();
    forget_what_was_read();
  }
  void took_what_it_read() {
    if (files.read_by & files.me()) wrong("damaged", "the file that counts is harmed, and nobody says so");
    forget_what_was_read();
  }
  void forget_what_was_read() { files.read_by &= ~files.me(); }

 private:
  /// Of the newest file and the one before it none may be named.
  void removed(std::string const& name, std::string const&) override {
    if constexpr (requires { state_.segments; }) {
      auto const& names = files.at(root).names;
      auto const last = newest(names).second, before = newest(names, last).second;
      for (auto const n : {last, before}) {
        if (n < 0) continue;
        for (auto const& ref : sl::parse_generation<generation>(files.at(n).data, name).segments)
          if (sl::detail::segment_name(ref.id) == name)
            wrong("torn", name + " is removed, and " + (n == last ? "the newest file" : "the one before the newest") +
                              " names it");
      }
    }
  }
  static std::pair<std::string, int> newest(std::map<std::string, int> const& names, int but = -1) {
    std::pair<std::string, int> last{{}, -1};
    for (auto const& [name, n] : names)
      if (n != but && name.starts_with(sl::detail::generation_prefix)) last = {name, n};
    return last;
  }
  /// In the file that counts.
  bool harm(std::uint64_t where, bool cuts) {
    auto const n = newest(files.at(root).names).second;
    if (n < 0 || n == files.flipped || !files.at(n).writes.empty() || files.at(n).data.empty()) return false;
    files.flipped = n;
    auto const size = files.at(n).data.size();
    files.flipped_at = where % (cuts && files.w.luck.one_in(3) ? std::min(size, sl::detail::generation_header) : size);
    files.flipped_by = cuts ? '\0' : static_cast<char>(1 << files.w.luck.below(8));
    return true;
  }

  void renamed(bool power_lost) override {
    auto const [name, n] = newest(files.at(root).durable_names);
    if (n == newest_ && !power_lost) return;
    if (n < 0) {
      if (newest_ >= 0) wrong("torn", "there was a numbered file, and there is none any more");
      return;
    }
    if (n != newest_) {
      try {
        state_ = sl::parse_generation<generation>(files.at(n).durable, name);
      } catch (sl::store_error const& e) { return wrong("torn", e.what()); }
      newest_ = n;
    }
    if (power_lost) lengths_.clear();
    look_at_texts();
    look_at_segments(state_);
    for (auto const& [key, partitions] : state_.topics)
      for (std::size_t i = 0; i < partitions.size(); ++i)
        if (auto const& one = partitions[i]; one.there)
          has(static_cast<int>(i), one.next.value(), one.log, one.owner, new_results(static_cast<int>(i)));
  }

  numbers new_results(int p) {
    if (seen_.size() <= static_cast<std::size_t>(p)) seen_.resize(static_cast<std::size_t>(p) + 1);
    auto& seen = seen_[static_cast<std::size_t>(p)];
    numbers news;
    auto const value = state_.values.find(value_name(p));
    auto const all = value == state_.values.end() ? std::string{} : value->second.content;
    if (!all.starts_with(seen)) return wrong("effects", at(p) + " has lost results: " + all), news;
    for (auto at = seen.size(); at < all.size(); at = all.find('\n', at) + 1)
      news.push_back(static_cast<std::uint32_t>(std::strtoul(all.c_str() + at, nullptr, 10)));
    std::string text;
    for (auto const& [key, length] : state_.texts)
      if (key.of.partition == p && key.name == results) text += text_of(key).substr(0, length);
    if (text != all) wrong("effects", "the text of " + at(p) + " is '" + text + "', and its value '" + all + "'");
    seen = all;
    return news;
  }

  void look_at_segments([[maybe_unused]] generation const& state) {
    if constexpr (requires { state.segments; })
      for (auto const& ref : state.segments)
        if (auto const there = on_disk({"segments", sl::detail::segment_name(ref.id)}).size(); there != ref.size)
          wrong("torn", sl::detail::segment_name(ref.id) + " has " + std::to_string(there) +
                            " bytes on the disk, not " + std::to_string(ref.size));
  }
  /// A file as the disk has it; empty where it isn't there.
  std::string const& on_disk(std::vector<std::string> const& way) {
    static std::string const nothing;
    int n = root;
    for (auto const& name : way) {
      auto const& names = files.at(n).durable_names;
      auto const i = names.find(name);
      if (i == names.end()) return nothing;
      n = i->second;
    }
    return files.at(n).durable;
  }
  std::string const& text_of(text_key const& key) {
    auto way = sl::detail::text_folders(key);
    way.push_back(sl::detail::text_file_name(key));
    return on_disk(way);
  }
  void look_at_texts() {
    for (auto const& [key, length] : state_.texts) {
      auto& known = lengths_[key];
      if (known == length) continue;
      known = length;
      if (auto const there = text_of(key).size(); there < length)
        return wrong("torn", sl::detail::text_path("", key) + " is valid up to " + std::to_string(length) +
                                 ", and the disk has " + std::to_string(there) + " bytes");
    }
  }
};

template <class Kind>
inline thread_local folder_bench<Kind>* bench_of = nullptr;  // of the schedule that runs

}  // namespace simulated_consumers
#endif
