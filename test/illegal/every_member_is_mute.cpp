// expect: static assertion failed.*sluice: transactional needs a store that commits offsets with the results
#include <sluice/sluice.hpp>

namespace sl = sluice;

#if ILLEGAL
using consumer = sl::stream_consumer<sl::transactional, sl::no_offsets<sl::from::earliest>>;
#else
using consumer = sl::stream_consumer<sl::transactional, sl::file_offsets>;
#endif
void use(consumer& c) {
  auto const handler = [](sl::batch const&, consumer::transaction&) {};
  sl::step_result const r = c.step(handler, std::chrono::seconds{1});
  (void)r.due;
  c.run(std::stop_token{}, handler);
  if (c.drain(std::chrono::seconds{1}) == sl::close_result::timed_out) c.close();
  c.seek({"t", 0}, sl::offset{1});
  for (auto const& p : c.positions()) (void)p.next.value();
  for (auto const& l : c.lag()) (void)l.records;
  c.wake_on(-1);
  c.wake();
  (void)c.statistics().records;
}
