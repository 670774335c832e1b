# servers: {kafka}
from collections import Counter

from parts import *

topic = Topic(servers[0], "requests", 1)
with tempfile.TemporaryDirectory() as folder:
    first = Running(servers[0], "restarted", "requests", folder)
    topic.produce_log(10)
    first.wait(lambda: topic.committed("restarted") == 10)
    first.kill()
    topic.produce_log(20)
    second = Running(servers[0], "restarted", "requests", folder)
    second.wait(lambda: topic.committed("restarted") == 30)
    second.end()
    totals, expected = Counter(), []
    for offset, (_, client, _) in enumerate(topic.records):
        totals[client] += 1
        expected.append([str(offset), client, str(totals[client])])
    equal(first.so_far(), expected[:10])
    equal(second.so_far(), expected[10:])
