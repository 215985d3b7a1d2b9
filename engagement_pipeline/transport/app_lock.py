"""One puller at a time an app: what the rate is shared by takes turns.

In: the accounts file, whose app the contract gives its rate, and who takes the turn. Out: a context that is
entered when the turn has come; whoever waits says for whom.

    accounts.toml.lock     beside the accounts file, symbolic links followed; locked by the operating system, which
                           frees it when its holder dies. Its one line says who holds it

Copies of an accounts file are files of their own, and pulls with them do not see each other: extract/turn.py takes a
turn in a store for those.
"""

from __future__ import annotations

import logging
import os
import socket
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from engagement_pipeline.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

logger = logging.getLogger(__name__)
GLANCE = 0.2  # seconds between two looks at who holds the turn; a shorter wait is not worth a line


def holder(what: str) -> str:
    """Return what this process says to who waits for it; `what` is as in "the pull of 2026-01-04 to 2026-01-31"."""
    since = datetime.now(UTC).isoformat(" ", "minutes").removesuffix("+00:00")
    return f"{what} (process {os.getpid()} on {socket.gethostname()}, since {since} UTC)"


def tell(who: str) -> None:
    """Say for whom this process waits."""
    logger.warning("waiting for %s to end: an app's rate is for one at a time", who)


@contextmanager
def held(accounts: Path, *, what: str) -> Iterator[None]:
    """Take the app's turn for `what`.

    Raises InputError where the folder of the accounts file cannot be written.
    """
    real = accounts.resolve()
    path = real.with_name(real.name + ".lock")
    lock = FileLock(path)
    try:
        _acquire(lock, path)
        try:
            path.write_text(f"{holder(what)}\n")
        except BaseException:
            lock.release()
            raise
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}): pulls that share an app take turns by it, so make it and "
            "its folder writable, or move the accounts file and name its place in the setting accounts"
        ) from None
    try:
        yield
    finally:
        with suppress(OSError):  # the line is a courtesy
            os.truncate(path, 0)
        lock.release()


def _acquire(lock: FileLock, path: Path) -> None:
    """Acquire the lock, saying each time who has it."""
    said = ""
    while True:
        try:
            lock.acquire(timeout=GLANCE)
        except Timeout:
            who = _holder(path) or f"another pull with {path.with_suffix('')}"
            if who != said:
                tell(who)
                said = who
        else:
            return


def _holder(path: Path) -> str:
    """Return the holder's line; empty while it is not whole, or where it cannot be read."""
    try:
        text = path.read_text()
    except (OSError, ValueError):
        return ""
    return text.strip() if text.endswith("\n") else ""
