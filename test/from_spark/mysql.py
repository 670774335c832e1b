"""MariaDB's own command line client."""
import subprocess
from dataclasses import dataclass


@dataclass
class Database:
    user: str
    port: str
    database: str

    def query(self, sql):
        out = subprocess.run(["mariadb", "--protocol=tcp", "-h127.0.0.1", f"-u{self.user}", f"-P{self.port}", "-N",
                              "--batch", "--raw", self.database, "-e", sql], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
        return [line.split("\t") for line in out.splitlines()]


def mysql_of(address):
    """USER@HOST:PORT/DATABASE; the password is in the environment."""
    user, rest = address.split("@")
    port, database = rest.split(":")[1].split("/")
    return Database(user, port, database)
