# servers: {kafka}
from parts import *

topic = Topic(servers[0], "lines", 1)
topic.produce_log(100)
first = Running(servers[0], "late", "lines")
first.wait(lambda: topic.committed("late") == 100)
lines, _ = first.end()
equal([int(o) for o, in lines], list(range(100)))

topic.produce_log(100)
topic.delete_below(0, 150)
second = Running(servers[0], "late", "lines")
second.wait(lambda: topic.committed("late") == 200)
lines, told = second.end()
equal([int(o) for o, in lines], list(range(150, 200)))
equal("lines/0" in told and "100" in told and "150" in told, True)
