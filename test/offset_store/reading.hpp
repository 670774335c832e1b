/// \file reading.hpp  What read_positions() must do, written once and run on each store.
///
/// A fixture stands for one store, fresh for each object: `config` is the policy, `context()` what open and read_positions are
/// given, `open()` a runtime as contract.hpp wants it, `newer()`, where it can, makes what is stored look like a later version's.
#pragma once
#include <sluice/offset_store/kept_position.hpp>

#include "contract.hpp"

namespace reading {

namespace sl = sluice;
using contract::soon;
using sl::offset;

template <class F>
std::vector<sl::kept_position> read(F& f, std::string const& group = "billing") {
  auto with = f.context();
  with.group = group;
  return sl::read_positions(f.config, with, soon());
}

template <class F>
void holds() {
  F f;
  CHECK(read(f).empty());
  contract::resolver r{{{"orders", {offset{10}, offset{20}}}, {"clicks", {offset{5}}}, {"other", {offset{7}}}}};
  auto const s = f.open();
  CHECK(read(f).empty());

  contract::claim(*s, "billing", {sl::topic_partition{"orders", 0}, {"clicks", 0}}, r);
  // A runtime on Kafka is bound to one group.
  constexpr bool fenced = F::store::fencing == sl::fencing::compare_and_set;
  if (fenced) contract::claim(*s, "another", {sl::topic_partition{"other", 0}}, r);
  auto const claims = contract::claim(*s, "billing", {sl::topic_partition{"orders", 1}, {"clicks", 0}}, r);
  {
    auto const found = read(f);
    REQUIRE(found.size() == 3);
    CHECK(found[0].of == sl::topic_partition{"clicks", 0});
    CHECK(found[1].of == sl::topic_partition{"orders", 0});
    CHECK(found[2].of == sl::topic_partition{"orders", 1});
    CHECK(found[1].next == offset{10});
    CHECK(found[2].next == offset{20});
    CHECK(found[2].log == claims[0].log);
    CHECK(found[0].held == fenced);
    CHECK(found[1].held == fenced);
    CHECK(found[2].held == fenced);
    for (auto const& p : found) CHECK(p.store_id == s->local_id().value_or(""));
  }

  // Reading has taken nothing away.
  auto m = contract::to(claims[0], 25);
  m.log.last = sl::fingerprint{offset{24}, 0xF123456789ABCDEF};
  CHECK(contract::advance(*s, {m}) == contract::all{sl::outcome::applied});
  {
    auto const found = read(f);
    REQUIRE(found.size() == 3);
    CHECK(found[2].next == offset{25});
    CHECK(found[2].log == m.log);
  }
  s->release(claims, soon());
  CHECK_FALSE(read(f)[2].held);
  CHECK(read(f)[1].held == fenced);

  auto const others = read(f, "another");
  REQUIRE(others.size() == (fenced ? 1 : 0));
  if (fenced) CHECK(others[0].of == sl::topic_partition{"other", 0});
  CHECK(read(f, "nobody").empty());

  // Claimed while it was gone: there is a fence, and no position.
  if constexpr (requires { f.forget("billing", sl::topic_partition{}); }) {
    f.forget("billing", {"orders", 0});
    CHECK(read(f).size() == 2);
    auto const gone = contract::claim(*s, "billing", {sl::topic_partition{"orders", 0}}, r);
    CHECK(gone[0].what == sl::claimed::missing);
    CHECK(read(f).size() == 2);
  }

  if constexpr (requires { f.newer(); }) {
    f.newer();
    try {
      read(f);
      FAIL("a later version's format was read");
    } catch (sl::store_error const& e) { CHECK(e.code() == sl::errc::store_newer); }
  }
}

}  // namespace reading
