"""A lock as a file, which the operating system frees when its holder dies; its one line says who holds it.

In: a path, what it is held for, and what is called while somebody else holds it. Out: a context that is entered when
the turn has come. Whoever waits is told who holds it, each time that this is another: so it is with the locks of a
bucket too (lake/object_lock.py).
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from filelock import BaseFileLock

GLANCE = 0.2  # seconds between two looks at who holds it; a shorter wait is not worth a line


@contextmanager
def hold(path: Path, *, what: str = "", waiting: Callable[[str], object]) -> Iterator[None]:
    """Hold a lock; `what` says what for. `waiting` is called with what another holder has said, each time it differs.

    OSError where the file cannot be written.
    """
    from filelock import FileLock  # noqa: PLC0415 - who locks nothing does not wait for it

    lock = FileLock(path)
    _acquire(lock, path, waiting)
    try:
        path.write_text(f"{what}\n" if what else "")
        yield
    finally:
        with suppress(OSError):  # the line is a courtesy
            os.truncate(path, 0)
        lock.release()


def _acquire(lock: BaseFileLock, path: Path, waiting: Callable[[str], object]) -> None:
    from filelock import Timeout  # noqa: PLC0415

    told: str | None = None
    while True:
        try:
            lock.acquire(timeout=GLANCE)
        except Timeout:
            who = _holder(path)
            if who != told:
                waiting(who)
                told = who
        else:
            return


def _holder(path: Path) -> str:
    """Return the holder's line; empty while it is not whole, or where it cannot be read."""
    try:
        text = path.read_text()
    except (OSError, ValueError):
        return ""
    return text.strip() if text.endswith("\n") else ""
