# servers: {kafka}
from collections import Counter

from parts import *

topic = Topic(servers[0], "requests", 1)
topic.produce_log(5000)
run = Running(servers[0], "worst", "requests")
run.wait(lambda: topic.committed("worst") == 5000)
lines, _ = run.end()
counts = Counter(key for _, key, value in topic.records if '" 404 ' in value)
equal(len({time for time, _, _ in lines}), 1)
equal(all(int(time) % 1000 == 0 for time, _, _ in lines), True)
equal([int(n) for _, _, n in lines], [n for _, n in counts.most_common(3)])
equal(all(counts[key] == int(n) for _, key, n in lines), True)
