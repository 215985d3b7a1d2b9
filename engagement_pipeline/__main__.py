"""`engagement`, or `python -m engagement_pipeline`: the command line as a process."""

import os
import sys
from pathlib import Path

from engagement_pipeline.cli import INTERRUPTED


def run() -> None:
    """Run the command line and leave with its exit code."""
    _open_closed_streams()
    try:
        from engagement_pipeline.cli.main import main  # noqa: PLC0415 - Ctrl-C is one line during the imports too

        code = main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.stderr.write("engagement: interrupted\n")
        code = INTERRUPTED
    if code == INTERRUPTED:
        _leave_at_once(code)
    sys.exit(code)


def _open_closed_streams() -> None:
    """Have output that nobody wants go nowhere: a file that is opened later would else take a closed one's number."""
    modes = {"stdin": "r", "stdout": "w", "stderr": "w"}  # in the order of their numbers
    for name, mode in modes.items():
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - open to the end


def _leave_at_once(code: int) -> None:
    """End without waiting for requests in flight, as Python would: whoever pressed Ctrl-C twice has said so.

    Nothing that has landed is lost, since a response lands by a rename. The system frees the locks.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
