#include <sluice/offset_store/concept.hpp>

#include "catch.hpp"

namespace sl = sluice;

namespace {
struct least {
  static constexpr bool durable_at_advance = true;
  static constexpr sl::fencing fencing = sl::fencing::compare_and_set;
  std::vector<sl::claimed> claim(std::string const&, std::vector<sl::topic_partition> const&, sl::start_resolver&,
                                 sl::time_point) {
    return {};
  }
  std::span<sl::outcome const> advance(std::span<sl::move const>, sl::time_point) { return {}; }
  std::span<sl::outcome const> settle(std::span<sl::move const>, sl::time_point) { return {}; }
  std::vector<sl::claimed> record(std::vector<sl::rewind> const&, sl::time_point) { return {}; }
  void release(std::vector<sl::claimed> const&, sl::time_point) {}
  std::optional<std::string> local_id() { return {}; }
};
struct one_answer_for_all : least {
  sl::outcome advance(std::span<sl::move const>, sl::time_point) { return {}; }
};
struct cannot_settle : least {
 private:
  std::span<sl::outcome const> settle(std::span<sl::move const>, sl::time_point) { return {}; }
};
struct no_word_on_fencing : least {
 private:
  static constexpr sl::fencing fencing = sl::fencing::none;
};

struct with_transactions : least {
  struct transaction {};
  transaction& begin(std::span<sl::move const>, sl::time_point);
  using least::advance;
  std::span<sl::outcome const> advance(transaction&, std::span<sl::move const>, sl::time_point) { return {}; }
  sl::outcome commit(transaction&, sl::time_point) { return sl::outcome::applied; }
  void rollback(transaction&) noexcept {}
};
struct rollback_throws : with_transactions {
  void rollback(transaction&) {}
};
struct begins_by_value : with_transactions {
  transaction begin(std::span<sl::move const>, sl::time_point) { return {}; }
};

static_assert(sl::offset_store<least> && !sl::transactional_store<least>);
static_assert(!sl::offset_store<one_answer_for_all>, "an answer for each partition");
static_assert(!sl::offset_store<cannot_settle>);
static_assert(!sl::offset_store<no_word_on_fencing>);
static_assert(sl::transactional_store<with_transactions>);
static_assert(!sl::transactional_store<rollback_throws>, "rollback is called while an exception flies");
static_assert(!sl::transactional_store<begins_by_value>);
}  // namespace

TEST_CASE("a fence is compared as a whole") {
  CHECK(sl::fence{1, 2} == sl::fence{1, 2});
  CHECK_FALSE(sl::fence{1, 2} == sl::fence{1, 3});
  CHECK_FALSE(sl::fence{1, 2} == sl::fence{2, 2});
}

TEST_CASE("a log is the same when incarnation, epoch and last record are") {
  sl::log_state const log{5, 1, sl::fingerprint{sl::offset{3}, 7}};
  CHECK(log == sl::log_state{5, 1, sl::fingerprint{sl::offset{3}, 7}});
  CHECK_FALSE(log == sl::log_state{6, 1, sl::fingerprint{sl::offset{3}, 7}});
  CHECK_FALSE(log == sl::log_state{5, 2, sl::fingerprint{sl::offset{3}, 7}});
  CHECK_FALSE(log == sl::log_state{5, 1, sl::fingerprint{sl::offset{4}, 7}});
  CHECK_FALSE(log == sl::log_state{5, 1, sl::fingerprint{sl::offset{3}, 8}});
  CHECK_FALSE(log == sl::log_state{5, 1, {}});
}

TEST_CASE("an answer that was never filled in is a failure") { CHECK(sl::claimed{}.what == sl::claimed::failed); }
