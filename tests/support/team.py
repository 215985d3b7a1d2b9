"""Machines that share a network and a bucket, and no file: namespaces of their own on this one.

On each lies a home below HOME, the same path with other files. It has its own host name, process IDs and temporary
files. So a lock's holder on another one cannot be looked at, as on a machine elsewhere. Sockets of PostgreSQL, Redis
and the code location stand in for the network. Needs root, namespaces, PostgreSQL and Redis; `missing` says what is
not to be had.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import postgres
from processes import CLONE

PATIENCE = 900  # seconds for what should come by itself, far beyond what a machine with other work needs
DEPLOY = CLONE / "deploy" / "celery"
NAMESPACES = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc"]
# Its own files are put where each machine has them, and those of all machines hidden behind an empty folder.
BOOT = """
set -eu
hostname "$1"
mount --bind "$2/$1" "$3"
mount -t tmpfs -o ro none "$2"
cd "$4"
shift 4
exec setsid env --default-signal=INT "$@"
"""


def missing():
    """Return why no such machines can be had here, or an empty text."""
    if os.geteuid():
        return "machines of their own need root"
    if not shutil.which("redis-server"):
        return "not installed: redis-server (make test-workers installs it)"
    done = subprocess.run([*NAMESPACES, "true"], capture_output=True, text=True, check=False)
    return f"namespaces are not to be had: {done.stderr.strip()}" if done.returncode else postgres.missing()


@dataclass
class Machine:
    """One machine: `folder` has its files, which it sees as `team.home`."""

    team: "Team"
    name: str
    folder: Path
    _running: list = field(default_factory=list)

    def start(self, *command, **variables):
        """Start a program, which writes to a log of its name, and return it."""
        with (self.folder / f"{Path(command[0]).name}.log").open("ab") as log:
            process = self._popen(command, variables, stdout=log, stderr=log)
        self._running.append(process)
        return process

    def run(self, *command, **variables):
        """Run a command, and return what it printed."""
        process = self._popen(command, variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, said
        return said

    def kill(self):
        """Have the machine die: all its processes at once, by SIGKILL."""
        for process in self._running:
            process.send_signal(signal.SIGKILL)  # and --kill-child ends the first of its processes, so all of them
            process.wait()
        self._running.clear()

    def stop(self):
        """Signal the first process of each program, as who supervises it does."""
        for process in self._running:
            os.kill(_first(process), signal.SIGTERM)

    def kill_process(self, number):
        """Kill the process that has a number on the machine."""
        spaces = {Path(f"/proc/{_first(process)}/ns/pid").readlink() for process in self._running}
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                numbers = (folder / "status").read_text().split("NSpid:")[1].split("\n")[0].split()
                if (folder / "ns" / "pid").readlink() in spaces and int(numbers[-1]) == number:
                    os.kill(int(folder.name), signal.SIGKILL)

    def said(self):
        """Return the end of each log."""
        return "\n".join(f"{path}:\n{path.read_text()[-3000:]}" for path in sorted(self.folder.glob("*.log")))

    def _popen(self, command, variables, **options):
        boot = ["sh", "-c", BOOT, "boot", self.name, str(self.folder.parent), str(self.team.home), str(CLONE)]
        environment = self.team.environment | variables
        return subprocess.Popen(
            [*NAMESPACES, *boot, *map(str, command)],
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            **options,
        )


@dataclass
class Team:
    """The machines by name, what they share, and the variables that each has."""

    home: Path
    environment: dict
    cluster: postgres.Cluster
    machines: dict = field(default_factory=dict)
    told: Callable = print

    def __getitem__(self, name):
        return self.machines[name]

    def until(self, what, holds):
        """Return what `holds` returns once that is true."""
        ends = time.monotonic() + PATIENCE
        while not (found := holds()):
            assert time.monotonic() < ends, f"{what}\n" + "\n".join(each.said() for each in self.machines.values())
            time.sleep(0.2)
        return found


@contextmanager
def team(names, files, variables):
    """Have machines of these names, each with copies of some files, by their path below its home, and a Dagster home.

    `variables` are those of each, in which {home} stands for its home.
    """
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="team")))
        home, sockets = root / "home", root / "network"
        home.mkdir()
        sockets.mkdir()
        cluster = stack.enter_context(postgres.cluster())
        stack.enter_context(_redis(sockets))
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(CLONE),
            "HOME": str(home),
            "TMPDIR": str(home / "tmp"),
            "DAGSTER_HOME": str(home / "dagster"),
            "REDIS_URL": f"redis+socket://{sockets}/redis",
            "no_proxy": "localhost,127.0.0.1,::1",
            **cluster.environment,
            **{name: value.replace("{home}", str(home)) for name, value in variables.items()},
        }
        made = Team(home, environment, cluster)
        for name in names:
            folder = root / "machines" / name
            (folder / "tmp").mkdir(parents=True)
            (folder / "dagster").mkdir()
            shutil.copy(DEPLOY / "dagster.yaml", folder / "dagster")
            for place, source in files.items():
                (folder / place).parent.mkdir(exist_ok=True)
                shutil.copy(source, folder / place)
            made.machines[name] = Machine(made, name, folder)
            stack.callback(made.machines[name].kill)
        yield made


def _first(process):
    """Return the ID that the first process of a machine's program has here."""
    (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(child)


@contextmanager
def _redis(folder):
    """Run a server that keeps what it was told, as deploy/celery/compose.yaml has it."""
    options = ["--port", "0", "--unixsocket", folder / "redis", "--dir", folder, "--appendonly", "yes"]
    with (folder / "redis.log").open("wb") as log:
        process = subprocess.Popen(["redis-server", *map(str, options)], stdout=log, stderr=log)
    try:
        ends = time.monotonic() + PATIENCE
        while not (folder / "redis").exists():
            assert process.poll() is None
            assert time.monotonic() < ends
            time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait()
