// The numbered files of file_offsets and WebHDFS, S3's objects, HBase's cells: what is read is written again byte by byte.
#include <sluice/offset_store/file_claims.hpp>
#include <sluice/offset_store/state_read.hpp>

#include "fuzz.hpp"

namespace {

using namespace fuzz;
namespace d = sl::detail;

struct resolver final : sl::start_resolver {
  sl::topic_start start_of(std::string const& topic, sl::time_point) override { return {topic, {sl::offset{7}}}; }
  sl::offset earliest(sl::topic_partition const&, sl::time_point) override { return sl::offset{3}; }
};

/// Whatever it holds can be claimed, rewound, written and read again.
void go_on(sl::file_generation& state, sl::file_generation::topic_key const& key, std::size_t known) {
  resolver starts;
  std::vector<sl::topic_partition> const set{{key.topic, 0}, {key.topic, static_cast<std::int32_t>(known)}};
  d::file_claim<sl::file_generation> claim{key.group, set, starts, {}};
  claim(state);
  must(claim.answers.size() == 2, "each partition has an answer");
  d::known_groups<sl::file_generation> const groups{key.group};
  std::vector<sl::rewind> rewinds;
  for (auto const& c : claim.answers) rewinds.push_back({c.of, sl::offset{5}, c.mine, "seek"});
  d::file_rewind<sl::file_generation> rewind{groups, rewinds};
  rewind(state);
  for (std::size_t i = 0; i < 2; ++i)
    must(rewind.answers[i].what == sl::claimed::stored &&
             rewind.answers[i].log.incarnation >= claim.answers[i].log.incarnation,
         "an owner can rewind, and no incarnation falls");
  std::string written;
  encode(state, written);
  must(sl::parse_generation(written, "again") == state, "and all is read as it was written");
}

/// Checked only where the file is taken.
void read(std::string const& file) {
  sl::file_generation state;
  if (!refused<sl::store_error>([&] { state = sl::parse_generation(file, "generation.1"); }).empty()) return;
  std::string again;
  encode(state, again);
  must(again == file, "what was read is written as it was");
  for (auto const& [key, partitions] : state.topics)
    must(d::positions_in(state, key.group).size() <= d::generation_cap, "positions can be read");
  if (state.topics.empty()) return;
  auto const key = state.topics.begin()->first;
  go_on(state, key, std::max<std::size_t>(1, state.topics.begin()->second.size()));
}

}  // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  auto const text = text_of(data, size);
  read(std::string{text});

  // Behind a header that is right, so that the content is looked at.
  std::string head{d::generation_magic}, length;
  d::byte_writer{head}.number(d::generation_version);
  d::byte_writer{length}.number(static_cast<std::uint64_t>(size));
  d::byte_writer{head}.number(d::crc32c(text, d::crc32c(length, d::crc32c(head))));
  read(head + length + std::string{text});
  return 0;
}
