"""What a process is looking at, written down, so that the next one knows the response that killed it.

In: responses, and the lock of the lake that their reader holds. Out: a note in the lake for as long as one is looked
at. In a bucket, where a note takes as long as a response, one names several that are looked at one after another.
Whoever gets the lock and finds a note knows that its writer is dead.

Such a death says little of the response: a person or a full memory may be its reason. So it is looked at again, alone
and before all else. Only one that kills that process too, or fills its memory, is set apart: it is kept, and its
Tweets are asked for again.
"""

from __future__ import annotations

import logging
import shlex
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

from engagement_pipeline.core.errors import LakeError, ResponseError
from engagement_pipeline.lake import raw
from engagement_pipeline.lake.landed_file import SUFFIX, landed_at

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

    from engagement_pipeline.core.model import Request
    from engagement_pipeline.lake.landed_file import Landed
    from engagement_pipeline.lake.layout import Lake
    from engagement_pipeline.lake.storages import Storage

    Read = Callable[[bytes, Request], object]

logger = logging.getLogger(__name__)
PARTS = 5  # of a path, from raw/ to its file
ALONE, AMONG_OTHERS = "alone", "among others"


class MemoryLackError(LakeError):
    """The memory ran out while a response was looked at."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"the memory ran out while {path} was looked at; what has landed is kept: run again, which looks at it "
            "alone first, with more memory if there is some"
        )


@contextmanager
def looking(landed: Landed, lock: str, *, how: str = AMONG_OTHERS) -> Iterator[None]:
    """Note that a response is looked at, under a lock.

    If the memory runs out, MemoryLackError is raised and the note stays.
    """
    with Looks(landed.storage, [landed], lock, how=how).at(landed):
        yield


class Looks:
    """Responses that are looked at one after another. Where a note takes long, one names several of them."""

    def __init__(self, storage: Storage, coming: Iterable[Landed], lock: str, *, how: str = AMONG_OTHERS) -> None:
        self._storage = storage
        self._lock = lock
        self._how = how
        self._to_come = dict.fromkeys(landed.path for landed in coming)
        self._noted: set[Path] = set()

    @contextmanager
    def at(self, landed: Landed) -> Iterator[None]:
        """Note that a response is looked at; raises as `looking` does."""
        if landed.path not in self._noted:
            self._note(landed.path)
        try:
            yield
        except MemoryError:
            self._noted.clear()
            raise MemoryLackError(landed.path) from None
        except BaseException:
            self.close()
            raise
        if self._noted == {landed.path}:
            self.close()
        self._noted.discard(landed.path)

    def close(self) -> None:
        """Leave no note."""
        if self._noted:
            self._storage.forget(self._lock)
        self._noted.clear()

    def _note(self, path: Path) -> None:
        """Note a response, with those that follow it."""
        self._to_come.pop(path, None)
        some = [path, *islice(self._to_come, self._storage.at_once - 1)]
        for each in some[1:]:
            del self._to_come[each]
        places = ["/".join(each.parts[-PARTS:]) for each in some]
        self._storage.note(self._lock, "\n".join([self._how, *places]).encode())
        self._noted = {*some}


def look_again(lake: Lake, locks: Collection[str], read: Read) -> None:
    """Look at what a process that died with a lock, or its worker, was looking at; nobody else may hold these locks."""
    files = (entry.path.name for entry in lake.storage.children(lake.root))
    notes = [name[1 : -len(".note")] for name in files if name.startswith(".") and name.endswith(".note")]
    for name in (name for name in notes if name.partition(".")[0] in locks):
        how, *places = lake.storage.noted(name).decode(errors="replace").split("\n")
        for path in map(lake.root.joinpath, places):
            whole = SUFFIX in path.name  # a full disk may have left a part of the note
            if whole and lake.storage.exists(path) and (how == ALONE or not _survived(lake, path, name, read)):
                _set_apart(lake, path)
        lake.storage.forget(name)


def of_worker(lock: str, number: int) -> str:
    """Return the name under which a worker of the process that holds a lock notes what it looks at."""
    return f"{lock}.{number}"


def _survived(lake: Lake, path: Path, lock: str, read: Read) -> bool:
    """Look at a response alone; tell whether the memory was enough."""
    logger.warning("%s was looked at when a process ended at once: it is looked at again, alone", path)
    try:
        landed = landed_at(lake.storage, path)
        with looking(landed, lock, how=ALONE):
            read(landed.body(), landed.request)
    except MemoryLackError:
        return False
    except (LakeError, ResponseError) as error:  # no more than that: it is told where it matters
        logger.info("%s", error)
    return True


def _set_apart(lake: Lake, path: Path) -> None:
    pull = raw.load(lake, path.parent)
    apart = pull.reject(path)
    if not pull.published:
        pull.marked(finished=False)
    follows = "its rows stay as published" if pull.published else f"the next pull of {pull} asks for its Tweets again"
    logger.warning(
        "%s ended two processes that looked at it, the second time alone: it is kept as %s, and %s; to have it looked "
        "at again: mv %s %s",
        *(path, apart, follows, shlex.quote(str(apart)), shlex.quote(str(path))),
    )
