# servers: {kafka}
from collections import Counter, defaultdict

from parts import *

# Each line has a word of its own, which tells by the windows that it is in, three or two, which batch of 1 s it was in.
topic = Topic(servers[0], "lines", 2)
with tempfile.TemporaryDirectory() as folder:
    run = Running(servers[0], "recent", "lines", folder)
    log = access_log(210)

    def windows():
        found = defaultdict(Counter)
        for end, word, n in run.printed():
            found[end][word] += n
        return found

    def seen():
        return {word for counts in windows().values() for word in counts}

    begin = time.monotonic()
    for at in range(0, len(log), 30):
        topic.produce([(i % 2, "", f"{address(log[i])} {log[i].split(' ')[5]} #{i}") for i in range(at, at + 30)])
        time.sleep(max(0, begin + at / 30 + 1 - time.monotonic()))
    run.wait(lambda: seen() >= {f"#{i}" for i in range(len(log))})
    time.sleep(5)
    topic.produce([(0, "", "end")])
    run.wait(lambda: "end" in seen())
    run.end()

    found = windows()
    last = min(end for end, counts in found.items() if "end" in counts)
    found = {end: counts for end, counts in found.items() if end < last}
    time_of, kinds = {}, set()
    for i in range(len(log)):
        ends = sorted(end for end, counts in found.items() if f"#{i}" in counts)
        equal(ends, [ends[0] + 2000 * k for k in range(3 if len(ends) == 3 else 2)])
        kinds.add(len(ends))
        time_of[i] = ends[0] if len(ends) == 3 else ends[0] - 1000
    equal(kinds, {2, 3})
    expected = defaultdict(Counter)
    for i, (_, _, line) in enumerate(topic.records[:-1]):
        for end in range(time_of[i] + time_of[i] % 2000, time_of[i] + 5000, 2000):
            expected[end].update(line.split(" "))
    equal(found, dict(expected))
