# servers: {kafka}
from collections import Counter, defaultdict

from parts import *

topic = Topic(servers[0], "lines", 2)
with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as log:
    def start():
        return Running(servers[0], "received", "lines", folder, os.path.join(log, "log"))

    def windows(run):
        found = defaultdict(Counter)
        for end, word, n in run.printed():
            found[end][word] += n
        return found

    def words():
        return Counter(word for _, _, value in topic.records for word in value.split(" "))

    killed = start()
    topic.produce_log(2000)
    killed.wait(lambda: windows(killed))
    topic.produce_log(1000)
    killed.wait(lambda: topic.committed("received") == 3000)  # all is in the log
    killed.kill()
    run = start()
    run.wait(lambda: any(counts.total() >= words().total() for counts in windows(run).values()))
    run.end()
    found = windows(run)
    equal(found[max(found)], words())
    equal([end % 2000 for end in found], [0] * len(found))
