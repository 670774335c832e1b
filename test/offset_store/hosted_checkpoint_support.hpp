/// \file hosted_checkpoint_support.hpp  For the tests of checkpoints on servers: the fixture that the contracts are run on, and a consumer by hand.
#pragma once
#include <sluice/offset_store/checkpoint_in_read.hpp>
#include <sluice/state/checkpoint.hpp>

#include "contract_network.hpp"
#include "thrown.hpp"

/// On the fixture of the store that has the same place.
template <class Base>
struct hosted_checkpoint : Base {
  using place = decltype(Base::config);
  using checkpoint = sl::checkpoint_in<place>;
  using store = typename checkpoint::runtime;
  using transaction = typename store::transaction;
  using rows = sl::detail::state_store<transaction>;
  static constexpr std::size_t most_round_trips = 6;

  checkpoint here() const { return {.place = this->config}; }
  auto files() const { return sl::detail::files_to_read(here()); }
  auto folder() const {
    return sl::detail::checkpoint_folder<decltype(files())>{files(), sl::detail::told(here()).directory};
  }
  std::unique_ptr<store> open(checkpoint const& with) const {
    return std::unique_ptr<store>{new store(checkpoint::open(with, sl::context{.group = "billing"}))};
  }
  std::unique_ptr<store> open() const { return open(here()); }
  std::unique_ptr<store> open(int port) {
    checkpoint with{.place = this->config_at(port)};
    return open(with);
  }
  void forget(std::string const& group, sl::topic_partition const& of) {
    auto f = folder();
    f.newest().topics.at({group, of.topic}).at(static_cast<std::size_t>(of.partition)).there = false;
    CHECK(f.publish() == sl::detail::publication::yes);
  }
  std::vector<std::string> causes() {
    std::vector<std::string> found;
    for (auto const& j : sl::read_checkpoint(here()).jumps) found.push_back(j.cause);
    return found;
  }
  /// Half of a result is a value, half of it a row of state: they must come together.
  void write(transaction& tx, std::string const& result) {
    tx.put(result, "");
    sl::topic_partition const of{"orders", 0};
    rows{tx, "results"}.write(std::vector<sl::detail::state_row>{{.of = &of, .key = result, .value = result}});
  }
  std::vector<std::string> results() {
    std::vector<std::string> found, there;
    for (auto const& [name, v] : sl::read_checkpoint(here()).values) found.push_back(name);
    sl::detail::each_state_row(
        files(), sl::detail::told(here()).directory, "billing", "results",
        [&](auto const&, sl::detail::table_row const& row) { there.emplace_back(row.value); });
    if (there != found) found.push_back("and other rows");
    return found;
  }
  std::vector<std::string> segments() const {
    auto all = this->names("segments");
    std::erase_if(all, [](auto const& name) { return !name.starts_with("segment."); });
    return all;
  }
};

/// One consumer of a partition of `orders`, by hand.
template <class F>
struct hosted_worker {
  using rows = typename F::rows;
  std::unique_ptr<typename F::store> store;
  sl::claimed mine{};

  explicit hosted_worker(F const& f, int partition = 0) : store(f.open()) { claim(partition); }
  void claim(int partition = 0) {
    contract::resolver r{{{"orders", {sl::offset{0}, sl::offset{0}}}}};
    mine = contract::claim(*store, "billing", {{"orders", partition}}, r).at(0);
  }
  sl::move next() const { return {mine.of, mine.next, mine.next.next(), mine.mine, mine.log}; }
  template <class Handle>
  sl::outcome batch(Handle handle) {
    auto const m = next();
    auto& tx = store->begin({&m, 1}, contract::soon());
    handle(tx);
    store->advance(tx, {&m, 1}, contract::soon());
    auto const o = store->commit(tx, contract::soon());
    if (o == sl::outcome::applied) mine.next = m.until;
    return o;
  }
  sl::outcome put(std::string const& key, std::string const& value) {
    return batch([&](auto& tx) {
      rows{tx, "counts"}.write(std::vector<sl::detail::state_row>{{.of = &mine.of, .key = key, .value = value}});
    });
  }
  std::string get(std::string const& key) {
    std::string found = "-";
    auto const m = next();
    auto& tx = store->begin({&m, 1}, contract::soon());
    rows{tx, "counts"}.read(std::vector<sl::detail::state_row>{{.of = &mine.of, .key = key}},
                            [&](std::size_t, std::string_view value, std::int64_t) { found = value; });
    store->rollback(tx);
    return found;
  }
};

