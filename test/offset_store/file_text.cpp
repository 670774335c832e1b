#include <sluice/offset_store/file_text.hpp>
// The files that it is written to.
#include <sluice/detail/files.hpp>

#include "catch.hpp"
#include "detail/temporary_folder.hpp"
#include "some_records.hpp"

namespace {

namespace d = sl::detail;
using sl::file_generation;
using text_key = file_generation::text_key;

struct writing {
  temporary_folder in{};
  d::generation_folder<d::posix_files> root{{}, in.name()};
  file_generation now{};
  d::text_writer<d::posix_files> writer{};

  static text_key key(std::uint64_t turn = 1) { return {"lines", "billing", {"orders", 3}, turn, 0xabc}; }
  /// What the store does with one batch: written, then valid.
  void commit(text_key const& k, std::string const& text) {
    CHECK(writer.append(root, now, k, now.texts[k], text));
    now.texts[k] += text.size();
  }
  std::string path(text_key const& k) const { return d::text_path(in.name(), k); }
};

}  // namespace

TEST_CASE("a text's path has its topic, name, partition and fence, whatever is in the names") {
  CHECK(d::text_path("d", writing::key()) == "d/results/orders/lines.3.1-0000000000000abc");
  auto awkward = writing::key();
  awkward.of.topic = "..";
  awkward.name = "a/b";
  auto const path = d::text_path("d", awkward);
  CHECK(path.find("..") == path.npos);
  CHECK(path.find("a/b") == path.npos);
}

TEST_CASE_METHOD(writing, "text is added behind what is valid, and what was never committed is written over") {
  commit(key(), "one\n");
  CHECK(writer.append(root, now, key(), 4, "a longer text that stays without commit\n"));
  commit(key(), "two\n");
  CHECK(content_of(path(key())) == "one\ntwo\n");
  CHECK(d::read_valid(root, key(), 8) == "one\ntwo\n");
  CHECK(d::read_valid(root, key(), 4) == "one\n");
}

TEST_CASE_METHOD(writing, "a writer that is new goes on where the state says") {
  commit(key(), "one\n");
  write_file(path(key()), "one\nhalf a li");
  d::text_writer<d::posix_files> another;
  CHECK(another.append(root, now, key(), 4, "two\n"));
  CHECK(content_of(path(key())) == "one\ntwo\n");
}

TEST_CASE_METHOD(writing, "what was left under a name before anything was committed to it is gone") {
  std::filesystem::create_directories(std::filesystem::path{path(key())}.parent_path());
  write_file(path(key()), "left behind");
  commit(key(), "one\n");
  CHECK(content_of(path(key())) == "one\n");
}

TEST_CASE_METHOD(writing, "the next owner cuts off what earlier ones left behind their valid length") {
  commit(key(1), "one\n");
  write_file(path(key(1)), "one\nnever committed");
  commit(key(2), "two\n");
  CHECK(content_of(path(key(1))) == "one\n");
  CHECK(content_of(path(key(2))) == "two\n");
}

TEST_CASE_METHOD(writing, "a text that is shorter than what was committed is damaged, for readers and for writers") {
  commit(key(), "one\n");
  d::text_writer<d::posix_files> another;
  auto const reads = [&] { d::read_valid(root, key(), 4); };
  auto const writes = [&] { another.append(root, now, key(), 4, "two\n"); };
  write_file(path(key()), "on");
  CHECK(error_of(reads).code == sl::errc::store_damaged);
  CHECK(error_of(writes).code == sl::errc::store_damaged);
  std::filesystem::remove(path(key()));
  auto const e = error_of(reads);
  CHECK(e.code == sl::errc::store_damaged);
  CHECK(e.of_store);
  CHECK_THAT(e.text, Catch::Matchers::ContainsSubstring(path(key())));
  CHECK(error_of(writes).code == sl::errc::store_damaged);
}

TEST_CASE_METHOD(writing, "more texts than files are kept open for") {
  for (int round = 0; round < 2; ++round)
    for (int n = 0; n < 100; ++n) {
      auto k = key();
      k.name = std::to_string(n);
      commit(k, std::to_string(round));
    }
  for (auto const& [k, length] : now.texts) CHECK(d::read_valid(root, k, length) == "01");
}
