#include <sluice/source/directory_journal.hpp>

#include <random>

#include "catch.hpp"
#include "detail/simulated_files.hpp"
#include "seed.hpp"

namespace sl = sluice;
namespace d = sl::detail;
using simulated::survives;
using journal = d::directory_journal<simulated::files>;

namespace {
d::journal_state some() {
  return {
      {1, 0xfedcba9876543210}, 3, 30, {{5, 1, 2, 10, -7, "a b\n%"}, {15, 1, 3, 0, 9, "empty"}, {15, 1, 4, 15, 11, ""}}};
}
bool same(d::seen_file const& a, d::seen_file const& b) {
  return a.first == b.first && a.device == b.device && a.inode == b.inode && a.size == b.size &&
         a.modified_ns == b.modified_ns && a.name == b.name;
}
}  // namespace

TEST_CASE("a journal is read back; whatever is cut or changed in it is found out") {
  auto const text = to_text(some());
  auto const back = d::read_journal(text);
  REQUIRE(back);
  CHECK((back->id == some().id && back->low == 3 && back->end == 30 && back->files.size() == 3));
  for (std::size_t i = 0; i < 3; ++i) CHECK(same(back->files[i], some().files[i]));
  CHECK(text.starts_with("sluice directory 1\n"));
  auto forgot = some();
  forgot.forgotten_ns = -5;
  auto const text_2 = to_text(forgot);
  CHECK(text_2.starts_with("sluice directory 2\n"));
  CHECK(d::read_journal(text_2).value().forgotten_ns == -5);
  CHECK(d::read_journal(text_2).value().files.size() == 3);
  for (std::size_t n = 0; n < text.size(); ++n) CHECK_FALSE(d::read_journal(text.substr(0, n)));
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    CHECK_FALSE(d::read_journal(changed));
  }
  auto wrong = some();
  wrong.files[2].size = 16;  // beyond the end
  CHECK_FALSE(d::read_journal(to_text(wrong)));
  wrong = some();
  std::swap(wrong.files[0], wrong.files[2]);
  CHECK_FALSE(d::read_journal(to_text(wrong)));
}

TEST_CASE("a power loss at every call leaves the journal before or the one after") {
  std::mt19937 random{seed()};
  for (long at = 0;; ++at) {
    bool crashed = false;
    for (int round = 0; round < 10; ++round) {
      auto const disk = std::make_shared<simulated::disk>();
      std::uint64_t kept = 0, tried = 0;
      disk->crash_at = at;
      try {
        journal j{simulated::files{disk}};
        j.open("d");
        for (tried = 1; tried <= 6; ++tried) {
          j.state.end = tried;
          j.keep();
          kept = tried;
        }
      } catch (simulated::crash const&) { crashed = true; }
      disk->crashed(round == 0 ? survives::nothing : round == 1 ? survives::everything : survives::any, random);
      journal j{simulated::files{disk}};
      j.open("d");
      INFO("call " << at);
      CHECK(j.state.end >= kept);
      CHECK(j.state.end <= tried);
      j.state.end = 100;
      j.keep();
      journal again{simulated::files{disk}};
      again.open("d");
      CHECK(again.state.end == 100);
    }
    if (!crashed) break;
  }
}
