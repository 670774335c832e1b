# servers: {kafka}
from collections import Counter

from parts import *

topic = Topic(servers[0], "lines", 2)
topic.produce_log(2000)
run = Running(servers[0], "count", "lines")
run.wait(lambda: topic.committed("count") == 2000)
topic.produce_log(500)
run.wait(lambda: topic.committed("count") == 2500)
lines, _ = run.end()
found = Counter()
for word, n in lines:
    found[word] += int(n)
equal(found, Counter(word for _, _, value in topic.records for word in value.split(" ")))
