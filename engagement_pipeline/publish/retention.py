"""Raw that has served: pulls that are published and older than anybody will rebuild from.

In: a lake, and a moment. Out: the pulls that may go, then their folders gone. Rows that came of them stay as they are
published; coverage still names the responses, and a rebuild tells that they are not there any more.

What stays in raw is newer than all that goes, by endpoint, so that a rebuild never puts an older count over a newer
one whose response is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engagement_pipeline.core.errors import LakeError, advice
from engagement_pipeline.lake import raw
from engagement_pipeline.lake.landed_file import SUFFIX
from engagement_pipeline.lake.layout import LAKE_LOCK

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from engagement_pipeline.core.endpoints import Endpoint
    from engagement_pipeline.lake.layout import Lake
    from engagement_pipeline.lake.raw import Pull

LAST = "9999"  # behind every stamp


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
    for pull in _older(raw.all_pulls(lake), before):
        files = lake.storage.find(f"**/*{SUFFIX}", within=pull.path)
        sizes = [lake.storage.size(path) for path in files]
        found.append(Spent(pull=pull, responses=len(sizes), size=sum(sizes)))
    return found


def _older(pulls: list[Pull], before: datetime) -> list[Pull]:
    """Return the published pulls from before a moment, without those that have an answer newer than one that stays."""
    stamps = {pull.path: pull.stamps() for pull in pulls}
    last_begun = {pull.endpoint: pull.started_at for pull in pulls}  # the last of each, since they are sorted
    oldest: dict[Endpoint, str] = {}  # of the answers that stay, by endpoint
    goes = []

    def order(pull: Pull) -> tuple[bool, list[str]]:
        """Put first what stays in any case, then the rest from the newest answer to the oldest."""
        needed = pull.endpoint.period is not None and reaches(pull, last_begun[pull.endpoint])
        stays = not pull.published or pull.started_at >= before or needed
        return stays, stamps[pull.path][-1:]

    for pull in sorted(pulls, key=order, reverse=True):
        stays, newest = order(pull)
        if stays or newest > [oldest.get(pull.endpoint, LAST)]:
            first = stamps[pull.path][:1] or [LAST]
            oldest[pull.endpoint] = min(oldest.get(pull.endpoint, LAST), *first)
        else:
            goes.append(pull)
    return sorted(goes, key=lambda pull: pull.started_at)


def reaches(pull: Pull, newest: datetime) -> bool:
    """Tell whether a table that keeps a period alone may hold rows of a pull, where the newest one began `newest`.

    Twice the period, since a pull may have gone on for a while.
    """
    period = pull.endpoint.period
    return period is None or pull.started_at > newest - 2 * period


def drop(lake: Lake, pulls: Sequence[Spent]) -> None:
    """Remove the folders of pulls, each at once: stopped in between, the others are whole."""
    try:
        with lake.locked(LAKE_LOCK, "a publication"):
            lake.storage.sweep(f"{lake.raw.name}/*/*")  # of a prune that was killed
            for each in pulls:
                lake.storage.remove_folder(each.pull.path)
    except OSError as error:
        raise LakeError(
            f"{error.filename or lake.raw} cannot be removed: {error.strerror}; the tables are as they were. "
            f"{advice(error, 'prune again: that removes the rest')}"
        ) from error
