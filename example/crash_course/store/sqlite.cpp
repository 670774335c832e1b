#include <sluice/offset_store/sqlite.hpp>

#include "../courses.hpp"
#include "../store.hpp"

namespace crash_course { namespace {

hits_of_clients take_hits(setup const& s) { return database_hits(s.results()); }

void run(member const& m) {
  bool const together = m.s.course == "transactional";
  if (together) database{m.s.results()}.run(create_hits);
  run_course(m, sl::sqlite_offsets{.path = together ? m.s.results() : m.s.offsets()},
             [](sl::sqlite_transaction& tx, std::string_view address, std::int64_t bytes) {
               tx.execute(count_hit, address, bytes);
             });
}

registered const here{{"sqlite", "", promised_by<sl::sqlite_offsets>, run, take_hits}};

}}  // namespace crash_course
