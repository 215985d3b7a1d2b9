"""Keys of a bucket: that of a path, and globs over them, as pathlib has them over files.

In: the objects, a folder, a glob. Out: the names that match. A store lists all that lies below a folder, a thousand
keys a request. So as much of a glob as is text is listed, and the rest is matched here.
"""

from __future__ import annotations

import fnmatch
import re
from functools import cache
from itertools import product
from typing import TYPE_CHECKING

from engagement_pipeline.core.places import ObjectPath

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from engagement_pipeline.lake.objects import Held, Objects

ANY, ANY_DEPTH = re.compile(r"[*?\[]"), "**"
ONE_OF = re.compile(r"([^*?\[\]]*)\[([^\]!*?-]+)\]([^*?\[\]]*)")  # of a part: just one class of characters in it


def key_of(path: Path) -> str:
    """Return the key of a path in the bucket."""
    if not isinstance(path, ObjectPath):
        raise TypeError(f"{path} is in no bucket")
    return path.key


def matching(objects: Objects, folder: str, pattern: str, *, files: bool = False) -> Iterator[tuple[str, Held]]:
    """Yield the names, relative to a folder, that match a glob, each with an object that has it or lies below it.

    With `files`, names of folders are left out.
    """
    parts = pattern.split("/")
    for chosen in product(*map(_alternatives, parts)):
        fixed = next((place for place, part in enumerate(chosen) if ANY.search(part)), len(chosen))
        base = "/".join(filter(None, (folder, *chosen[:fixed])))
        if fixed == len(chosen) and (exact := objects.head(base)):
            yield "/".join(chosen), exact
        elif fixed < len(chosen) or not files:
            yield from _listed(objects, folder, base, chosen, files=files)


def _listed(
    objects: Objects, folder: str, base: str, parts: Sequence[str], *, files: bool
) -> Iterator[tuple[str, Held]]:
    seen = set()
    for held in objects.below(base):
        names = tuple(held.key.removeprefix(folder).lstrip("/").split("/"))
        longest = len(names) if ANY_DEPTH in parts else len(parts)
        shortest = len(names) if files else min(longest, len(parts) - 1 if ANY_DEPTH in parts else longest)
        for length in range(shortest, min(longest, len(names)) + 1):
            name = "/".join(names[:length])
            if name not in seen and _fits(names[:length], tuple(parts)):
                seen.add(name)
                yield name, held


def fits(name: str, pattern: str) -> bool:
    """Tell whether a name matches a glob."""
    return _fits(tuple(name.split("/")), tuple(pattern.split("/")))


def _fits(names: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    if not parts or not names:
        return not names and all(part == ANY_DEPTH for part in parts)
    if parts[0] == ANY_DEPTH:
        return _fits(names, parts[1:]) or _fits(names[1:], parts)
    return bool(_matcher(parts[0]).match(names[0])) and _fits(names[1:], parts[1:])


@cache
def _matcher(part: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(part))


def _alternatives(part: str) -> list[str]:
    """Return a part as the texts that it stands for, if those are few, so that no more than these are listed."""
    found = ONE_OF.fullmatch(part)
    return [f"{found[1]}{letter}{found[3]}" for letter in found[2]] if found else [part]
