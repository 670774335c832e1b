# servers: {kafka}
from parts import *

raw, clean = Topic(servers[0], "raw", 1), Topic(servers[0], "clean", 1)
server = LineServer()
lines = [f"{line} #{i}" for i, line in enumerate(access_log(1000))]


def cleaned(line):
    words = line.split(" ")
    return f"{words[0]}|{words[6]}" if '"GET ' in line else None


with tempfile.TemporaryDirectory() as folder:
    def start():
        run = Running("127.0.0.1", server.port, os.path.join(folder, "log"), folder_of("offsets"), servers[0], "raw",
                      "clean")
        server.accept()
        return run

    def folder_of(name):
        os.makedirs(os.path.join(folder, name), exist_ok=True)
        return os.path.join(folder, name)

    def received():
        return [value for _, _, value in raw.read()]

    def in_the_log(text):
        return subprocess.run(["grep", "-qrsF", text, os.path.join(folder, "log")]).returncode == 0

    killed = start()
    server.say(lines[:600])
    killed.wait(lambda: in_the_log("#599"), pause=0)  # not in Kafka yet, as a rule
    killed.kill()
    run = start()
    server.say(lines[600:])
    run.wait(lambda: lines[-1] in received() and raw.committed("cleaner") == len(received()))
    run.end()
    found = received()
    equal(list(dict.fromkeys(found)), lines)  # at least once, in order
    equal([value for _, _, value in clean.read()], [cleaned(line) for line in found if cleaned(line)])
