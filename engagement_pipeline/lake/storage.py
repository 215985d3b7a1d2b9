"""Where the files of a lake are on a disk: the only module that touches them, with disk.py.

In: paths under a lake's root, and contents. Out: files that are whole or absent, and what lies where.

    read      exists · size · those, of several · find · holds · stamps · read · lines · source, for Arrow
              location and admit, for DuckDB · ahead, of what is read next · survey, of what lies where
    look      children · usage · free · busy · closed · file, a copy on this machine
    write     write_whole · append_line · staging, then swap · remove · remove_folder · set_apart
    folders   make_folder · begin_folder, then end_folder · begun_folders
    clean     sweep · sweep_unfinished · clear, of what processes that died have left
    responses put · mark · marked: each has landed, counts, is rejected, or stands for one that did not come
    notes     note · noted · forget
    wait      lock

LocalStorage keeps them on a disk. BucketStorage (bucket.py) takes the paths as names of objects, and has the same
methods. In any storage, the files in a staging folder are local ones, which whoever stages them writes by their path;
such a folder lies in `local`.
"""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
from contextlib import contextmanager, suppress
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from engagement_pipeline.core import file_lock
from engagement_pipeline.core.durable import sync_folder
from engagement_pipeline.lake import disk
from engagement_pipeline.lake.states import APART, UNSETTLED, Entry, State, SwapError, placed_at, unwritten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    import duckdb
    import pyarrow as pa

T = TypeVar("T")
WRITABLE = 0o222  # of a file's mode
DROPPED = ".dropped-"  # before the name of a folder that is being removed
# What a process writes before it is renamed: its number stands behind the name that the file, or the folder, is for.
UNFINISHED = re.compile(r"\..+\.(?:json|zst|new|parquet|duckdb|staging|csv)\.(?P<process>[0-9]+)(?:\.wal)?")


