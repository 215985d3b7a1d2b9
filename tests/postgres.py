"""A PostgreSQL cluster of a test's own: Debian's server in a folder that goes with it, on a free port."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

OWNER = "postgres"  # Debian's; the server refuses to run as root
PASSWORD = "p/w: it's 100% $ecret"


@dataclass(frozen=True)
class Cluster:
    """Where the server listens, and the variables of deploy/systemd/engagement.env with which Dagster finds it."""

    port: int
    environment: dict[str, str]

    def ask(self, sql):
        """Return what psql prints for a query, as the role of Dagster."""
        of_role = {"PGPASSWORD": self.environment["DAGSTER_PG_PASSWORD"], "PATH": os.environ["PATH"]}
        command = [
            programs() / "psql",
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-U",
            "dagster",
            "-XAtc",
            sql,
            "dagster",
        ]
        return subprocess.run(command, env=of_role, check=True, capture_output=True, text=True).stdout.strip()


def programs():
    """Return the folder of the newest PostgreSQL server on this machine, or None."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(found, key=lambda path: int(path.parent.name), default=None)


def missing():
    """Return why no cluster can be started here, or an empty text."""
    if programs() is None:
        return "PostgreSQL's server is not installed: apt-get install postgresql"
    if os.geteuid() == 0 and not any(user.pw_name == OWNER for user in pwd.getpwall()):
        return f"the server refuses to run as root, and there is no user {OWNER}"
    return ""


@contextmanager
def cluster():
    """Run a server with the role and the database `dagster`, reached by password over TCP alone."""
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # not below pytest's, which other users may not enter
    as_owner = _as_owner(folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data, log = folder / "data", folder / "log"
    listens = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c fsync=off"
    _do([*as_owner, programs() / "initdb", "-D", data, "-A", "scram-sha-256", "--auth-local", "trust", "-U", OWNER])
    try:
        _do([*as_owner, programs() / "pg_ctl", "-D", data, "-l", log, "-o", listens, "-w", "start"])
        local = ["-h", folder, "-p", str(port), "-U", OWNER]
        quoted = PASSWORD.replace("'", "''")
        _do([programs() / "psql", *local, "-Xqc", f"create role dagster login password '{quoted}'"])
        _do([programs() / "createdb", *local, "--owner", "dagster", "dagster"])
        variables = {"HOST": "127.0.0.1", "PORT": port, "DB": "dagster", "USERNAME": "dagster", "PASSWORD": PASSWORD}
        yield Cluster(port, {f"DAGSTER_PG_{name}": str(value) for name, value in variables.items()})
    finally:
        _do([*as_owner, programs() / "pg_ctl", "-D", data, "-m", "immediate", "stop"])
        shutil.rmtree(folder)


def _as_owner(folder):
    """Return what stands before a command that the server's user runs; make the folder that user's."""
    if os.geteuid():
        return []
    owner = pwd.getpwnam(OWNER)
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    return ["setpriv", f"--reuid={OWNER}", f"--regid={owner.pw_gid}", "--clear-groups"]


def _do(command):
    """Run a command; its output goes into the error where it fails. The server keeps no pipe of ours open."""
    with tempfile.TemporaryFile("w+") as said:
        done = subprocess.run(
            [str(part) for part in command], stdout=said, stderr=said, stdin=subprocess.DEVNULL, cwd="/", check=False
        )
        said.seek(0)
        assert done.returncode == 0, said.read()
