"""The rebuilds of a lake that are at work: each has a place of its own, so that several can be beside each other.

In: a lake, under its lock. Out: a name for as long as it is held: that of a lock, of a local folder, and of the notes.

    rebuild · rebuild-1 · rebuild-2 …     the first that nobody holds, so no more than were ever at work at once

What a rebuild has left that died is under a name that nobody holds.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from itertools import chain, count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engagement_pipeline.lake.layout import Lake

FIRST = "rebuild"
NAME = re.compile(rf"{FIRST}(-[0-9]+)?")


@contextmanager
def place(lake: Lake) -> Iterator[str]:
    """Hold the first free place of a lake; to be entered under the lake's lock, and kept as long as one likes."""
    names = chain([FIRST], (f"{FIRST}-{number}" for number in count(1)))
    name = next(name for name in names if not lake.storage.busy(name))
    with lake.locked(name, "another rebuild"):
        yield name


def left(lake: Lake) -> list[str]:
    """Return the places that nobody holds, under the lake's lock."""
    locks = (path for path, *_ in lake.storage.children(lake.root) if path.suffix == ".lock")
    names = {name for name in (path.stem.removeprefix(".") for path in locks) if NAME.fullmatch(name)}
    return sorted(({FIRST} - names) | {name for name in names if not lake.storage.busy(name)})
