"""Objects of a bucket got ahead of who reads them, several at once, and kept for a while for who reads them again.

In: the objects of a bucket, and the keys of those that are to be read, in that order. Out: each object as it is read,
without another request. What is read is the same, only earlier: while it is, nobody else may write these objects.

In memory are at most AT_ONCE objects that wait to be read, of up to MOST bytes, and KEPT bytes of those that were.
Where an object is larger, it is read as if nothing were got ahead, and so are those behind it: their bytes take the
time, not their number.
"""

from __future__ import annotations

import errno
import os
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engagement_pipeline.lake.objects import Held, Objects

AT_ONCE = 16  # requests
MOST = 4 * 2**20  # bytes of an object that is got ahead
KEPT = 32 * 2**20  # bytes
Got: TypeAlias = "tuple[bytes, Held]"


def read_anew(objects: Objects, *keys: str) -> None:
    """Have what is written now got again by who reads it."""
    for ahead in [*objects.ahead]:
        for key in keys:
            ahead.drop(key)


class Ahead:
    """The objects of some keys, each got before it is read. Safe to share by threads."""

    def __init__(self, objects: Objects, keys: Iterable[str]) -> None:
        self._objects = objects
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._lock = Lock()
        self._to_come = dict.fromkeys(keys)
        self._asked: dict[str, Future[Got | None]] = {}  # not read yet
        self._read: dict[str, Got | None] = {}  # the first that was read is the first to go
        self._kept = 0  # bytes
        with self._lock:
            self._ask()

    def get(self, key: str) -> Got | None:
        """Return an object, None of one that is not got ahead or is too large; or raise as Objects.get does."""
        with self._lock:
            if key in self._to_come:  # out of its turn
                self._begin(key)
            if key in self._read:
                return self._whole(key, self._read[key])
            asked = self._asked.get(key)
        return self._whole(key, self._arrived(key, asked)) if asked else None

    def drop(self, key: str) -> None:
        """Have an object read anew: it is written."""
        with self._lock:
            self._to_come.pop(key, None)
            self._asked.pop(key, None)
            read = self._read.pop(key, None)
            self._kept -= len(read[0]) if read else 0

    def close(self) -> None:
        """Get no more; what is on its way is left to itself."""
        with self._lock:
            self._to_come.clear()
        self._pool.shutdown(wait=False)

    def _ask(self) -> None:
        while self._to_come and len(self._asked) < AT_ONCE:
            self._begin(next(iter(self._to_come)))

    def _begin(self, key: str) -> None:
        del self._to_come[key]
        self._asked[key] = self._pool.submit(self._got, key)

    def _got(self, key: str) -> Got | None:
        try:
            return self._objects.get(key, most=MOST)
        except FileNotFoundError:
            return None

    def _arrived(self, key: str, asked: Future[Got | None]) -> Got | None:
        """Return what came of a request; in its place, the next one leaves."""
        try:
            got = asked.result()
        except OSError:
            self.drop(key)  # whoever asks again asks the store
            raise
        with self._lock:
            if self._asked.pop(key, None):
                self._read[key] = got
                self._kept += len(got[0]) if got else 0
            if got and len(got[0]) < got[1].size:
                self._to_come.clear()
            while self._kept > KEPT:
                first = self._read.pop(next(iter(self._read)))
                self._kept -= len(first[0]) if first else 0
            self._ask()
        return got

    def _whole(self, key: str, got: Got | None) -> Got | None:
        if got is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), f"{self._objects.bucket}/{key}")
        content, held = got
        return got if len(content) == held.size else None
