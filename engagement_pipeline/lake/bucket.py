"""The files of a lake as objects in a bucket: what LocalStorage does on a disk.

In: paths under a lake's root, and contents. Out: objects that are whole or absent, under the names that files
have, but for these:

    requests/MONTH.jsonl/PART      lines are appended as parts, each put anew with a line more until it is full
    .begun/…                       the index of raw: an empty object for each pull that is not published
    .lake.lock, .pull.lock         who holds a lock, and its number (object_lock.py)

A store has no rename and no folder. What is renamed on a disk is copied here, and then removed: whoever finds both
does the same again. A folder is there while an object's name begins with its own.

While this process holds a lock, all that it replaces by `swap` must be as it was when it was read. The lock must still
be its own before each group. Else the swap stops. Before whatever else it replaces or removes, the lock must not have
lapsed by this machine's clock. Nothing of that stands in the way of a response that has come: it always lands.
"""

from __future__ import annotations

import atexit
import errno
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from functools import cache
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

from engagement_pipeline.core.dated import is_real
from engagement_pipeline.core.places import ObjectPath
from engagement_pipeline.lake import object_lock, object_swap
from engagement_pipeline.lake.object_ahead import AT_ONCE, Ahead, read_anew
from engagement_pipeline.lake.object_lines import Lines
from engagement_pipeline.lake.object_names import fits, key_of, matching
from engagement_pipeline.lake.objects import Held, objects
from engagement_pipeline.lake.states import APART, UNSETTLED, Entry, State, placed_at, unwritten
from engagement_pipeline.lake.storage import LocalStorage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import duckdb
    import pyarrow as pa

T = TypeVar("T")
WHOLE = "0" * 32  # the part of a file of lines that is written whole
SMALL = 32 * 2**20  # bytes of an object that is read at once
LINES = ".jsonl"
BEGUN, COMPLETE = ".begun", ".complete"  # the index of raw, and what is in it once it has all pulls of before


