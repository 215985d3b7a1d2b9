"""How far a pull has come: all its plans as one, and in words once a minute.

In: what the puller tells of each plan. Out: one count over all plans; lines of text, for a log or a person.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from engagement_pipeline.core.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from engagement_pipeline.core.model import Progress

MINUTE = 60.0  # seconds
REQUESTS = "requests answered"  # what is counted of a pull


class Whole:
    """The progress of plans that follow one another, as that of one. `size` is the number of requests of all."""

    def __init__(self, progress: Progress, size: int) -> None:
        self._progress = progress
        self._to_come = size
        self._done = self._rows = 0

    def part(self, size: int) -> Progress:
        """Return the progress for the next plan, which has `size` of the requests."""
        self._to_come -= size
        before, rows_before = self._done, self._rows

        def told(done: int, total: int, /, *, rows: int = 0) -> None:
            self._done, self._rows = before + done, rows_before + rows
            self._progress(self._done, before + total + self._to_come, rows=self._rows)

        return told


class OnceAMinute:
    """A progress that tells, at most once a minute, how far a work has come and when it may end.

    `clock` gives seconds that only rise. A work that begins anew is measured anew.
    """

    def __init__(
        self, what: str, tell: Callable[[str], object], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._what = what
        self._tell = tell
        self._clock = clock
        self._began = self._told = clock()
        self._done = 0

    def __call__(self, done: int, total: int, /, *, rows: int = 0) -> None:
        """Hear how far it is."""
        now = self._clock()
        if done < self._done:
            self._began = now
        self._done = done
        if now - self._told >= MINUTE:
            self._told = now
            self._tell(f"{self._what}: {so_far(done, total, rows=rows, seconds=now - self._began)}")


def so_far(done: int, total: int, *, rows: int, seconds: float) -> str:
    """Return how far a work has come in these seconds, and at this pace the time until it ends."""
    parts = [f"{done:,} of {total:,} ({100 * done // max(1, total)} %)"]
    parts += [counted(rows, "row")] if rows else []
    if done and seconds > 0:
        left = timedelta(seconds=round((total - done) * seconds / done))
        parts += [f"{done * MINUTE / seconds:,.0f} a minute", f"{left} left"]
    return ", ".join(parts)
