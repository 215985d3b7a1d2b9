"""Where the files of a lake are on a disk: the only module that touches them.

In: paths under a lake's root, and contents. Out: files that are whole or absent, and what lies where.

    read      exists · size · find · holds · stamps · read · lines · source, for Arrow · location and admit, for DuckDB
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

import errno
import fcntl
import fnmatch
import os
import re
import shutil
import stat
from contextlib import contextmanager, suppress
from enum import Enum
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from engagement_pipeline.core.dated import is_real
from engagement_pipeline.core.durable import sync_folder
from engagement_pipeline.core.errors import LakeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import duckdb
    import pyarrow as pa

UNSETTLED = ".new"  # behind the name of a response that has landed and was not looked at
WRITABLE = 0o222  # of a file's mode
DROPPED = ".dropped-"  # before the name of a folder that is being removed
APART = ".damaged"  # behind the name of a file that is set apart
# What a process writes before it is renamed: its number stands behind the name that the file, or the folder, is for.
UNFINISHED = re.compile(r"\..+\.(?:json|zst|new|parquet|duckdb|staging|csv)\.(?P<process>[0-9]+)(?:\.wal)?")


class Entry(NamedTuple):
    """A file or a folder, the bytes of a file, whether this user may read and write it, and whether anybody may write.

    A file that its own owner may not read counts as unreadable to root too: the services run as another user.
    """

    path: Path
    folder: bool
    size: int
    readable: bool
    writable: bool
    open_to_all: bool


class State(Enum):
    """What is known of a response: that it has landed, that it counts too, that it is rejected, or that none came."""

    LANDED = "landed"
    COUNTS = "counts"
    REJECTED = "rejected"
    UNANSWERED = "unanswered"


class SwapError(OSError):
    """What the system refused while files were put in their places.

    `put` are the places that have their new file, `left` those that have not. `filename` is the place that was
    refused, since nobody knows the staged file by its name.
    """

    def __init__(self, refused: OSError, *, put: Sequence[Path], left: Sequence[Path]) -> None:
        super().__init__(refused.errno, refused.strerror, refused.filename2 or refused.filename)
        self.put = tuple(put)
        self.left = tuple(left)


class LocalStorage:
    """The files of the lake in the folder `root`.

    What the system refuses is an OSError unless another is named. The state of a response is in its name, so that a
    mark is one rename: ….new has landed, rejected/… and unanswered/… are what they say, and any other counts. What a
    method has written, renamed or removed survives a power cut once it returns; of append_line, the last lines may not.
    """

    is_local = True  # so rights, room and the way to a file mean something
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
        return sorted(_real(within or self.root, pattern))

    def holds(self, pattern: str) -> bool:
        """Tell whether any file or folder of the lake matches a glob; it looks no further than the first."""
        return any(_real(self.root, pattern))

    def stamps(self, pattern: str) -> dict[str, str]:
        """Return a text for each file that matches a glob, by its path in the lake: replaced, it has another text."""
        return dict(_stamps(str(self.root), "", pattern.split("/")))

    def children(self, folder: Path) -> list[Entry]:
        """Return what lies in a folder, sorted by name; nothing where it is gone."""
        return sorted(_entries(folder))

    def usage(self, path: Path) -> int:
        """Return the bytes of a file, or of all files in a folder and below it; 0 where there is none."""
        return _usage(path) if path.is_dir() else self.size(path)

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
        return _is_held(self.root / f".{name}.lock")

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

    def source(self, path: Path) -> pa.NativeFile:
        """Open a file for Arrow to read at any place, several threads at once; to be closed by who opens it."""
        import pyarrow as pa  # noqa: PLC0415 - who reads no rows does not wait for it

        return pa.OSFile(str(path))

    def location(self, pattern: str) -> str:
        """Return a glob within the lake as DuckDB reads it, from any working directory."""
        return f"{literally(self.root.absolute())}/{pattern}"

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
        _sync([*self._above(path), *(folder.parent for folder in missing)])

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
            raise _unwritten(path, error) from error

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
                _append(file, line)
            finally:
                os.close(file)
        except OSError as error:
            raise _unwritten(path, error) from error

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
                _sync(folder for target in group.values() for folder in self._above(target))
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
        _remove_dropped(dropped)

    def sweep(self, folders: str) -> None:
        """Remove what a `remove_folder` that was killed left in folders that match a glob."""
        for path in self.find(f"{folders}/{DROPPED}*"):
            _remove_dropped(path)

    def clear(self, folder: Path) -> None:
        """Remove a staging folder that a process which was killed has left."""
        shutil.rmtree(folder, ignore_errors=True)

    def sweep_unfinished(self, folder: Path, of: str = "*") -> None:
        """Remove what processes that are dead have left of files named by a glob, which they were writing in a folder.

        A file stays as long as there is a process with its number, be it another one.
        """
        for path in folder.glob(f".{of}"):
            made = UNFINISHED.fullmatch(path.name)
            if made and not _is_alive(int(made["process"])):
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
        _sync((placed.parent, path.parent))
        return moved

    def marked(self, folder: Path, pattern: str, state: State) -> list[Path]:
        """Return where a folder's responses are that match a glob and have a state, in the order of their names."""
        placed = placed_at(folder / pattern, state)
        return sorted(placed.parent.glob(placed.name))

    @contextmanager
    def lock(self, name: str, *, what: str = "", waiting: Callable[[str], object]) -> Iterator[None]:  # noqa: ARG002
        """Hold a lock of the lake; `waiting` is called if somebody else holds it: with nothing, since a file says none.

        The operating system frees it when its holder dies.
        """
        from filelock import FileLock, Timeout  # noqa: PLC0415 - nor for this who locks nothing

        lock = FileLock(self.root / f".{name}.lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            waiting("")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _above(self, path: Path) -> list[Path]:
        """Return the folders of the lake in which a file or a folder lies, its root included."""
        return [folder for folder in path.parents if folder.is_relative_to(self.root)]


def literally(path: Path | str) -> str:
    """Return a path as a glob that matches just that path."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))


def _real(folder: Path, pattern: str) -> Iterator[Path]:
    return (path for path in folder.glob(pattern) if is_real(str(path.relative_to(folder))))


def _stamps(folder: str, within: str, parts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the path and the stamp of each file: a thousand files take some milliseconds, which pathlib does not."""
    first, *rest = parts
    names = [first]
    if literally(first) != first:
        fits = re.compile(fnmatch.translate(first)).match
        with suppress(OSError), os.scandir(folder) as found:
            names = sorted(child.name for child in found if fits(child.name) and is_real(child.name))
    for name in names:
        path = f"{folder}/{name}"
        if rest:
            yield from _stamps(path, f"{within}{name}/", rest)
        else:
            with suppress(OSError):
                about = os.stat(path)  # noqa: PTH116
                yield within + name, f"{about.st_size}-{about.st_mtime_ns}-{about.st_ino}"


def _is_held(lock: Path) -> bool:
    try:
        file = os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)  # and with it the look at the lock
    return False


