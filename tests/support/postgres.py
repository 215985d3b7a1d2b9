"""A PostgreSQL cluster of a test's own: Debian's server in a folder that goes with it, reached by a socket there."""

import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

OWNER = "postgres"  # Debian's; the server refuses to run as root


@dataclass(frozen=True)
class Cluster:
    """The variables with which PostgreSQL's clients find the server: those of deploy/systemd/engagement.env."""

    environment: dict[str, str]

    def ask(self, sql):
        """Return what psql prints for a query of Dagster's database."""
        command = [programs() / "psql", "-XAtc", sql, "dagster"]
        done = subprocess.run(command, env=os.environ | self.environment, check=True, capture_output=True, text=True)
        return done.stdout.strip()


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
    """Run a server with the role `engagement` and the database `dagster`; its folder lets nobody else in."""
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # not below pytest's: a socket's path must be short
    as_owner = _as_owner(folder)
    data, environment = folder / "data", {"PGHOST": str(folder), "PGUSER": "engagement"}
    listens = f"-c listen_addresses= -c unix_socket_directories={folder}"
    _do([*as_owner, programs() / "initdb", "-D", data, "--auth", "trust", "-U", environment["PGUSER"]])
    try:
        _do([*as_owner, programs() / "pg_ctl", "-D", data, "-l", folder / "log", "-o", listens, "-w", "start"])
        _do([programs() / "createdb", "-h", folder, "-U", environment["PGUSER"], "dagster"])
        yield Cluster(environment)
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
