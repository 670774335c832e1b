# servers: {kafka} {mysql}
from mysql import *
from parts import *

topic = Topic(servers[0], "requests", 2)
topic.produce_log(3000)
at = mysql_of(servers[1])
for group in ["first", "again"]:
    run = Running(servers[0], group, "requests", at.port, at.user, at.database)
    run.wait(lambda: topic.committed(group) == 3000)
    run.end()
    equal({address: line for address, line in at.query("select address, line from last_request")},
          {key: value for _, key, value in topic.records})
