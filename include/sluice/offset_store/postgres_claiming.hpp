/// \file offset_store/postgres_claiming.hpp  The round trips of a claim in PostgreSQL: three.
#pragma once
#include <sluice/offset_store/postgres_positions.hpp>

namespace sluice { inline namespace v0 { namespace detail::postgres {

/// What detail::claiming asks for.
class claims {
  connection& db_;
  positions& positions_;

  static std::map<std::string, std::int32_t> counts_in(result const& r) {
    std::map<std::string, std::int32_t> all;
    for (int i = 0; i < r.rows(); ++i) all[std::string(r.text(i, 0))] = static_cast<std::int32_t>(r.number(i, 1));
    return all;
  }

 public:
  claims(connection& db, positions& p) : db_(db), positions_(p) {}

  std::map<std::string, std::int32_t> partitions(std::vector<std::string> const& topics, time_point by) {
    return counts_in(db_.must_one(positions_.known(topics), "reading topics", by));
  }
  std::map<std::string, std::int32_t> lock(std::vector<std::string> const& topics, time_point by) {
    std::vector<request> begin{{"begin isolation level read committed"}};
    for (auto& r : positions_.lock_topics(topics)) begin.push_back(std::move(r));
    return counts_in(db_.must(begin, "a claim", by)[2]);
  }
  template <class Each>
  void finish(new_positions const& fresh, std::vector<claimed> const& answers, Each each, time_point by) {
    auto const end = db_.must(std::vector<request>{positions_.create(fresh.starts),
                                                   positions_.set_partitions(fresh.counts),
                                                   positions_.claim(answers),
                                                   {"commit"}},
                              "a claim", by);
    positions::each(end[2], each);
  }
  void rollback() { db_.rollback(); }
};

}}}  // namespace sluice::v0::detail::postgres