def _entries(folder: Path) -> Iterator[Entry]:
    """Look at each file and folder in a folder; what vanishes meanwhile is left out."""
    with suppress(FileNotFoundError), os.scandir(folder) as children:
        for child in children:
            with suppress(FileNotFoundError):
                yield _entry(child)


def _usage(folder: str | Path) -> int:
    """Add up the files of a folder, without a look at their rights; what vanishes meanwhile counts nothing."""
    size = 0
    with suppress(FileNotFoundError), os.scandir(folder) as children:
        for child in children:
            with suppress(FileNotFoundError):
                size += _usage(child.path) if child.is_dir() else child.stat().st_size
    return size


def _entry(child: os.DirEntry[str]) -> Entry:
    """Look at a file or folder; a link is what it leads to, and one that leads nowhere is a file."""
    about = child.stat(follow_symlinks=not child.is_symlink() or Path(child).exists())
    folder = stat.S_ISDIR(about.st_mode)
    needed = os.R_OK | os.X_OK if folder else os.R_OK
    readable = bool(about.st_mode & stat.S_IRUSR) and os.access(child, needed)
    open_to_all = bool(about.st_mode & stat.S_IWOTH)
    return Entry(Path(child), folder, about.st_size * (not folder), readable, os.access(child, os.W_OK), open_to_all)


def placed_at(path: Path, state: State) -> Path:
    """Return where a response lies in a state."""
    if state is State.LANDED:
        return path.with_name(path.name + UNSETTLED)
    return path if state is State.COUNTS else path.parent / state.value / path.name


def _remove_dropped(path: Path) -> None:
    shutil.rmtree(path)
    if not any(path.parent.iterdir()):
        path.parent.rmdir()


def _is_alive(process: int) -> bool:
    """Tell whether there is a process with this number."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it is another user's
        return True
    return True


def _append(file: int, line: bytes) -> None:
    """Append a line in one write; one before it that a full disk or a power cut left torn is ended first."""
    fcntl.flock(file, fcntl.LOCK_EX)  # given back at closing; else a line that is being written looks torn
    size = os.fstat(file).st_size
    torn = size and os.pread(file, 1, size - 1) != b"\n"
    content = b"\n" * bool(torn) + line + b"\n"
    if os.write(file, content) < len(content):  # the disk is full
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _sync(folders: Iterable[Path]) -> None:
    for folder in dict.fromkeys(folders):
        sync_folder(folder)


def _unwritten(path: Path, error: OSError) -> LakeError:
    return LakeError(
        f"{path} cannot be written: {error.strerror}; what landed before is kept. Make room or mend the rights, then "
        "run again"
    )
