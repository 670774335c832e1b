# servers: {kafka}
import sqlite3

from parts import *

topic = Topic(servers[0], "requests", 2)
topic.produce_log(3000)
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "requests.db")
    for seconds in [1.0, 1.5]:
        killed = Running(servers[0], "rows", "requests", path)
        killed.wait(lambda: os.path.exists(path))
        time.sleep(seconds)
        killed.kill()
    run = Running(servers[0], "rows", "requests", path)
    run.wait(lambda: topic.committed("rows") == 3000)
    run.end()
    rows = sqlite3.connect(path).execute("select sluice_partition, sluice_offset, line from requests").fetchall()
    equal(sorted(rows), sorted(topic.offsets()))
