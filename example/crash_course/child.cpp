#include "child.hpp"

#include "courses.hpp"
#include "store.hpp"
#include "write_behind.hpp"

#include <sluice/offset_store/kafka.hpp>

#include <signal.h>
#include <sys/prctl.h>

#include <exception>

namespace crash_course {
namespace {

/// Wrong on purpose: the handler returns before the work is done, so at_least_once stores what was not handled yet.
void control_loses(member m) {
  m.tell.stores_first = true;
  m.tell.tells_handler = false;
  sl::stream_consumer consumer{sl::at_least_once{}, sl::kafka_offsets{}, m.source(), m.batching(), m.pace(), m.tell};
  hits_table hits{m.s};
  handled_log log{m.s, m.parent};
  struct job {
    std::int32_t partition;
    std::int64_t offset;
    std::string line;
  };
  std::vector<job> later;
  m.read(
      consumer,
      [&](sl::batch const& batch) {
        for (sl::record r : batch) later.push_back({r.partition(), r.offset().value(), std::string(r.text())});
      },
      [&] {
        m.tell.handling({});
        for (auto const& j : later) {
          log.write(j.partition, j.offset);
          hits.add(j.line);
        }
        later.clear();
        m.tell.handled();
      });
}

/// Wrong on purpose: the store answers `applied` before it has stored, so at_most_once handles what may come again.
void control_doubles(member m) {
  m.tell.tells_store = false;
  write_behind* store = nullptr;
  sl::stream_consumer consumer{sl::at_most_once{}, write_behind_offsets{{.path = m.s.offsets()}, &store},
                               m.source(),         m.batching(),
                               m.pace(),           m.tell};
  hits_table hits{m.s};
  handled_log log{m.s, m.parent};
  m.read(
      consumer,
      [&](sl::batch const& batch) {
        for (sl::record r : batch) {
          log.write(r);
          hits.add(r.text());
        }
      },
      [&] { store->flush(m.tell); });
}

}  // namespace

int child_main(setup const& s) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != s.parent) return 3;
  ::signal(SIGINT, SIG_IGN);  // the parent decides
  try {
    parent_link parent;
    member const m{s, parent};
    if (s.course == "control_loses")
      control_loses(m);
    else if (s.course == "control_doubles")
      control_doubles(m);
    else
      store_of(s.store).run(m);
    return 0;
  } catch (std::exception const& e) {
    fmt::print(stderr, "{}\n", e.what());
    return 1;
  }
}

}  // namespace crash_course
