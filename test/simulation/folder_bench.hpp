/// \file simulation/folder_bench.hpp  What a disk has of a folder of numbered files, shown to the checks of records.
///
/// What is stored is what the disk would have left after a loss of power at that moment: it is read after each sync of a folder and each
/// loss of power. Effects are the lines that a transaction adds to a text file and to a value: both are there, or none. Beside the checks
/// of records: torn (what has a name on the disk can't be read, or goes while it is named), acknowledged (an answer, and the disk does not
/// have it), settle, damaged (a bit that flipped was taken for good; or none did, and it is told).
#pragma once
#include <sluice/state/checkpoint.hpp>

#include "consumers.hpp"
#include "disk.hpp"

#ifdef SLUICE_SIMULATION_THREADS
namespace simulated_consumers {

/// All that outlives processes. `Kind` says which store.
template <class Kind>
class folder_bench final : disk::watcher {
  using generation = typename Kind::state;
  using text_key = typename generation::text_key;
  struct answered {
    int partition;
    sl::fence mine;
    std::int64_t from, until;
  };
  struct seen_partition {
    std::int64_t incarnation = 0;
    std::string results{};  // as its value has them
  };
  static constexpr int root = 1;

  st::simulation& sim_;
  int newest_ = -1;  // node
  generation state_{};
  std::map<text_key, std::uint64_t> lengths_{};  // of texts that were looked at
  std::vector<seen_partition> seen_{};
  st::simulated::list<answered> never_{};  // settle has said so

  st::simulated::cluster& cluster() { return sim_.around().cluster; }
  void wrong(char const* name, std::string const& how) { files.w.violated(name, how); }
  static std::string at(int p) { return "partition " + std::to_string(p); }

 public:
  static constexpr char const* directory = "store";
  static constexpr std::string_view results = "results";
  static std::string value_name(int p) { return "results of " + std::to_string(p); }

  disk files;

  explicit folder_bench(st::simulation& sim) : sim_(sim), files(sim.around().world, *this) {}

  void begin() {
    files.reset();
    files.nodes.push_back({.folder = true});
    files.at(0).names = files.at(0).durable_names = {{directory, root}};
    newest_ = -1;
    state_ = {};
    lengths_.clear();
    seen_.clear();
    never_.clear();
    files.flip_was_read = false;
  }
  bool happen(st::decision const& d) {
    if (d.what == fault::bit_flip) return flip(static_cast<std::uint64_t>(d.amount));
    if (d.what != fault::power_loss) return false;
    files.w.note("power is lost");
    for (int i = 0; i < files.w.plan.processes; ++i) files.w.kill(i, d.amount % (500 * st::simulated::ms));
    files.lose_power();
    return true;
  }

  // ---- answers of the store

  void claimed(sl::claimed const& c) {
    auto const p = c.of.partition;
    if (sim_.around().store.at(p).mine.turn < c.mine.turn)
      wrong("acknowledged", at(p) + " is said to be claimed, and the disk does not have the claim");
    sim_.around().store.answered(files.w.current(), p, c.mine);
  }
  void answer(sl::move const& m, sl::outcome o, bool is_settled) {
    auto const p = m.of.partition;
    auto& witness = cluster().witness;
    if (o != sl::outcome::applied) {
      witness.excuse(p);
      if (is_settled && o == sl::outcome::refused) never_.push_back({p, m.mine, m.from.value(), m.until.value()});
      return;
    }
    if (witness.stored(p) < m.until.value())
      wrong("acknowledged", at(p) + " is said to be stored up to " + std::to_string(m.until.value()) +
                                ", and the disk has " + std::to_string(witness.stored(p)));
    witness.owes(files.w.current(), p, m.from.value(), m.until.value());
  }

  // ---- damage

  void told_of_damage(std::string const& text) {
    if (files.flipped < 0) wrong("damaged", "nothing is damaged, and it says: " + text);
    files.heal();
    files.flip_was_read = false;
  }
  void took_what_it_read() {
    if (std::exchange(files.flip_was_read, false)) wrong("damaged", "a bit has flipped, and nobody says so");
  }
  void forget_what_was_read() { files.flip_was_read = false; }

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
  bool flip(std::uint64_t where) {
    auto const n = newest(files.at(root).names).second;
    if (n < 0 || n == files.flipped || !files.at(n).writes.empty() || files.at(n).data.empty()) return false;
    files.flipped = n;
    files.flipped_at = where % files.at(n).data.size();
    files.flipped_by = static_cast<char>(1 << files.w.luck.below(8));
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
        if (partitions[i].there) look_at(static_cast<int>(i), partitions[i]);
  }

  void look_at(int p, typename generation::partition const& now) {
    sim_.around().store.at(p) = {true, now.next.value(), now.log, now.owner};
    auto& witness = cluster().witness;
    if (seen_.size() <= static_cast<std::size_t>(p)) seen_.resize(static_cast<std::size_t>(p) + 1);
    auto& seen = seen_[static_cast<std::size_t>(p)];
    auto const next = now.next.value(), was = witness.stored(p);
    auto const effects = new_results(p, seen);
    witness.wrote(effects);
    if (was < 0)
      witness.began(p, next, now.log.incarnation);
    else if (now.log.incarnation != seen.incarnation)
      witness.rewound(p, next, now.log.incarnation, "seek");
    else if (next != was)
      witness.moved(p, was, next, now.log.incarnation, &effects, {});
    else if (!effects.empty())
      wrong("effects", at(p) + " has new results, and stays where it was");
    seen.incarnation = now.log.incarnation;
    for (auto const& one : never_)
      if (next != was && one.partition == p && one.mine == now.owner && one.from == was && one.until == next)
        wrong("settle", at(p) + " is stored after settle has said that it never will be");
  }

  st::simulated::list<std::uint32_t> new_results(int p, seen_partition& seen) {
    st::simulated::list<std::uint32_t> news;
    auto const value = state_.values.find(value_name(p));
    auto const all = value == state_.values.end() ? std::string{} : value->second.content;
    if (!all.starts_with(seen.results)) return wrong("effects", at(p) + " has lost results: " + all), news;
    for (auto at = seen.results.size(); at < all.size(); at = all.find('\n', at) + 1)
      news.push_back(static_cast<std::uint32_t>(std::strtoul(all.c_str() + at, nullptr, 10)));
    std::string text;
    for (auto const& [key, length] : state_.texts)
      if (key.of.partition == p && key.name == results) text += text_of(key).substr(0, length);
    if (text != all) wrong("effects", "the text of " + at(p) + " is '" + text + "', and its value '" + all + "'");
    seen.results = all;
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
