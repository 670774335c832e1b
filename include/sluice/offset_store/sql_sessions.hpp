/// \file offset_store/sql_sessions.hpp  What the stores that hold a session with a database server share: how it fails, and when to try again.
#pragma once
#include <sluice/offset_store/claim_answers.hpp>

namespace sluice { inline namespace v0 { namespace detail {

/// A lock was not to be had in time: nothing was done.
class locked : public store_conflict {
 public:
  using store_conflict::store_conflict;
};

/// The session has ended, or its time was up: what was asked last may have been done, or may yet be.
class lost : public store_error {
 public:
  using store_error::store_error;
};

/// Two that lock the same rows in another order: the server ends one of them, which tries again.
template <class Db, class F>
auto until_no_conflict(Db& db, time_point by, F f) {
  for (;;) try {
      return f();
    } catch (locked const&) {
      db.rollback();
      throw;
    } catch (store_conflict const&) {
      db.rollback();
      if (std::chrono::steady_clock::now() >= by) throw;
    } catch (...) {
      db.rollback();
      throw;
    }
}

/// What `ask` makes of an answer for each of `set`; busy or failed where the rows can't be had.
template <class Db, class F>
std::vector<claimed> answered(Db& db, std::vector<topic_partition> const& set, time_point by, F ask) {
  auto answers = all_alike(set);
  if (set.empty()) return answers;
  try {
    until_no_conflict(db, by, [&] { ask(answers); });
  } catch (locked const& e) { return all_alike(set, claimed::busy, e.what()); } catch (store_conflict const& e) {
    return all_alike(set, claimed::busy, e.what());
  } catch (lost const& e) { return all_alike(set, claimed::failed, e.what()); }
  return answers;
}

}}}  // namespace sluice::v0::detail
