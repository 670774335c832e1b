# servers: {kafka} {mysql}
import random
from collections import Counter

from mysql import *
from parts import *

topic = Topic(servers[0], "requests", 2)
at = mysql_of(servers[1])
at.query("create table hits (address varchar(100) primary key, n bigint not null)")


def counted():
    return int(at.query("select coalesce(sum(n), 0) from hits")[0][0])


def start():
    return Running(servers[0], "hits", "requests", at.port, at.user, at.database)


for seed in range(3):
    run = start()
    time.sleep(1)
    topic.produce_log(5000)
    time.sleep(random.Random(seed).uniform(0.0, 1.0))
    run.kill()
run = start()
topic.produce_log(1000)
run.wait(lambda: counted() >= len(topic.records), 90)
run.end()
equal({address: int(n) for address, n in at.query("select address, n from hits")},
      dict(Counter(key for _, key, _ in topic.records)))
