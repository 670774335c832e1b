# servers: {kafka}
from collections import Counter

from parts import *

topic = Topic(servers[0], "peak", 2)
topic.produce([(p, "", f"{i}") for i in range(400) for p in range(2)])
run = Running(servers[0], "peak", "peak")
run.wait(lambda: topic.committed("peak") == 800)
lines, _ = run.end()
equal(sum(int(n) for _, n in lines), 800)
equal(max(int(n) for _, n in lines) <= 100, True)
of_batch = Counter()
for time, n in lines:
    of_batch[time] += int(n)
equal(max(of_batch.values()) <= 200 and len(of_batch) >= 4, True)
