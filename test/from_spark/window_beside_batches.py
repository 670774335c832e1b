# servers: {kafka}
from parts import *

topic = Topic(servers[0], "requests", 2)
with tempfile.TemporaryDirectory() as folder:
    run = Running(servers[0], "beside", "requests", folder)

    def given(which):
        return [(int(time), int(n)) for what, time, n in run.so_far() if what == which]

    for n in [300, 50, 200, 1]:
        topic.produce_log(n)
        run.wait(lambda: sum(n for _, n in given("batch")) == len(topic.records))
    run.wait(lambda: given("window")[-1][1] == 0)
    run.end()
    batches, windows = given("batch"), given("window")
    equal(windows, [(end, sum(n for time, n in batches if end - 5000 < time <= end)) for end, _ in windows])
    full = [end for end, n in windows if n > 0]
    equal(full, list(range(full[0], full[-1] + 1000, 1000)))
    several = [end for end in full if sum(1 for time, n in batches if n > 0 and end - 5000 < time <= end) > 1]
    equal(len(several) > 0, True)
