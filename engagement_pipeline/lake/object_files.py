"""Objects as files that Arrow and DuckDB read.

In: the objects of a bucket. Out: an ObjectFile for Arrow, and LakeFiles, which DuckDB asks for what lies in the bucket.
An object of up to SMALL bytes is got whole with one request, and kept while it is read.
"""

from __future__ import annotations

import io
import time
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Any

from fsspec.spec import AbstractFileSystem

from engagement_pipeline.lake.object_names import ANY, matching

if TYPE_CHECKING:
    from datetime import datetime

    from engagement_pipeline.lake.objects import Held, Objects

SMALL = 4 * 2**20  # bytes: to get them costs less than a second request
MOMENT, ANSWERS = 1.0, 4  # seconds, or as long as so many answers take: what was listed holds for the longer
BLOCK = 256 * 1024  # bytes that are read at least
KEPT = 256 * 2**20  # bytes of small objects that are kept


class ObjectFile(io.RawIOBase):
    """A larger object, which is read in parts."""

    def __init__(self, objects: Objects, held: Held) -> None:
        super().__init__()
        self._objects, self._held = objects, held
        self._place = 0
        self._block = (0, b"")

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can be read anywhere."""
        return True

    def tell(self) -> int:
        """Return where the next byte is read."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Read on from there."""
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._held.size}[whence]
        return self._place

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes, fewer only at the end."""
        left = max(self._held.size - self._place, 0)
        wanted = left if size is None or size < 0 else min(size, left)
        content = self._bytes(self._place, wanted) if wanted else b""
        self._place += len(content)
        return content

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - whatever can be written into
        """Read into a buffer; return how many bytes."""
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def _bytes(self, start: int, length: int) -> bytes:
        begins, block = self._block
        if not begins <= start <= start + length <= begins + len(block):
            begins = start
            block = self._objects.part(self._held.key, start, min(max(length, BLOCK), self._held.size - start))
            self._block = (begins, block)
        return block[start - begins : start - begins + length]


class LakeFiles(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """What DuckDB asks for in a bucket: globs and files.

    It asks for the same glob when it plans and when it reads, so an answer holds for a moment, or as long as a few
    answers take. It asks for many files one by one, so those beside one are listed with it.
    """

    cachable = False

    def __init__(self, objects: Objects) -> None:
        super().__init__()
        self.protocol = objects.bucket.partition("://")[0]
        self._objects = objects
        self._listed: dict[str, Held] = {}
        self._globs: dict[str, tuple[float, list[str]]] = {}
        self._beside: tuple[float, dict[str, Held]] = (0.0, {})
        self._contents: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._lock = Lock()

    def glob(self, path: str, **_: Any) -> list[str]:  # noqa: ANN401
        """Return the objects that match a glob, by their addresses."""
        until, known = self._globs.get(path, (0.0, []))
        if not known or time.monotonic() > until:
            began = time.monotonic()
            found = self._matching(path) if ANY.search(path) else self._exactly(path)
            self._listed |= found
            known = sorted(found)
            self._globs[path] = (_holds_until(began), known)
        return known

    def info(self, path: str, **_: Any) -> dict[str, Any]:  # noqa: ANN401
        """Return the size of an object."""
        held = self._held(path)
        return {"name": path, "size": held.size, "type": "file"}

    def exists(self, path: str, **_: Any) -> bool:  # noqa: ANN401
        """Tell whether there is an object."""
        try:
            self._held(path)
        except FileNotFoundError:
            return False
        return True

    isfile = exists

    def modified(self, path: str) -> datetime:
        """Return when an object was put."""
        return self._held(path).put_at

    def open(self, path: str, mode: str = "rb", **_: Any) -> io.RawIOBase | io.BytesIO:  # noqa: ANN401
        """Open an object to read it."""
        if mode != "rb":
            raise PermissionError(f"{path} can only be read")
        content, held = self._opened(self._held(path))
        self._listed[path] = held  # by now it may be another, of another size
        return io.BytesIO(content) if held.size <= SMALL else ObjectFile(self._objects, held)

    @property
    def _root(self) -> str:
        return f"{self._objects.bucket}/"

    def _held(self, path: str) -> Held:
        if path not in self._listed:
            found = self._exactly(path)
            if not found:
                raise FileNotFoundError(f"there is no {path}")
            self._listed |= found
        return self._listed[path]

    def _matching(self, pattern: str) -> dict[str, Held]:
        found = matching(self._objects, "", pattern.removeprefix(self._root), files=True)
        return {f"{self._root}{name}": held for name, held in found}

    def _exactly(self, path: str) -> dict[str, Held]:
        """Return an object by its address, if there is one, as a listing of all beside it tells."""
        until, beside = self._beside
        if path not in beside or time.monotonic() > until:
            began = time.monotonic()
            folder = path.removeprefix(self._root).rpartition("/")[0]
            above, _, name = folder.rpartition("/")
            of_days = "=" in name  # such a folder holds one file; in any other, further folders may hold a whole lake
            found = self._objects.below(above) if of_days else self._objects.level(folder)[1]
            beside = {f"{self._root}{held.key}": held for held in found}
            self._beside = (_holds_until(began), beside)
        return {path: beside[path]} if path in beside else {}

    def _opened(self, held: Held) -> tuple[bytes, Held]:
        """Return what an object that was listed holds, nothing if it is large, and what it is now."""
        name = (held.key, held.tag)
        with self._lock:
            if name in self._contents:
                self._contents.move_to_end(name)
                return self._contents[name], held
        content, now = self._objects.get(held.key, most=SMALL)
        with self._lock:
            if now.size <= SMALL:
                self._contents[held.key, now.tag] = content
            while sum(map(len, self._contents.values())) > KEPT and len(self._contents) > 1:
                self._contents.popitem(last=False)
        return content, now


def _holds_until(began: float) -> float:
    """Return until when what was asked for holds."""
    now = time.monotonic()
    return now + max(MOMENT, ANSWERS * (now - began))
