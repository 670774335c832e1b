/// \file testing/simulation/outputs.hpp  What a simulated handler writes to: a table that is keyed, and written only by what is newer.
#pragma once
#include <sluice/record.hpp>
#include <sluice/testing/simulation/cluster.hpp>

namespace sluice { inline namespace v0 { namespace testing { namespace simulated {

/// A versioned upsert: with each key stand incarnation and offset of the record that wrote it.
class keyed_output {
  struct cell {
    int partition = 0;
    char key = 0;
    std::int64_t incarnation = 0, at = -1;
    std::uint32_t record = 0;
  };
  cluster& cluster_;
  bool in_use_ = false;
  list<cell> cells_{};
  list<cell> late_{};

 public:
  explicit keyed_output(cluster& c) : cluster_(c) {}
  void reset() {
    in_use_ = false;
    cells_.clear();
    late_.clear();
  }
  /// Of programs with an output of their own nothing is known.
  bool is_in_use() const { return in_use_; }
  void put(sluice::record r, std::uint32_t id) {
    in_use_ = true;
    put({r.partition(), r.key_text()[0], r.incarnation(), r.offset().value(), id});
  }
  /// The same, when it comes: whatever has happened to its process.
  void put_later(sluice::record r, std::uint32_t id, std::int64_t when) {
    late_.push_back({r.partition(), r.key_text()[0], r.incarnation(), r.offset().value(), id});
    cluster_.world.later(
        when,
        [](void* self, std::int64_t which) {
          auto& out = *static_cast<keyed_output*>(self);
          out.put(out.late_[static_cast<std::size_t>(which)]);
        },
        this, static_cast<std::int64_t>(late_.size()) - 1);
  }
  /// Each key has what its last record says, also after a rewind.
  void all_read() {
    auto const& t = cluster_.topic;
    for (int p = 0; p < t.partitions(); ++p) {
      auto const& all = t.log(p).entries;
      for (auto i = all.size(); i-- > 0;) {
        auto const& last = t.record(all[i]);
        auto const of_key = [&](std::uint32_t id) {
          auto const& r = t.record(id);
          return r.visible && r.key[0] == last.key[0];
        };
        auto const behind = all.begin() + static_cast<std::ptrdiff_t>(i) + 1;
        if (!last.visible || std::any_of(behind, all.end(), of_key) || !cluster_.witness.is_youngest(last)) continue;
        auto const* const has = find(p, last.key[0]);
        if (!has || has->record != last.id)
          cluster_.world.violated(
              "output", std::string{"the output has "} + (has ? "record " + std::to_string(has->record) : "nothing") +
                            " for key " + last.key + ", the last one in the log is " + std::to_string(last.id));
      }
    }
  }

 private:
  void put(cell const& c) {
    auto* const old = find(c.partition, c.key);
    if (!old)
      cells_.push_back(c);
    else if (std::pair{c.incarnation, c.at} > std::pair{old->incarnation, old->at})
      *old = c;
  }
  cell* find(int partition, char key) {
    auto const at = std::find_if(cells_.begin(), cells_.end(),
                                 [&](cell const& c) { return c.partition == partition && c.key == key; });
    return at == cells_.end() ? nullptr : &*at;
  }
};

}}}}  // namespace sluice::v0::testing::simulated
