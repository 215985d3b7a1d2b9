"""Commands that the system refuses something, or that are killed, at a system call that is named by its number.

As a script: a process that forks for each command; then strace injects the fault into the child, into native code too.
It imports what the commands before have imported, so that the calls of a command are those of its work.
"""

import ctypes
import importlib
import json
import os
import subprocess
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

CALLS = {  # by what they do
    "open": "open,openat",
    "write": "write,pwrite64,writev,pwritev,ftruncate",
    "fsync": "fsync,fdatasync",
    "rename": "rename,renameat,renameat2",
    "mkdir": "mkdir,mkdirat",
    "unlink": "unlink,unlinkat,rmdir",
}
FAULTS = {"refused": "error=EIO", "full": "error=ENOSPC", "killed": "signal=SIGKILL"}
MISTAKE = 70  # the exit code of what no command tells in a line
ANYBODY_MAY_TRACE = (0x59616D61, ctypes.c_ulong(-1))  # where Yama lets only parents trace
EVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended: its exit code, below zero if it was killed; what it said; whether the fault came."""

    code: int
    said: str
    hit: bool


class Server:
    """The process that forks, and the other end of its pipes."""

    def __init__(self, environment, folder):
        self._trace, self._said, self._imported = folder / "trace", folder / "said", folder / "imported"
        self._process = subprocess.Popen(
            [sys.executable, __file__], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, command, environment, *, call="", fault="", place=0):
        """Run a command with variables of its own, and the fault at the call number `place` of a thread, if any."""
        options = []
        if place:
            options = ["-o", str(self._trace), "-e", f"trace={CALLS[call]}"]
            options += ["-e", f"inject={CALLS[call]}:{FAULTS[fault]}:when={place}"]
        asked = {"command": command, "environment": environment, "strace": options, "said": str(self._said)}
        asked["imported"] = str(self._imported)
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        hit = bool(place) and (b"INJECTED" in self._trace.read_bytes() or code < 0)
        return Ended(code=code, said=self._said.read_text(errors="replace"), hit=hit)

    def close(self):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def publish(pipeline, settings):
    pipeline.publish_landed(settings.load())


def prune(pipeline, settings):
    from engagement_pipeline.lake.layout import Lake  # noqa: PLC0415
    from engagement_pipeline.publish import retention  # noqa: PLC0415

    for lake in Lake(settings.load().data).of_each_source:
        retention.drop(lake, retention.spent(lake, before=EVER))


OWN = {"publish": publish, "prune": prune}  # which the command line does not do alone, or not so soon


def serve():
    """Fork for each command that is read, and print its exit code."""
    from engagement_pipeline import pipeline  # noqa: PLC0415
    from engagement_pipeline.cli.main import main  # noqa: PLC0415
    from engagement_pipeline.core import settings  # noqa: PLC0415
    from engagement_pipeline.core.errors import EngagementError, refused_by_system  # noqa: PLC0415

    def run(command):
        if command[0] not in OWN:
            return main(command)
        try:
            OWN[command[0]](pipeline, settings)
        except EngagementError as error:
            sys.stderr.write(f"engagement: {error}\n")
            return 1
        except OSError as error:  # as those who run these in the command line and in Dagster tell it
            sys.stderr.write(f"engagement: {refused_by_system(error)}\n")
            return 1
        return 0

    for line in sys.stdin:
        asked = json.loads(line)
        import_all(Path(asked["imported"]))
        child = os.fork()
        if not child:
            code = MISTAKE
            try:
                code = in_child(asked, run)
            except BaseException:  # noqa: BLE001 - the child must end here, whatever it is
                traceback.print_exc()
            finally:
                os._exit(code)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


def in_child(asked, run):
    """Let strace trace this process, and run the command."""
    said = os.open(asked["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.environ.update(asked["environment"])
    if asked["strace"]:
        ctypes.CDLL(None).prctl(*ANYBODY_MAY_TRACE)
        command = ["strace", "-f", "-p", str(os.getpid()), *asked["strace"]]
        tracer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert b"attached" in tracer.stderr.readline()
    code = run(asked["command"])
    if not asked["strace"]:
        Path(asked["imported"]).write_text(json.dumps([*sys.modules]))
    return code


def import_all(imported):
    """Import what a command has imported."""
    for name in json.loads(imported.read_text()) if imported.exists() else ():
        if name not in sys.modules:
            with suppress(ImportError):  # of names that a package gives to a module of another
                importlib.import_module(name)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    serve()
