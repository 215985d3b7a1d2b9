"""Staged files put in their places in a bucket: those of a group at once, a group after the other.

In: the objects of a bucket, and groups of staged files, each with its place. Out: the objects; or SwapError with what
is put and what is left.
"""

from __future__ import annotations

import errno
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from engagement_pipeline.core.errors import StoreError
from engagement_pipeline.lake.object_ahead import AT_ONCE, read_anew
from engagement_pipeline.lake.object_names import key_of
from engagement_pipeline.lake.objects import TakenError
from engagement_pipeline.lake.states import SwapError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from engagement_pipeline.lake.objects import Objects

ROOM = 64 * 2**20  # bytes of files that are put at once


def swap(objects: Objects, groups: Sequence[Mapping[Path, Path]]) -> None:
    """Put staged files in their places, and remove them; raise SwapError if it stops, or if a lock was taken over."""
    targets = [target for group in groups for target in group.values()]
    put: list[Path] = []
    try:
        for group in groups:
            for lease in objects.leases.values():
                lease.check()
            put_group(objects, group, put)
    except OSError as error:
        raise SwapError(error, put=put, left=[target for target in targets if target not in put]) from error
    for staged in (staged for group in groups for staged in group):
        staged.unlink()


def put_group(objects: Objects, group: Mapping[Path, Path], put: list[Path]) -> None:
    """Put the files of a group, as many at once as there is room for, and add those that are put to `put`."""
    failed: BaseException | None = None
    largest = max((staged.stat().st_size for staged in group), default=0)
    with ThreadPoolExecutor(max(1, min(AT_ONCE, ROOM // max(largest, 1)))) as pool:
        asked = {target: pool.submit(_put_over, objects, staged, target) for staged, target in group.items()}
    for target, future in asked.items():
        error = future.exception()
        failed = failed or error
        put += [] if error else [target]
    if failed:
        raise failed


def _put_over(objects: Objects, staged: Path, target: Path) -> None:
    """Put a staged file in its place; under a lock, only if that is as it was read."""
    key, content = key_of(target), staged.read_bytes()
    read_anew(objects, key)
    if not objects.leases:
        objects.put(key, content)
        return
    over = objects.seen.get(key)
    if over is None:
        held = objects.head(key)
        over = held.tag if held else ""
    try:
        objects.seen[key] = objects.put(key, content, over=over)
    except TakenError:  # by a try of this process that had no answer, or by another
        found, held = objects.get(key)
        if found != content:
            raise StoreError(
                errno.ESTALE, "another process has replaced it meanwhile: let that end", str(target)
            ) from None
        objects.seen[key] = held.tag
