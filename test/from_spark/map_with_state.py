# servers: {kafka}
from collections import Counter, defaultdict

from parts import *

topic = Topic(servers[0], "requests", 2)
with tempfile.TemporaryDirectory() as folder:
    run = Running(servers[0], "visits", "requests", folder)

    def visits():
        """Of each client the numbers of each visit's requests, and in the end how many it was told that there were."""
        found = defaultdict(lambda: [[]])
        for client, what, n in run.so_far():
            found[client][-1].append(int(n))
            if what == "over":
                found[client].append([])
        return found

    def all_over():
        return all(v[-1] == [] for v in visits().values()) and counted() == Counter(key for _, key, _ in topic.records)

    def counted():
        return Counter({client: sum(len(v) - 1 for v in vs if v) for client, vs in visits().items()})

    for n in [300, 100]:
        topic.produce_log(n)
        run.wait(all_over)
    run.end()
    for client, found in visits().items():
        for visit in found[:-1]:
            equal(visit, list(range(1, len(visit))) + [len(visit) - 1])
    again = {key for _, key, _ in topic.records[300:]}
    equal(all(len(visits()[client]) > 2 for client in again), True)
