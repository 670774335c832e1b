"""What the scripts have in common: topics, the program that is tried, and its end."""
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zlib

program, topics_program, *servers = sys.argv[1:]
LOG = os.path.join(os.path.dirname(__file__), "../../example/data/apache_access.log")


def access_log(n):
    with open(LOG, errors="replace") as file:
        return [line.rstrip("\n") for _, line in zip(range(n), file)]


def address(line):
    return line.split(" ")[0]


class Topic:
    """A topic in Kafka; `records` are (partition, key, value), in order."""

    def __init__(self, brokers, name, partitions):
        self.brokers, self.name, self.partitions, self.records = brokers, name, partitions, []
        self.ask("create", name, str(partitions))

    def ask(self, *what, stdin=None):
        return subprocess.run([topics_program, self.brokers, *what], check=True, text=True, input=stdin,
                              stdout=subprocess.PIPE).stdout

    def produce(self, records):
        self.records += records
        self.ask("produce", self.name, stdin="".join(f"{p}\t{k}\t{v}\n" for p, k, v in records))

    def abort(self, records):
        """Written in a transaction that is aborted."""
        self.ask("abort", self.name, stdin="".join(f"{p}\t{k}\t{v}\n" for p, k, v in records))

    def produce_log(self, n):
        """Lines of the access log, keyed by the client's address, each address in one partition."""
        self.produce([(zlib.crc32(address(l).encode()) % self.partitions, address(l), l) for l in access_log(n)])

    def offsets(self):
        """(partition, offset, value) of all that was produced."""
        at, all_of_them = [0] * self.partitions, []
        for p, _, value in self.records:
            all_of_them.append((p, at[p], value))
            at[p] += 1
        return all_of_them

    def committed(self, group):
        return int(self.ask("committed", group, self.name, str(self.partitions)))

    def read(self):
        """(partition, key, value) of all that a reader of committed records sees."""
        return [(int(p), k, v) for p, k, v in
                (line.split("\t") for line in self.ask("read", self.name, str(self.partitions)).splitlines())]

    def delete_below(self, partition, offset):
        self.ask("delete_below", self.name, str(partition), str(offset))


class LineServer:
    """Says lines to one client after another."""

    def __init__(self):
        self.listening, self.client = socket.create_server(("127.0.0.1", 0)), None
        self.listening.settimeout(120)
        self.port = self.listening.getsockname()[1]

    def accept(self):
        self.client, _ = self.listening.accept()

    def say(self, lines):
        self.client.sendall("".join(line + "\n" for line in lines).encode())


class Running:
    """The program, until `end()` asks it to stop and gives its output."""

    def __init__(self, *arguments, env=None):
        self.out, self.err = tempfile.TemporaryFile("w+"), tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([program, *map(str, arguments)], stdout=self.out, stderr=self.err,
                                        env={**os.environ, **(env or {})})

    def wait(self, done, seconds=120, pause=0.1):
        give_up = time.monotonic() + seconds
        while not done():
            if self.process.poll() is not None or time.monotonic() > give_up:
                self.fail("ended by itself" if self.process.poll() is not None else f"not done after {seconds} s")
            time.sleep(pause)

    def so_far(self):
        """The lines of standard output, each split at its tabs."""
        out = os.pread(self.out.fileno(), 1 << 26, 0).decode()
        return [line.split("\t") for line in out[:out.rfind("\n") + 1].splitlines()]

    def printed(self):
        """Of sl::print's results: (time, key, number)."""
        time, all_of_them = None, []
        for line, *_ in self.so_far():
            if line.startswith("Time: "):
                time = int(line.split(" ")[1])
            elif line.startswith("("):
                key, n = line[1:-1].rsplit(",", 1)
                all_of_them.append((time, key, int(n)))
        return all_of_them

    def fail(self, why):
        self.process.kill()
        self.process.wait()
        sys.exit(f"{os.path.basename(program)}: {why}\n{text(self.out)[-3000:]}\n{text(self.err)[-3000:]}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def hears(self, number):
        """Does it catch that signal, or wait for it by itself?"""
        with open(f"/proc/{self.process.pid}/status") as file:
            masks = dict(line.split(":", 1) for line in file)
        return any(int(masks[name], 16) >> number - 1 & 1 for name in ("SigBlk", "SigCgt"))

    def end(self):
        """The lines of standard output, each split at its tabs; and standard error."""
        while self.process.poll() is None and not self.hears(signal.SIGTERM):
            time.sleep(0.01)
        self.process.send_signal(signal.SIGTERM)
        try:
            if self.process.wait(60) != 0:
                self.fail(f"status {self.process.returncode}")
        except subprocess.TimeoutExpired:
            self.fail("did not end")
        return [line.split("\t") for line in text(self.out).splitlines()], text(self.err)


def text(file):
    file.seek(0)
    return file.read()


def equal(found, expected):
    if found != expected:
        sys.exit(f"found    {str(found)[:1500]}\nexpected {str(expected)[:1500]}")
