"""`engagement`, or `python -m engagement_pipeline`: the command line as a process."""

import os
import sys

from engagement_pipeline.cli import INTERRUPTED


def run() -> None:
    """Run the command line and leave with its exit code."""
    try:
        from engagement_pipeline.cli.main import main  # noqa: PLC0415 - Ctrl-C is one line during the imports too

        code = main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.stderr.write("engagement: interrupted\n")
        code = INTERRUPTED
    if code == INTERRUPTED:
        _leave_at_once(code)
    sys.exit(code)


def _leave_at_once(code: int) -> None:
    """End without waiting for requests in flight, as Python would: whoever pressed Ctrl-C twice has said so.

    Nothing that has landed is lost, since a response lands by a rename. The system frees the locks.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
