# servers: {kafka}
from parts import *

topic = Topic(servers[0], "lines", 1)
topic.produce_log(500)
records = [[str(offset), value] for _, offset, value in topic.offsets()]
topic.abort([(0, "", "never")] * 3)  # three records and a marker that no reader sees: no record stands before the log's end
for begin, until in [(100, 350), (0, 500), (400, 504), (20, 20)]:
    out = subprocess.run([program, servers[0], "lines", "0", str(begin), str(until)], check=True, text=True, timeout=60,
                         stdout=subprocess.PIPE).stdout
    equal([line.split("\t") for line in out.splitlines()], records[begin:until])
