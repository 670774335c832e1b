# servers: {kafka}
import random
import sqlite3
from collections import Counter

from parts import *

topic = Topic(servers[0], "requests", 2)
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "totals.db")
    db = sqlite3.connect(path, timeout=30)
    db.execute("create table totals (client text primary key, n integer not null)")

    def totals():
        return dict(db.execute("select client, n from totals"))

    def start():
        return Running(servers[0], "totals", "requests", path)

    for seed in range(3):
        run, before = start(), sum(totals().values())
        topic.produce_log(5000)
        run.wait(lambda: sum(totals().values()) > before)
        topic.produce_log(2000)
        time.sleep(random.Random(seed).uniform(0.0, 0.5))
        run.kill()
    run = start()
    topic.produce_log(1000)
    run.wait(lambda: sum(totals().values()) >= len(topic.records))
    run.end()
    equal(totals(), dict(Counter(key for _, key, _ in topic.records)))
