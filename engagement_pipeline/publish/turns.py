"""Turns of one who makes days anew beside others: the lake's lock for as long as files are put in their places.

In: a lake, an endpoint, days, and the pulls that they are made from. Out: a turn, if the published files of these days
are still what they were at the last one, and until the first turn the responses too. Nobody else replaces files
meanwhile. If one has before, what was made of the older ones would undo that.

    noted under the lock ─> made, for as long as it takes ─> a turn: compared, put in their places, noted again ─> …
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, TypeAlias

from engagement_pipeline.core.dated import A_DAY
from engagement_pipeline.core.days import of_month
from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.core.table import Merge
from engagement_pipeline.core.tables import DAILY
from engagement_pipeline.lake.layout import LAKE_LOCK, Lake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from engagement_pipeline.core.endpoints import Endpoint
    from engagement_pipeline.lake.raw import Pull

    Turn: TypeAlias = Callable[[], AbstractContextManager[None]]


class ChangedError(LakeError):
    """Somebody has changed what days were made from."""

    def __init__(self, lake: Lake, what: str) -> None:
        super().__init__(f"{what} of {lake.root} were changed while days were made anew from them: rebuild again")


class Turns:
    """What is noted of some days; to be made under the lake's lock."""

    def __init__(self, lake: Lake, endpoint: Endpoint, days: Sequence[date], pulls: Iterable[Pull]) -> None:
        self._lake = lake
        self._endpoint = endpoint
        self._names = {
            path.relative_to(lake.root).as_posix() for day in days for path in _made_from(lake, endpoint, day)
        }
        self._responses = [(pull, {*pull.stamps()}) for pull in pulls]
        self._noted = self._stamps()

    def changed(self) -> str:
        """Return what others have changed since: tables, or responses of which some are gone; else nothing."""
        if self._stamps() != self._noted:
            return "tables"
        return "responses" if any(not held <= {*pull.stamps()} for pull, held in self._responses) else ""

    @contextmanager
    def take(self) -> Iterator[None]:
        """Hold the lake's lock; raises ChangedError where a file is not as it was noted."""
        with self._lake.locked(LAKE_LOCK, "a publication or a rebuild"):
            if what := self.changed():
                raise ChangedError(self._lake, what)
            yield
            self._noted, self._responses = self._stamps(), []

    def _stamps(self) -> dict[str, str]:
        coverage = self._lake.coverage(self._endpoint, date.min).parent.parent.relative_to(self._lake.root)
        found = self._lake.home.storage.stamps(self._lake.forgotten.name)
        for glob in (self._endpoint.table.glob, f"{coverage}/day={A_DAY}/coverage.parquet", DAILY.glob):
            stamps = self._lake.storage.stamps(glob)
            found |= {name: stamp for name, stamp in stamps.items() if name in self._names}
        return found


def _made_from(lake: Lake, endpoint: Endpoint, day: date) -> Iterator[Path]:
    """Yield the published files that a day is made from, and with the sums of a month those of its days."""
    yield lake.coverage(endpoint, day)
    if endpoint.table.merge is Merge.CELL:
        yield lake.daily(day)
        yield from (lake.rows(endpoint.table, each) for each in of_month(day))
    else:
        yield lake.rows(endpoint.table, day)
