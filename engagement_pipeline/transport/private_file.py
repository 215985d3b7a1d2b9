"""A file of secrets: changed by one at a time, read by its owner alone, whole at any moment.

In: a path, and text. Out: the file, of mode 0600. Whoever changes it holds its lock. A reader finds the old text or the
new, never half of it.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from engagement_pipeline.core.durable import sync_folder
from engagement_pipeline.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

ASIDE = ".part"  # how the file of a save ends before it is renamed; what a killed one leaves is removed by the next
SAVE_SECONDS = 30  # to wait for another save, which takes a moment


@contextmanager
def alone(path: Path, *, work: str = "", seconds: float = SAVE_SECONDS) -> Iterator[None]:
    """Keep other saves out: two that read the same file would lose the tokens of one.

    A longer `work` than a save has a lock of its own, and others wait for it so many `seconds`.
    """
    lock = FileLock(beside(path, f"{work}.lock"), timeout=seconds)
    try:
        lock.acquire()
    except Timeout:
        raise InputError(f"{path} is being written by another program for {seconds:.0f} s: try again") from None
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}; nothing in it has changed") from None
    try:
        yield
    finally:
        lock.release()


def remove_leftovers(path: Path) -> None:
    """Remove what a save that was killed has left, unless another save is at it, or this user may not."""
    if _asides(path):
        with suppress(OSError, Timeout), FileLock(beside(path, ".lock"), timeout=0):
            remove_asides(path)


def write(path: Path, text: str) -> None:
    """Replace a file by one that only its owner can read: a reader finds the old one or the new, never half of it."""
    target = path.resolve()  # where the path is a link, it stays one
    try:
        descriptor, name = tempfile.mkstemp(ASIDE, f".{target.name}.", target.parent)  # of mode 0600 at once
        aside = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
            aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}; nothing in it has changed") from None
    try:
        sync_folder(target.parent)
    except OSError as error:
        raise InputError(
            f"{path} has the new tokens, but a power cut may take them back: its folder cannot be put on the disk "
            f"({error.strerror}); mend that, then authorize again"
        ) from None


def beside(path: Path, ending: str) -> Path:
    """Return a hidden file beside the real one; saves lock such a one, and pulls another, for hours."""
    target = path.resolve()
    return target.with_name(f".{target.name}{ending}")


def remove_asides(path: Path) -> None:
    """Remove what saves that were killed have left; whoever calls holds the lock."""
    for aside in _asides(path):
        with suppress(OSError):  # another user's, which is no reason not to go on
            aside.unlink()


def _asides(path: Path) -> list[Path]:
    """Return the files that saves write before they rename them; none where this user may not list the folder."""
    target = path.resolve()
    begins = f".{target.name}."
    with suppress(PermissionError):
        return [at for at in target.parent.iterdir() if at.name.startswith(begins) and at.suffix == ASIDE]
    return []
