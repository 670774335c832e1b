#include <sluice/offset_store/hbase_read.hpp>

#include "reading.hpp"
#include "servers/small_hbase.hpp"
#include "thrown.hpp"

namespace {

struct fixture {
  using store = sl::hbase_offset_store;
  std::unique_ptr<servers::small_hbase> server = std::make_unique<servers::small_hbase>();
  sl::hbase_offsets config = server->config();

  sl::context context() const { return {}; }
  std::unique_ptr<store> open() {
    return std::unique_ptr<store>{new store(sl::hbase_offsets::open(config, context()))};
  }
  void forget(std::string const& group, sl::topic_partition const& of) {
    sl::detail::hbase::state s{sl::detail::hbase::settings_of(config)};
    s.select(group);
    s.newest(contract::soon()).topics.at({group, of.topic}).at(static_cast<std::size_t>(of.partition)).there = false;
    CHECK(s.publish(contract::soon()) == sl::detail::publication::yes);
  }
};

}  // namespace

TEST_CASE("positions in HBase are read without a claim") { reading::holds<fixture>(); }

TEST_CASE("a table that nobody has made keeps no positions, and reading makes none") {
  fixture f;
  f.server->there = false;
  CHECK(reading::read(f).empty());
  CHECK_FALSE(f.server->there);
  CHECK(f.server->asked("PUT", "/") + f.server->asked("POST", "/") == 0);
}

TEST_CASE("a server that is not there, or is in trouble, is told and not taken for an empty one") {
  fixture f;
  f.server->say = [](servers::http_request const& r) {
    return std::optional{servers::http_answer{.status = r.target == "/t/schema" ? 503 : 404}};
  };
  CHECK(error_of([&] { reading::read(f); }).code == sl::errc::store_unavailable);
  f.config.address = "http://127.0.0.1:1";
  CHECK_THAT(error_of([&] { reading::read(f); }).text, ContainsSubstring("can't be reached"));
}
