"""What a process that died or a failing disk has left in a lake, put right before another begins.

In: a lake, under its lock. Out: no hidden file of a dead process, and no pull that stops all others. Each thing that
is set apart is told in one line, and no response is removed.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from engagement_pipeline.core.dated import STAMP
from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.lake import raw, rebuilds
from engagement_pipeline.lake.landed_file import SUFFIX, landed_at
from engagement_pipeline.lake.layout import LAKE_LOCK
from engagement_pipeline.lake.looking import look_again

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from engagement_pipeline.lake.layout import Lake
    from engagement_pipeline.lake.looking import Read

logger = logging.getLogger(__name__)


def recover(lake: Lake, read: Read, *, locks: Sequence[str] = (LAKE_LOCK,)) -> None:
    """Put right what was left, with the lake lock held: without it nobody stages, removes or begins.

    `read` is how a response is looked at. `locks` are all that are held.
    """
    left = rebuilds.left(lake)
    for folder in (lake.staging, *map(lake.rebuilding, left)):
        lake.storage.clear(folder)
    lake.storage.sweep(f"{lake.raw.name}/*/*")
    lake.storage.sweep_unfinished(lake.root)
    begun = raw.begun_folders(lake)
    with lake.storage.ahead(folder / raw.PULL for folder in begun):
        for folder in begun:
            if not _is_published(lake, folder):
                lake.storage.sweep_unfinished(folder)
    look_again(lake, (*locks, *left), read)


def _is_published(lake: Lake, folder: Path) -> bool:
    """Tell whether a pull is in the tables. Its pull.json, if that is damaged, is written anew, or set apart."""
    path = folder / raw.PULL
    there = lake.storage.exists(path)
    if not there and not lake.storage.find(f"*{SUFFIX}*", within=folder):
        return False  # it was killed before its pull.json was written
    try:
        return raw.load(lake, folder).published
    except LakeError as error:
        problem = str(error) if there else f"{path} was missing"
    if there:
        problem += f": it is kept as {lake.storage.set_apart(path).name}"
    try:
        _told_by_responses(lake, folder).save()
    except LakeError as error:
        if there:  # else it was told before
            logger.warning("%s, and its pull is left out, for %s", problem, error)
    else:
        logger.warning("%s, and written anew from the responses beside it, which are published again", problem)
    return False


def _told_by_responses(lake: Lake, folder: Path) -> raw.Pull:
    """Return the pull in a folder, not finished and not published, as its place and its responses tell it.

    Raises LakeError where no response in it can be read.
    """
    for path in lake.storage.find(f"**/*{SUFFIX}*", within=folder):
        with suppress(LakeError, ValueError):
            asked = landed_at(lake.storage, path).request
            pull = raw.Pull(
                path=folder,
                endpoint=asked.endpoint,
                window=asked.window,
                types=asked.types,
                started_at=datetime.strptime(folder.name, STAMP).replace(tzinfo=UTC),
                storage=lake.storage,
            )
            raw.check(pull)
            return pull
    raise LakeError(f"{folder} holds no response that can be read")
