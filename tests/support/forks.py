"""Python programs that each run in a process of their own, and need no second to start.

As a script: a process that has imported the library, and forks for each program. It has no threads of its own, which a
fork of the process of the tests would lose.
"""

import atexit
import json
import os
import subprocess
import sys
import tempfile
import traceback
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a program ended: its exit code, below zero if it was killed, and what it wrote to standard error."""

    code: int
    said: str


def run(program, *arguments, environment=None):
    """Run a program as `python -c` does, by default with the environment of this moment, and wait for its end."""
    with tempfile.NamedTemporaryFile() as said:
        asked = {
            "program": program,
            "arguments": arguments,
            "environment": dict(environment or os.environ),
            "said": said.name,
        }
        process = _forking()
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.flush()
        code = int(process.stdout.readline())
        return Ended(code=code, said=said.read().decode(errors="replace"))


@cache
def _forking():
    """Start the process that forks, once."""
    process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(process.communicate)
    return process


def serve():
    """Fork for each program that is read, and print its exit code."""
    import engagement_pipeline.cli.main  # noqa: F401, PLC0415 - what it brings along takes the second

    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if not child:
            in_child(asked)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


def in_child(asked):
    """Run the program, and end with its exit code; nothing that this process shares with its parent is cleaned up."""
    code = 1
    try:
        for descriptor, opened in ((0, os.devnull), (1, os.devnull), (2, asked["said"])):
            os.dup2(os.open(opened, os.O_RDWR), descriptor)
        os.environ.clear()
        os.environ.update(asked["environment"])
        sys.argv = ["-c", *asked["arguments"]]
        exec(asked["program"], {"__name__": "__main__"})
        code = 0
    except SystemExit as end:
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - the child ends here, whatever it is
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    serve()