namespace hosted_cases {

using sl::outcome;

/// Many batches on two hosts' worth of processes: state follows the partition, few segments stay, and none that is named goes.
template <class F>
void state_follows_its_partition(F& f) {
  std::map<std::string, std::string> wanted;
  std::string const large(3'000'000, 'x');
  auto a = std::make_unique<hosted_worker<F>>(f);
  CHECK(a->put("large", large) == outcome::applied);
  for (int i = 0; i < 60; ++i) {
    if (i % 25 == 24) a = std::make_unique<hosted_worker<F>>(f);
    auto const key = "k" + std::to_string(i * 7919 % 17), value = std::to_string(i);
    wanted[key] = value;
    REQUIRE(a->put(key, value) == outcome::applied);
  }
  CHECK(f.segments().size() < 32);
  hosted_worker<F> b{f};  // the other host
  CHECK(b.mine.next == sl::offset{61});
  CHECK(b.get("large") == large);
  for (auto const& [key, value] : wanted) CHECK(b.get(key) == value);
  CHECK(a->put("k1", "late") == outcome::refused);
  CHECK(b.get("k1") == wanted["k1"]);
  std::map<std::string, std::size_t> read;
  sl::detail::each_state_row(f.files(), sl::detail::told(f.here()).directory, "billing", "counts",
                             [&](auto const&, sl::detail::table_row const& row) {
                               read[std::string{row.key}] = row.value.size();
                             });
  CHECK(read.size() == wanted.size() + 1);
  auto const state = sl::read_checkpoint(f.here());
  for (auto const& s : state.segments)
    CHECK(std::ranges::count(f.segments(), sl::detail::segment_name(s.id)) == 1);
}

/// What a dead process left behind is removed by later ones; what a living one has not named yet is written anew.
template <class F>
void what_was_left_behind(F& f) {
  {
    hosted_worker<F> w{f};
    CHECK(w.put("ka", "1") == outcome::applied);
  }
  auto files = f.files();
  typename decltype(files)::handle root, folder, file;
  files.open_directory(sl::detail::told(f.here()).directory, root);
  files.open_directory(root, "segments", folder);
  auto const orphan = sl::detail::segment_name(77);
  REQUIRE(files.create(folder, orphan, file) == 0);
  REQUIRE(files.write(file, "left behind", 0) == 0);
  REQUIRE(files.sync(file) == 0);
  CHECK(std::ranges::count(f.segments(), orphan) == 1);
  hosted_worker<F> w{f};
  for (int i = 0; i < 4; ++i) CHECK(w.put("kb", std::to_string(i)) == outcome::applied);
  CHECK(std::ranges::count(f.segments(), orphan) == 0);
  CHECK(w.get("ka") == "1");

  // Between the segment's upload and its naming another process comes, and retires what has no name.
  hosted_worker<F> a{f, 0}, b{f, 1};
  auto const put = [&](hosted_worker<F>& who, std::string const& value) {
    for (int tries = 0; tries < 5; ++tries)
      if (who.put("kc", value) == outcome::applied) return true;
    return false;
  };
  for (int i = 0; i < 20; ++i) {
    INFO(i);
    CHECK(put(i % 2 ? a : b, std::to_string(i)));
  }
  CHECK(a.get("kc") == "19");
  CHECK(b.get("kc") == "18");
}

}  // namespace hosted_cases
