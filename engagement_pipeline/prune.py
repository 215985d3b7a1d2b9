"""Raw that has served: pulls that are published and older than anybody will rebuild from.

In: a lake, and a moment. Out: the pulls that may go, then their folders gone. Rows that came of them stay as they are
published; coverage still names the responses, and a rebuild tells that they are not there any more.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engagement_pipeline import raw
from engagement_pipeline.errors import LakeError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from engagement_pipeline.lake import Lake
    from engagement_pipeline.raw import Pull

DROPPED = ".dropped-"  # before the name of a folder that is being removed


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """A pull whose raw may go: its responses, those set apart included, and their bytes on the disk."""

    pull: Pull
    responses: int
    size: int


def spent(lake: Lake, *, before: datetime) -> list[Spent]:
    """Return the published pulls that were begun before a moment, oldest first; raises InputError without a lake."""
    lake.open(create=False)
    found = []
    for pull in raw.all_pulls(lake.raw):
        if pull.published and pull.started_at < before:
            sizes = [path.stat().st_size for path in pull.path.rglob(f"*{raw.SUFFIX}")]
            found.append(Spent(pull=pull, responses=len(sizes), size=sum(sizes)))
    return found


def drop(lake: Lake, pulls: Sequence[Spent]) -> None:
    """Remove the folders of pulls, each at once: stopped in between, the others are whole."""
    try:
        with lake.locked("lake", "a publication"):
            for left in lake.raw.glob(f"*/*/{DROPPED}*"):  # by a prune that was killed
                shutil.rmtree(left)
            for each in pulls:
                shutil.rmtree(each.pull.path.rename(each.pull.path.with_name(DROPPED + each.pull.path.name)))
                window = each.pull.path.parent
                if not any(window.iterdir()):
                    window.rmdir()
    except OSError as error:
        raise LakeError(f"{error.filename or lake.raw} cannot be removed: {error.strerror}") from error