class LocalStorage:
    """The files of the lake in the folder `root`.

    What the system refuses is an OSError unless another is named. The state of a response is in its name, so that a
    mark is one rename: ….new has landed, rejected/… and unanswered/… are what they say, and any other counts. What a
    method has written, renamed or removed survives a power cut once it returns; of append_line, the last lines may not.
    """

    is_local = True  # so rights, room and the way to a file mean something
    at_once = 1  # files that are worth to be asked for at the same time
    parts = ""  # the glob that stands behind the name of a file of lines, where that is a folder of parts

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def local(self) -> Path:
        """The folder in which the lake's files are staged."""
        return self.root

    def exists(self, path: Path) -> bool:
        """Tell whether there is a file or a folder."""
        return path.exists()

    def size(self, path: Path) -> int:
        """Return the bytes of a file, 0 where there is none."""
        return path.stat().st_size if path.exists() else 0

    def changed_at(self, path: Path) -> float:
        """Return when a file was written, in seconds since 1970; 0 where there is none."""
        return path.stat().st_mtime if path.exists() else 0.0

    def find(self, pattern: str, *, within: Path | None = None) -> list[Path]:
        """Return the files and folders that match a glob within the lake, or a folder of it, sorted.

        One that is called after a day, a month or a moment that there is not is no file of a lake.
        """
        return sorted(disk.real(within or self.root, pattern))

    def holds(self, pattern: str) -> bool:
        """Tell whether any file or folder of the lake matches a glob; it looks no further than the first."""
        return any(disk.real(self.root, pattern))

    def stamps(self, pattern: str) -> dict[str, str]:
        """Return a text for each file that matches a glob, by its path in the lake: replaced, it has another text."""
        return dict(disk.stamps(str(self.root), "", pattern.split("/")))

    def children(self, folder: Path) -> list[Entry]:
        """Return what lies in a folder, sorted by name; nothing where it is gone."""
        return sorted(disk.entries(folder))

    def usage(self, path: Path) -> int:
        """Return the bytes of a file, or of all files in a folder and below it; 0 where there is none."""
        return disk.usage(path) if path.is_dir() else self.size(path)

    def free(self) -> int:
        """Return how many bytes can still be written."""
        return shutil.disk_usage(self.root).free

    def is_read_only(self) -> bool:
        """Tell whether the lake lies on a file system on which nobody can write."""
        return bool(os.statvfs(self.root).f_flag & os.ST_RDONLY)

    def closed(self, pattern: str) -> Path | None:
        """Return a folder on the way to the files of a glob that this user may not list, None if there is none."""
        top, *names = Path(pattern).parts
        return next(self._closed(self.root / top, names[:-1]), None) if names else None

    def _closed(self, folder: Path, names: Sequence[str]) -> Iterator[Path]:
        """Yield the folders that cannot be listed: this one, and those in it with one of the names, level by level."""
        try:
            inner = self.children(folder)
        except PermissionError:
            yield folder
            return
        for entry in inner if names else ():
            if entry.folder and fnmatch.fnmatchcase(entry.path.name, names[0]):
                if not entry.readable:
                    yield entry.path
                elif names[1:]:
                    yield from self._closed(entry.path, names[1:])

    def busy(self, name: str) -> bool:
        """Tell whether somebody holds a lock of the lake. To look at it keeps nobody waiting."""
        return disk.is_held(self.root / f".{name}.lock")

    def read(self, path: Path) -> bytes:
        """Return what a file holds; raises FileNotFoundError where there is none."""
        return path.read_bytes()

    def lines(self, path: Path) -> Iterator[bytes]:
        """Yield the lines of a file with their ends, none where there is no file."""
        with path.open("rb") if path.exists() else BytesIO() as lines:
            yield from lines

    def pieces(self, path: Path) -> list[Path]:
        """Return the files of which a file of lines is made: on a disk it is one."""
        return [path]

    @contextmanager
    def ahead(self, paths: Iterable[Path]) -> Iterator[None]:  # noqa: ARG002 - the system reads ahead
        """Have files that are to be read in this order, while nobody writes them, got before where that takes long."""
        yield

    @contextmanager
    def survey(self) -> Iterator[None]:
        """Have what was listed taken for what is there, where it takes long to list."""
        yield

    def those(self, items: Iterable[T], hold: Callable[[T], bool]) -> list[T]:
        """Return those of some paths or globs that are there, or hold something, as a method of this storage tells."""
        return [*filter(hold, dict.fromkeys(items))]

    def source(self, path: Path) -> pa.NativeFile:
        """Open a file for Arrow to read at any place, several threads at once; to be closed by who opens it."""
        import pyarrow as pa  # noqa: PLC0415 - who reads no rows does not wait for it

        return pa.OSFile(str(path))

    def location(self, pattern: str) -> str:
        """Return a glob within the lake as DuckDB reads it, from any working directory."""
        return f"{disk.literally(self.root.absolute())}/{pattern}"

    def admit(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let a connection read the lake's files, which it does by itself on a disk."""

    @contextmanager
    def file(self, path: Path) -> Iterator[Path]:
        """Have a file of the lake on this machine for a while: it is."""
        yield path

    def make_folder(self, path: Path) -> None:
        """Have a folder, and those above it, in which files are then written by their path."""
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        path.mkdir(parents=True, exist_ok=True)
        disk.sync([*self._above(path), *(folder.parent for folder in missing)])

    def begin_folder(self, path: Path) -> None:
        """Have a folder, which is found among those that have begun until `end_folder`."""
        self.make_folder(path)

    def end_folder(self, path: Path) -> None:
        """Leave a folder out of those that have begun, where a storage has an index of them; a disk needs none."""

    def begun_folders(self, pattern: str, *, within: Path) -> list[Path]:
        """Return the folders that match a glob and have begun; without an index, all that match."""
        return self.find(pattern, within=within)

    def write_whole(self, path: Path, content: bytes) -> None:
        """Write a file that is absent or complete, whatever happens meanwhile, a power cut included; or LakeError."""
        aside = path.with_name(f".{path.name}.{os.getpid()}")  # as UNFINISHED has it
        try:
            with aside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
            sync_folder(path.parent)
        except OSError as error:
            aside.unlink(missing_ok=True)
            raise unwritten(path, error) from error

    def note(self, name: str, content: bytes) -> None:
        """Write a note that outlives the process, if not a power cut; where there is no room for it, do without."""
        with suppress(OSError):
            self._note(name).write_bytes(content)

    def noted(self, name: str) -> bytes:
        """Return a note, empty where there is none."""
        return self._note(name).read_bytes() if self._note(name).exists() else b""

    def forget(self, name: str) -> None:
        """Remove a note, if there is one."""
        self._note(name).unlink(missing_ok=True)

    def _note(self, name: str) -> Path:
        return self.root / f".{name}.note"

    def append_line(self, path: Path, line: bytes) -> None:
        """Append a line in one write, or raise LakeError; safe to call from several threads and processes."""
        try:
            path.parent.mkdir(exist_ok=True)
            file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                disk.append(file, line)
            finally:
                os.close(file)
        except OSError as error:
            raise unwritten(path, error) from error

    @contextmanager
    def staging(self, folder: Path) -> Iterator[Path]:
        """Have an empty local folder, and none afterwards; what a killed process left in it is gone."""
        shutil.rmtree(folder, ignore_errors=True)
        try:
            folder.mkdir()
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def swap(self, *groups: Mapping[Path, Path], writable: bool = True) -> None:
        """Put staged files in their places, in the order given, as fast as the system does it.

        They are on the disk first: a power cut must not leave an empty file under a good name. Each group is in its
        places on the disk before the next begins, since of renames in several folders a power cut may leave any.
        Unless they are `writable`, they may only be read from then on, or replaced. Raises SwapError if it stops
        after the first rename was tried.
        """
        targets = [target for group in groups for target in group.values()]
        for target in targets:
            target.parent.mkdir(parents=True, exist_ok=True)
        for staged in chain(*groups):
            if not writable:
                staged.chmod(staged.stat().st_mode & ~WRITABLE)
            with staged.open("rb") as file:
                os.fsync(file.fileno())
        put: list[Path] = []
        try:
            for group in groups:
                for staged, target in group.items():
                    put.append(staged.replace(target))
                # With those above, which may be new too.
                disk.sync(folder for target in group.values() for folder in self._above(target))
        except OSError as error:
            raise SwapError(error, put=put, left=targets[len(put) :]) from error

    def remove(self, path: Path) -> None:
        """Remove a file, if there is one."""
        if path.exists():
            path.unlink(missing_ok=True)
            sync_folder(path.parent)

    def remove_folder(self, path: Path) -> None:
        """Remove a folder with all in it, at once for whoever looks; and the one above, if nothing else is there."""
        dropped = path.rename(path.with_name(DROPPED + path.name))
        sync_folder(path.parent)  # else a power cut may leave it under its name with a part of what was in it
        disk.remove_dropped(dropped)

    def sweep(self, folders: str) -> None:
        """Remove what a `remove_folder` that was killed left in folders that match a glob."""
        for path in self.find(f"{folders}/{DROPPED}*"):
            disk.remove_dropped(path)

    def clear(self, folder: Path) -> None:
        """Remove a staging folder that a process which was killed has left."""
        shutil.rmtree(folder, ignore_errors=True)

    def sweep_unfinished(self, folder: Path, of: str = "*") -> None:
        """Remove what processes that are dead have left of files named by a glob, which they were writing in a folder.

        A file stays as long as there is a process with its number, be it another one.
        """
        for path in folder.glob(f".{of}"):
            made = UNFINISHED.fullmatch(path.name)
            if made and not disk.is_alive(int(made["process"])):
                with suppress(OSError):  # of somebody else: it harms nobody
                    shutil.rmtree(path) if path.is_dir() else path.unlink()

    def set_apart(self, path: Path) -> Path:
        """Give a file a name under which nothing reads it; return that."""
        return path.replace(path.with_name(path.name + APART))

    def put(self, path: Path, content: bytes, state: State) -> Path:
        """Write a response, whole or not at all, or raise LakeError; return where it is."""
        placed = placed_at(path, state)
        placed.parent.mkdir(exist_ok=True)
        self.write_whole(placed, content)
        return placed

    def mark(self, path: Path, state: State) -> Path:
        """Write down the state of a response that is where `put` has said; return where it is now."""
        placed = placed_at(path.with_name(path.name.removesuffix(UNSETTLED)), state)
        self.make_folder(placed.parent)
        moved = path.rename(placed)
        disk.sync((placed.parent, path.parent))
        return moved

    def marked(self, folder: Path, pattern: str, state: State) -> list[Path]:
        """Return where a folder's responses are that match a glob and have a state, in the order of their names."""
        placed = placed_at(folder / pattern, state)
        return sorted(placed.parent.glob(placed.name))

    def lock(self, name: str, *, what: str = "", waiting: Callable[[str], object]) -> AbstractContextManager[None]:
        """Hold a lock of the lake; `waiting` is called with what another holder has said, each time it differs.

        The operating system frees it when its holder dies.
        """
        return file_lock.hold(self.root / f".{name}.lock", what=what, waiting=waiting)

    def _above(self, path: Path) -> list[Path]:
        """Return the folders of the lake in which a file or a folder lies, its root included."""
        return [folder for folder in path.parents if folder.is_relative_to(self.root)]
