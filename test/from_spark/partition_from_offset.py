# servers: {kafka}
from parts import *

topic = Topic(servers[0], "lines", 2)
topic.produce_log(1000)
expected = [(p, o, v) for p, o, v in topic.offsets() if p == 1 and o >= 120]
for _ in range(2):  # nothing is stored: the second run begins there again
    run = Running(servers[0], "lines", 1, 120)
    run.wait(lambda: os.fstat(run.out.fileno()).st_size > 4096)
    time.sleep(1)
    lines, _ = run.end()
    equal([(int(p), int(o), v) for p, o, v in lines], expected)
