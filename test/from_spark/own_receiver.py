from collections import Counter

from parts import *

to = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
run = Running(port)


def counted():
    found = Counter()
    for _, word, n in run.printed():
        found[word] += n
    return found - Counter(ready=found["ready"])


def is_ready():
    to.sendto(b"ready", ("127.0.0.1", port))
    return run.printed()


run.wait(is_ready)
log, words = access_log(300), Counter()
for at in range(0, len(log), 100):  # as much as a socket surely holds
    for line in log[at:at + 100]:
        to.sendto(line.encode(), ("127.0.0.1", port))
        words.update(line.split(" "))
    run.wait(lambda: counted().total() >= words.total())
run.end()
equal(counted(), words)
