"""Files and folders of a disk, looked at and written as a lake in a folder needs it.

In: paths. Out: what lies there, and whether somebody holds a lock. Of the lake, only storage.py asks here.
"""

from __future__ import annotations

import errno
import fcntl
import fnmatch
import os
import re
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from engagement_pipeline.core.dated import is_real
from engagement_pipeline.core.durable import sync_folder
from engagement_pipeline.lake.states import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


def literally(path: Path | str) -> str:
    """Return a path as a glob that matches just that path."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))


def real(folder: Path, pattern: str) -> Iterator[Path]:
    """Yield what matches a glob, but for names of days, months and moments that there are not."""
    return (path for path in folder.glob(pattern) if is_real(str(path.relative_to(folder))))


def stamps(folder: str, within: str, parts: Sequence[str]) -> Iterator[tuple[str, str]]:
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
            yield from stamps(path, f"{within}{name}/", rest)
        else:
            with suppress(OSError):
                about = os.stat(path)  # noqa: PTH116
                yield within + name, f"{about.st_size}-{about.st_mtime_ns}-{about.st_ino}"


def is_held(lock: Path) -> bool:
    """Tell whether a process holds a lock, without a wait for anybody."""
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


def entries(folder: Path) -> Iterator[Entry]:
    """Look at each file and folder in a folder; what vanishes meanwhile is left out."""
    with suppress(FileNotFoundError), os.scandir(folder) as children:
        for child in children:
            with suppress(FileNotFoundError):
                yield _entry(child)


def usage(folder: str | Path) -> int:
    """Add up the files of a folder, without a look at their rights; what vanishes meanwhile counts nothing."""
    size = 0
    with suppress(FileNotFoundError), os.scandir(folder) as children:
        for child in children:
            with suppress(FileNotFoundError):
                size += usage(child.path) if child.is_dir() else child.stat().st_size
    return size


def _entry(child: os.DirEntry[str]) -> Entry:
    """Look at a file or folder; a link is what it leads to, and one that leads nowhere is a file."""
    about = child.stat(follow_symlinks=not child.is_symlink() or Path(child).exists())
    folder = stat.S_ISDIR(about.st_mode)
    needed = os.R_OK | os.X_OK if folder else os.R_OK
    readable = bool(about.st_mode & stat.S_IRUSR) and os.access(child, needed)
    open_to_all = bool(about.st_mode & stat.S_IWOTH)
    return Entry(Path(child), folder, about.st_size * (not folder), readable, os.access(child, os.W_OK), open_to_all)


def remove_dropped(path: Path) -> None:
    """Remove a folder under its last name, and the one above if nothing else is there."""
    shutil.rmtree(path)
    if not any(path.parent.iterdir()):
        path.parent.rmdir()


def is_alive(process: int) -> bool:
    """Tell whether there is a process with this number."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it is another user's
        return True
    return True


def append(file: int, line: bytes) -> None:
    """Append a line in one write; one before it that a full disk or a power cut left torn is ended first."""
    fcntl.flock(file, fcntl.LOCK_EX)  # given back at closing; else a line that is being written looks torn
    size = os.fstat(file).st_size
    torn = size and os.pread(file, 1, size - 1) != b"\n"
    content = b"\n" * bool(torn) + line + b"\n"
    if os.write(file, content) < len(content):  # the disk is full
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def sync(folders: Iterable[Path]) -> None:
    """Have what was written, renamed or removed in these folders survive a power cut."""
    for folder in dict.fromkeys(folders):
        sync_folder(folder)
