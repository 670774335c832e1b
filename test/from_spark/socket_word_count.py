from collections import Counter

from parts import *

server = LineServer()
run = Running("127.0.0.1", server.port)
server.accept()
parts, all_of_them = [access_log(500)[:200], access_log(500)[200:]], []
for part in parts:
    server.say(part)
    before, words = len(all_of_them), Counter(word for line in part for word in line.split(" "))
    run.wait(lambda: sum(n for *_, n in run.printed()[before:]) >= words.total())
    all_of_them = run.printed()
    found = Counter()
    for _, word, n in all_of_them[before:]:
        found[word] += n
    equal(found, words)
run.end()
equal(run.printed(), all_of_them)
times = [time for time, *_ in all_of_them]
equal(len({(time, word) for time, word, _ in all_of_them}), len(all_of_them))  # each word once in a batch
equal([time % 1000 for time in times], [0] * len(times))
equal(times, sorted(times))