class BucketStorage:
    """The files of the lake in `root`, a place in a bucket. Its methods promise what those of LocalStorage do."""

    is_local = False
    at_once = AT_ONCE
    parts = "/" + "?" * len(WHOLE)

    def __init__(self, root: ObjectPath, local: Path | None = None) -> None:
        self.root = root
        self._objects = objects(root.bucket)
        self._local = local

    def __reduce__(self) -> tuple[type[BucketStorage], tuple[ObjectPath, Path]]:
        return BucketStorage, (self.root, self.local)  # a worker stages where who started it looks

    @property
    def local(self) -> Path:
        """The local folder in which the lake's files are staged, of this process and its workers alone."""
        return self._local or _local() / self._objects.bucket / key_of(self.root)

    def exists(self, path: Path) -> bool:
        """Tell whether there is an object, or any in a folder; or a staged file. No folder of a lake has a suffix."""
        if not isinstance(path, ObjectPath):
            return path.exists()
        if path.suffix and path.suffix != LINES:
            with suppress(FileNotFoundError):
                return bool(self._got_ahead(key_of(path)) or self._objects.head(key_of(path)))
            return False
        folders, files = self._objects.level(key_of(path.parent))
        return key_of(path) in {*folders, *(held.key for held in files)}

    def size(self, path: Path) -> int:
        """Return the bytes of a file, 0 where there is none."""
        return sum(held.size for held in self._of(path))

    def changed_at(self, path: Path) -> float:
        """Return when a file was put by the store's clock, in seconds since 1970; 0 where there is none."""
        return max((held.put_at.timestamp() for held in self._of(path)), default=0.0)

    def find(self, pattern: str, *, within: Path | None = None) -> list[Path]:
        """Return the files and folders that match a glob within the lake, or a folder of it, sorted."""
        folder = within or self.root
        return sorted(folder / name for name, _ in self._matching(pattern, folder))

    def holds(self, pattern: str) -> bool:
        """Tell whether any file or folder of the lake matches a glob; it lists no further than to the first."""
        return any(self._matching(pattern, self.root))

    def stamps(self, pattern: str) -> dict[str, str]:
        """Return a text for each file that matches a glob, by its path in the lake: replaced, it has another text."""
        found = sorted(self._matching(pattern, self.root, files=True))
        return {name: f"{held.tag}-{held.put_at.isoformat()}" for name, held in found}

    def children(self, folder: Path) -> list[Entry]:
        """Return what lies in a folder, sorted by name. Rights are the bucket's, so all of it can be read."""
        folders, files = self._objects.level(key_of(folder))
        paths = {folder / key.rpartition("/")[2]: None for key in folders}
        sizes = {path: self.usage(path) for path in paths if path.suffix == LINES}
        sizes |= {folder / held.key.rpartition("/")[2]: held.size for held in files}
        return sorted(
            Entry(path, path not in sizes, sizes.get(path, 0), True, True, False) for path in {*paths, *sizes}
        )

    def usage(self, path: Path) -> int:
        """Return the bytes of a file, or of all files in a folder and below it; 0 where there is none."""
        return sum(held.size for held in self._objects.below(key_of(path))) or self.size(path)

    def free(self) -> None:
        """Return None: a bucket has no end."""

    def is_read_only(self) -> bool:
        """Nothing tells that but a write."""
        return False

    def closed(self, pattern: str) -> Path | None:  # noqa: ARG002 - as LocalStorage has it
        """No folder of a bucket is closed by itself."""
        return None

    def busy(self, name: str) -> bool:
        """Tell whether somebody holds a lock of the lake. To look at it keeps nobody waiting."""
        return object_lock.is_held(self._objects, self._lock_key(name))

    def read(self, path: Path) -> bytes:
        """Return what a file holds; raises FileNotFoundError where there is none."""
        if path.suffix == LINES:
            keys = [key_of(piece) for piece in self.pieces(path)]
            if not keys:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
            with ThreadPoolExecutor(AT_ONCE) as pool:
                return b"".join(content for content, _ in pool.map(self._objects.get, keys))
        return self._seen(path, None)[0]

    def lines(self, path: Path) -> Iterator[bytes]:
        """Yield the lines of a file with their ends, none where there is no file."""
        with suppress(FileNotFoundError):
            yield from self.read(path).splitlines(keepends=True)

    def pieces(self, path: Path) -> list[Path]:
        """Return the files of which a file of lines is made: its parts, the oldest first."""
        return sorted(path / held.key.rpartition("/")[2] for held in self._of(path))

    @contextmanager
    def ahead(self, paths: Iterable[Path]) -> Iterator[None]:
        """Get files before they are read, in this order: meanwhile, each is there or read without another request."""
        ahead = Ahead(self._objects, [key_of(path) for path in paths])
        self._objects.ahead.append(ahead)
        try:
            yield
        finally:
            self._objects.ahead.remove(ahead)
            ahead.close()

    @contextmanager
    def survey(self) -> Iterator[None]:
        """Take what was listed for what is there, but for what this process writes, until it takes a lock."""
        mine = object()  # threads may have a survey each
        self._objects.listed = {}
        self._objects.surveys.append(mine)
        try:
            yield
        finally:
            self._objects.surveys.remove(mine)

    def those(self, items: Iterable[T], hold: Callable[[T], bool]) -> list[T]:
        """Return those of some paths or globs that are there, or hold something, as a method of this storage tells."""
        asked = [*dict.fromkeys(items)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return [*compress(asked, pool.map(hold, asked))]

    def source(self, path: Path) -> pa.NativeFile:
        """Open a file for Arrow to read at any place, several threads at once; to be closed by who opens it.

        A staged one is a file on this machine.
        """
        import pyarrow as pa  # noqa: PLC0415 - who reads no rows does not wait for it

        from engagement_pipeline.lake.object_files import ObjectFile  # noqa: PLC0415

        if not isinstance(path, ObjectPath):
            return pa.OSFile(str(path))
        content, held = self._seen(path, SMALL)
        return pa.BufferReader(content) if held.size <= SMALL else pa.PythonFile(ObjectFile(self._objects, held), "r")

    def location(self, pattern: str) -> str:
        """Return a glob within the lake as DuckDB reads it, once `admit` or its httpfs lets it."""
        return f"{self.root}/{pattern}"

    def admit(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let a connection read the lake's files."""
        from engagement_pipeline.lake.object_files import LakeFiles  # noqa: PLC0415

        connection.register_filesystem(LakeFiles(self._objects))

    @contextmanager
    def file(self, path: Path) -> Iterator[Path]:
        """Have a file of the lake on this machine for a while; FileNotFoundError where there is none."""
        copied = _local() / f"{uuid4().hex}.{path.name}"
        copied.write_bytes(self.read(path))
        try:
            yield copied
        finally:
            copied.unlink()

    def make_folder(self, path: Path) -> None:
        """Make a local folder, in which files are staged. One of a bucket is there with the first object in it."""
        if not isinstance(path, ObjectPath):
            path.mkdir(parents=True, exist_ok=True)

    def begin_folder(self, path: Path) -> None:
        """Have a folder, which is found among those that have begun until `end_folder`."""
        self._objects.put(self._begun(path), b"")

    def end_folder(self, path: Path) -> None:
        """Leave a folder out of those that have begun."""
        self._objects.delete(self._begun(path))

    def begun_folders(self, pattern: str, *, within: Path) -> list[Path]:
        """Return the folders that match a glob and have begun, from their index. The first time, all are in it."""
        index = key_of(self.root / BEGUN)
        names = {held.key.removeprefix(f"{index}/") for held in self._objects.below(index)}
        if COMPLETE in names:
            inner = f"{within.relative_to(self.root).as_posix()}/"
            return sorted(self.root / name for name in names if fits(name.removeprefix(inner), pattern))
        found = self.find(pattern, within=within)
        for path in found:
            self.begin_folder(path)
        self._objects.put(f"{index}/{COMPLETE}", b"")
        return found

    def write_whole(self, path: Path, content: bytes) -> None:
        """Write a file that is absent or complete, whatever happens meanwhile; or LakeError."""
        try:
            self._still_ours()
            self._put(key_of(path / WHOLE if path.suffix == LINES else path), content)
        except OSError as error:
            raise unwritten(path, error) from error

    def note(self, name: str, content: bytes) -> None:
        """Write a note that outlives the process; where the store refuses it, do without."""
        with suppress(OSError):
            self._put(self._note(name), content)

    def noted(self, name: str) -> bytes:
        """Return a note, empty where there is none."""
        with suppress(FileNotFoundError):
            return self._objects.get(self._note(name))[0]
        return b""

    def forget(self, name: str) -> None:
        """Remove a note, if there is one."""
        self._objects.delete(self._note(name))

    def append_line(self, path: Path, line: bytes) -> None:
        """Append a line that is in the store once this returns, or raise LakeError; safe to call from several threads.

        A process has a part of its own, which it puts anew with the lines that wait at the same time.
        """
        folder, objects = key_of(path), self._objects
        try:
            objects.lines.setdefault(folder, Lines(objects, folder)).append(line)
        except OSError as error:
            raise unwritten(path, error) from error

    @contextmanager
    def staging(self, folder: Path) -> Iterator[Path]:
        """Have an empty local folder, and none afterwards."""
        self.local.mkdir(parents=True, exist_ok=True)
        with LocalStorage(self.local).staging(self.local / folder.name) as made:
            yield made

    def swap(self, *groups: Mapping[Path, Path], writable: bool = True) -> None:  # noqa: ARG002 - rights are the bucket's
        """Put staged files in their places; those of a group at once, a group after the other.

        Raises SwapError if it stops, or if a lock was taken over.
        """
        object_swap.swap(self._objects, groups)

    def remove(self, path: Path) -> None:
        """Remove a file, if there is one."""
        self._still_ours()
        self._delete(*([held.key for held in self._of(path)] if path.suffix == LINES else [key_of(path)]))

    def remove_folder(self, path: Path) -> None:
        """Remove a folder with all in it; what tells of it, pull.json, is last, so that it can be removed again."""
        self._still_ours()
        keys = [held.key for held in self._objects.below(key_of(path))]
        inner = f"{key_of(path)}/"
        last = {key for key in keys if "/" not in key.removeprefix(inner) and key.endswith(".json")}
        for some in (sorted({*keys} - last), sorted(last)):
            self._delete(*some)
        self.end_folder(path)

    def sweep(self, folders: str) -> None:
        """Leave it: a folder of which a part was removed is there, and can be removed again."""

    def clear(self, folder: Path) -> None:
        """Remove a folder with all in it, whatever it is; a staging folder is a local one."""
        if isinstance(folder, ObjectPath):
            self._delete(*(held.key for held in self._objects.below(key_of(folder))))
        else:
            shutil.rmtree(folder, ignore_errors=True)

    def sweep_unfinished(self, folder: Path, of: str = "*") -> None:
        """Leave it: an object is whole or not there."""

    def set_apart(self, path: Path) -> Path:
        """Give a file a name under which nothing reads it; return that."""
        return self._move(path, path.with_name(path.name + APART))

    def put(self, path: Path, content: bytes, state: State) -> Path:
        """Write a response, whole or not at all, or raise LakeError; return where it is."""
        into = placed_at(path, state)
        try:
            self._put(key_of(into), content)
        except OSError as error:
            raise unwritten(into, error) from error
        return into

    def mark(self, path: Path, state: State) -> Path:
        """Write down the state of a response that is where `put` has said; return where it is now."""
        return self._move(path, placed_at(path.with_name(path.name.removesuffix(UNSETTLED)), state))

    def marked(self, folder: Path, pattern: str, state: State) -> list[Path]:
        """Return where a folder's responses are that match a glob and have a state, in the order of their names."""
        looked = placed_at(folder / pattern, state)
        names = (held.key.rpartition("/")[2] for held in self._objects.level(key_of(looked.parent))[1])
        return sorted(looked.parent / name for name in names if fnmatchcase(name, looked.name))

    @contextmanager
    def lock(self, name: str, *, what: str = "", waiting: Callable[[str], object]) -> Iterator[None]:
        """Hold a lock of the lake; `waiting` is called with what another holder has said, each time it differs.

        It lapses some time after its holder has died.
        """
        key, leases = self._lock_key(name), self._objects.leases
        with object_lock.hold(self._objects, key, what=what, waiting=waiting) as lease:
            leases[key] = lease
            self._objects.seen.clear()  # what was read before may be another by now; to put the lock ended a survey's
            try:
                yield
            finally:
                del leases[key]

    def _lock_key(self, name: str) -> str:
        return key_of(self.root / f".{name}.lock")

    def _note(self, name: str) -> str:
        return key_of(self.root / f".{name}.note")

    def _begun(self, path: Path) -> str:
        return key_of(self.root / BEGUN / path.relative_to(self.root))

    def _matching(self, pattern: str, folder: Path, *, files: bool = False) -> Iterator[tuple[str, Held]]:
        """Yield what matches, but for names of days, months and moments that there are not."""
        found = matching(self._objects, key_of(folder), pattern, files=files)
        return ((name, held) for name, held in found if is_real(name))

    def _of(self, path: Path) -> list[Held]:
        """Return the object of a file, or those of its parts."""
        if path.suffix == LINES:
            return [*self._objects.below(key_of(path))]
        held = self._objects.head(key_of(path))
        return [held] if held else []

    def _seen(self, path: Path, most: int | None) -> tuple[bytes, Held]:
        """Return an object, and remember under a lock what it was."""
        key = key_of(path)
        try:
            content, held = self._got_ahead(key) or self._objects.get(key, most=most)
        except FileNotFoundError:
            self._objects.seen[key] = ""
            raise
        self._objects.seen[key] = held.tag
        return content, held

    def _got_ahead(self, key: str) -> tuple[bytes, Held] | None:
        """Return an object that is got ahead, None where none is; FileNotFoundError where that tells of none."""
        return next(filter(None, (ahead.get(key) for ahead in [*self._objects.ahead])), None)

    def _put(self, key: str, content: bytes) -> None:
        self._objects.seen[key] = self._objects.put(key, content)
        read_anew(self._objects, key)
        if lines := self._objects.lines.get(key.rpartition("/")[0]):
            lines.end(key)

    def _delete(self, *keys: str) -> None:
        self._objects.delete(*keys)
        self._objects.seen.update(dict.fromkeys(keys, ""))
        read_anew(self._objects, *keys)

    def _move(self, path: Path, to: Path) -> Path:
        self._still_ours()
        self._objects.copy(key_of(path), key_of(to))
        self._delete(key_of(path))
        return to

    def _still_ours(self) -> None:
        """Raise where a lock that this process holds has lapsed, as far as it can know without asking."""
        for lease in self._objects.leases.values():
            if lease.lapsed():
                lease.check()


@cache
def _local() -> Path:
    """Return a new folder for what this process stages; those of processes that are dead are gone."""
    temporary = Path(tempfile.gettempdir())
    LocalStorage(temporary).sweep_unfinished(temporary, "engagement-*")
    folder = Path(tempfile.mkdtemp(prefix=".engagement-", suffix=f".staging.{os.getpid()}"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
