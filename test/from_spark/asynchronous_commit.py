# servers: {kafka}
from parts import *

topic = Topic(servers[0], "lines", 2)
topic.produce_log(1000)
run = Running(servers[0], "later", "lines")
run.wait(lambda: topic.committed("later") == 1000)
lines, _ = run.end()
equal(sorted((int(p), int(o)) for what, p, o, *_ in lines if what == "handled"),
      sorted((p, o) for p, o, _ in topic.offsets()))
commits = [(int(p), int(next), error) for what, p, next, *rest in lines if what == "committed" for error in rest]
equal({p: next for p, next, error in commits if not error},
      {p: sum(1 for q, _, _ in topic.records if q == p) for p in range(2)})
