"""What the command line writes on standard error: log lines, and the one line of a failure.

In: log records, messages, exceptions. Out: lines without a known secret or a character that commands a terminal.
"""

from __future__ import annotations

import logging
import os
import sys

from engagement_pipeline.core.redaction import guard_logs, printable, redacted, traceback_of

OF_DUCKDB = "OutOfMemoryException"  # by its name: to import DuckDB takes long
NO_THREAD = "can't start new thread"  # as Python says it where the system gives no memory for one


def on_terminal(text: str) -> str:
    """Return lines of text without a character that commands a terminal."""
    return "\n".join(map(printable, text.split("\n")))


def show_logs(*, verbose: bool = False) -> None:
    """Have warnings of this process written on standard error, as lines like those of failures.

    `verbose` adds what the package itself tells of its work: retries, and pulls that go on.
    """
    guard_logs()
    handler = _Handler()
    handler.setFormatter(_Formatter("engagement: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("engagement_pipeline").setLevel(logging.INFO if verbose else logging.NOTSET)


class _Handler(logging.Handler):
    """Writes to what is standard error now: while bars are drawn, that is what keeps lines above them."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record's line."""
        print(self.format(record), file=sys.stderr, flush=True)


class _Formatter(logging.Formatter):
    """Makes lines of records, which are masked already."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
        return on_terminal(super().format(record))


def end_output() -> None:
    """Write what standard output still holds, or drop it: Python would fail once more at exit, with its own code."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def show_failure(message: str) -> None:
    """Print what happened, on one line."""
    print(on_terminal(f"engagement: {' '.join(redacted(message).splitlines())}"), file=sys.stderr)


def show_mistake(error: Exception, *, where: bool) -> None:
    """Print what there is to say of an exception that nobody foresaw; with `where`, its traceback before."""
    if where:
        print(on_terminal(traceback_of(error)), file=sys.stderr)
    if isinstance(error, MemoryError) or type(error).__name__ == OF_DUCKDB or NO_THREAD in str(error):
        show_failure("the memory ran out; what has landed is kept: run again, with more memory or a shorter window")
        return
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    hint = "" if where else "; the same command with --traceback shows where, without secrets"
    show_failure(f"{what}: a mistake of this program; what has landed is kept{hint}")
