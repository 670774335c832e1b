/// \file segments_in_memory.hpp  A place for segments that counts what is written, and tables to put into them.
#pragma once
#include <sluice/offset_store/checkpoint_compaction.hpp>

#include <map>
#include <random>

#include "seed.hpp"
#include "thrown.hpp"

namespace in_memory {

using namespace sl::detail;

class place final : public segment_place {
  class sink final : public segment_sink {
    place& in_;
    std::uint64_t id_;

   public:
    sink(place& in, std::uint64_t id) : in_(in), id_(id) {}
    std::uint64_t id() const override { return id_; }
    void append(std::string_view data) override {
      in_.written += data.size();
      in_.files[id_] += data;
    }
    bool finish() override { return !in_.fails; }
  };
  class source final : public segment_source {
    place& in_;
    std::uint64_t id_;

   public:
    source(place& in, std::uint64_t id) : in_(in), id_(id) {}
    std::uint64_t size() const override { return in_.files.at(id_).size(); }
    void read(std::uint64_t at, std::size_t count, std::string& out) override {
      ++in_.reads;
      out = in_.files.at(id_).substr(static_cast<std::size_t>(at), count);
    }
  };
  std::uint64_t next_ = 1;

 public:
  std::map<std::uint64_t, std::string> files{};
  std::size_t written = 0, reads = 0;
  bool fails = false;

  std::unique_ptr<segment_sink> create() override { return std::make_unique<sink>(*this, next_++); }
  std::unique_ptr<segment_source> open(std::uint64_t id) override {
    if (!files.contains(id)) return {};
    return std::make_unique<source>(*this, id);
  }
  void remove(std::uint64_t id) noexcept override { files.erase(id); }
  std::string name_of(std::uint64_t id) const override { return "memory/" + std::to_string(id); }

  segment_ref put(row_changes const& changes, std::uint8_t level = 0) {
    auto const to = create();
    auto ref = *write_segment(*to, changes);
    ref.level = level;
    return ref;
  }
};

inline table_key table(std::string const& topic = "t", std::int32_t partition = 0, std::string const& state = "s") {
  return {"g", state, topic, partition, table_key::rows};
}

using model = std::map<std::string, std::string>;
/// What a view shows of a table.
inline model all_of(row_view const& view, table_key const& t) {
  model all;
  std::string last;
  view.each(t, [&](table_row const& row) {
    if (!all.empty() && !(last < std::string{row.key})) throw std::logic_error("rows out of order");
    last = row.key;
    all[last] = std::string{row.value} + (row.due == never ? "" : "/" + std::to_string(row.due));
    return true;
  });
  return all;
}

}  // namespace in_memory
