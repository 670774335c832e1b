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
  list<cell> cells_{};
  list<cell> late_{};

 public:
  explicit keyed_output(cluster& c) : cluster_(c) {}
  void reset() {
    cells_.clear();
    late_.clear();
  }
  void put(sluice::record r, std::uint32_t id) {
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
  /// Each key has what its last record says.
  void all_read() {
    for (auto const& c : cells_) {
      auto const& log = cluster_.topic.log(c.partition);
      if (log.changes != 0) continue;
      auto last = c.record;
      for (auto const id : log.entries)
        if (auto const& r = cluster_.topic.record(id); r.visible && r.key[0] == c.key) last = id;
      if (last != c.record)
        cluster_.world.violated("output", std::string{"the output has record "} + std::to_string(c.record) +
                                              " for key " + c.key + ", the last one in the log is " +
                                              std::to_string(last));
    }
  }

 private:
  void put(cell const& c) {
    for (auto& old : cells_)
      if (old.partition == c.partition && old.key == c.key) {
        if (std::pair{c.incarnation, c.at} > std::pair{old.incarnation, old.at}) old = c;
        return;
      }
    cells_.push_back(c);
  }
};

}}}}  // namespace sluice::v0::testing::simulated
