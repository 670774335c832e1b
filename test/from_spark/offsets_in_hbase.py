# servers: {kafka} {hbase}
import base64
import json
import urllib.request

from parts import *

brokers = servers[0]
rest, table = servers[1].rsplit("/", 1)


def ask(method, path, body=None):
    request = urllib.request.Request(rest + path, json.dumps(body).encode() if body else None, method=method,
                                     headers={"Accept": "application/json", "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def b64(text):
    return base64.b64encode(text.encode()).decode()


def history():
    """The newest row of the group: {partition: offset}."""
    rows = json.loads(ask("GET", f"/{table}/lines:old_job:*"))["Row"]
    newest = max(rows, key=lambda row: base64.b64decode(row["key"]))
    cells = {base64.b64decode(c["column"]).decode(): base64.b64decode(c["$"]).decode() for c in newest["Cell"]}
    return {int(name.split(":")[1]): int(value) for name, value in cells.items()}


topic = Topic(brokers, "lines", 2)
topic.produce_log(300)
ends = {p: sum(1 for q, _, _ in topic.records if q == p) for p in range(2)}
ask("PUT", f"/{table}/schema", {"name": table, "ColumnSchema": [{"name": "offsets", "TTL": "2592000"}, {"name": "current"}]})
stored = {0: 40, 1: 70}
ask("PUT", f"/{table}/row", {"Row": [{"key": b64("lines:old_job:1700000000000"),
                                     "Cell": [{"column": b64(f"offsets:{p}"), "$": b64(str(o))} for p, o in stored.items()]}]})
run = Running(brokers, "old_job", "lines", rest, table)
run.wait(lambda: history() == ends)
lines, _ = run.end()
equal(sorted((int(p), int(o), v) for p, o, v in lines),
      sorted((p, o, v) for p, o, v in topic.offsets() if o >= stored[p]))
