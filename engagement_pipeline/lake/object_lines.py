"""Lines appended to a file of a bucket, by the threads of a process: those that wait at the same time are put together.

In: the objects of a bucket, the folder of a file's parts, and lines. Out: the part of this process, put anew with them.

    a line ─> waits while others are put ─> put with all that wait by then ─> each caller goes on, its line in the store

A store that is slow takes as long for many lines as for one. So nobody waits for more than two puts, however many
threads append. The lines of a part are in the order in which they came.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING
from uuid import uuid4

from engagement_pipeline.core.dated import STAMP

if TYPE_CHECKING:
    from engagement_pipeline.lake.objects import Objects

PART_BYTES = 64_000  # after which the next line begins another part


@dataclass(slots=True, eq=False)
class _Waiting:
    """A line that is to be put; whether it `was` put, or tried in vain, with the error."""

    line: bytes
    was: bool = False
    error: OSError | None = None


class Lines:
    """The lines that this process appends to one file. Safe to share by threads."""

    def __init__(self, objects: Objects, folder: str) -> None:
        self._objects = objects
        self._folder = folder
        self._waiting: list[_Waiting] = []
        self._putting = Lock()
        self._part: tuple[str, bytes] | None = None  # its key and what it holds

    def append(self, line: bytes) -> None:
        """Append a line that is in the store once this returns; else raise what the store refused."""
        mine = _Waiting(line)
        self._waiting.append(mine)
        with self._putting:
            if not mine.was:  # put by who had the turn before
                self._put([*self._waiting])
        if mine.error:
            raise mine.error

    def end(self, key: str) -> None:
        """Begin another part with the next line, if this is the one with a key: somebody has written it anew."""
        with self._putting:
            if self._part and self._part[0] == key:
                self._part = None

    def _put(self, lines: list[_Waiting]) -> None:
        """Put lines, or note what was refused. Where a thread is interrupted, they wait for the next turn."""
        key, content = self._part or (f"{self._folder}/{_new_part()}", b"")
        content += b"".join(each.line + b"\n" for each in lines)
        error: OSError | None = None
        try:
            self._objects.put(key, content)
        except OSError as refused:
            error = refused
        else:
            self._part = (key, content) if len(content) < PART_BYTES else None
        for each in lines:
            each.was, each.error = True, error
        del self._waiting[: len(lines)]


def _new_part() -> str:
    """Return the name of a part; it sorts by when it was begun."""
    return f"{datetime.now(UTC).strftime(STAMP)}-{uuid4().hex[:8]}"
