# servers: {kafka} {zookeeper}
import socket
import struct

from parts import *

brokers, zookeeper = servers


class ZooKeeper:
    """As much of ZooKeeper's protocol as it takes to make nodes and read them."""

    def __init__(self, address):
        host, port = address.split(":")
        self.socket, self.xid = socket.create_connection((host, int(port)), 30), 0
        self.send(struct.pack(">iqiq", 0, 0, 30000, 0) + self.buffer(bytes(16)))
        self.receive()

    @staticmethod
    def buffer(data):
        return struct.pack(">i", len(data)) + data

    def send(self, body):
        self.socket.sendall(self.buffer(body))

    def receive(self):
        def exactly(n):
            data = b""
            while len(data) < n:
                data += self.socket.recv(n - len(data)) or sys.exit("ZooKeeper has closed the connection")
            return data
        return exactly(struct.unpack(">i", exactly(4))[0])

    def ask(self, kind, body):
        self.xid += 1
        self.send(struct.pack(">ii", self.xid, kind) + body)
        answer = self.receive()
        return struct.unpack(">i", answer[12:16])[0], answer[16:]

    def make(self, path, data):
        acl = struct.pack(">ii", 1, 31) + self.buffer(b"world") + self.buffer(b"anyone")
        error, _ = self.ask(1, self.buffer(path.encode()) + self.buffer(data.encode()) + acl + struct.pack(">i", 0))
        if error not in (0, -110):
            sys.exit(f"can't make {path}: {error}")

    def get(self, path):
        error, body = self.ask(4, self.buffer(path.encode()) + b"\0")
        return None if error else body[4:4 + struct.unpack(">i", body[:4])[0]].decode()


topic = Topic(brokers, "lines", 2)
topic.produce_log(300)
ends = [sum(1 for q, _, _ in topic.records if q == p) for p in range(2)]
stored, root = [40, 70], "/consumers/offsets/old_job/lines"
zk = ZooKeeper(zookeeper)
for depth in range(2, 6):
    zk.make("/".join(root.split("/")[:depth]), "")
for p in range(2):
    zk.make(f"{root}/{p}", str(stored[p]))
run = Running(brokers, "old_job", "lines", zookeeper)
run.wait(lambda: [zk.get(f"{root}/{p}") for p in range(2)] == [str(e) for e in ends])
lines, _ = run.end()
equal(sorted((int(p), int(o), v) for p, o, v in lines),
      sorted((p, o, v) for p, o, v in topic.offsets() if o >= stored[p]))
