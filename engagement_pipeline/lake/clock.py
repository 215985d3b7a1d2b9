"""The moments at which a lake's pulls begin and its requests are sent: they tell in which order answers landed.

In: a lake. Out: a clock that gives each moment once, none before another, whatever the machine's clock does.

It goes as the machine's clock does, or stands at the setting `now`. Where that is behind the newest moment in the lake,
this one goes on from there, a microsecond at a time, and says so. So what lands counts as newer all the same.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Self

from engagement_pipeline.lake import raw, request_log

if TYPE_CHECKING:
    from collections.abc import Callable

    from engagement_pipeline.lake.layout import Lake

logger = logging.getLogger(__name__)
TICK = timedelta(microseconds=1)
UNTOLD = timedelta(seconds=1)  # by which clocks are corrected all the time
NEVER = datetime.min.replace(tzinfo=UTC)


def newest(lake: Lake) -> datetime | None:
    """Return the newest moment in a lake: of a request, which outlives raw, of a pull or of a response; or None."""
    return max(filter(None, (request_log.newest(lake), raw.newest_moment(lake))), default=None)


class Clock:
    """A clock that gives no moment that is not behind `newest` and all that it gave. Safe to share by threads."""

    def __init__(self, newest: datetime, *, machine: Callable[[], datetime]) -> None:
        self._last = newest
        self._machine = machine
        self._lock = Lock()
        self._told = False

    @classmethod
    def of(cls, lake: Lake, *, machine: Callable[[], datetime]) -> Self:
        """Return a clock that goes on from the newest moment in the lake: of a request, a pull or a response."""
        return cls(newest(lake) or NEVER, machine=machine)

    def __call__(self) -> datetime:
        """Return the moment that it is, in UTC."""
        with self._lock:
            now, last = self._machine(), self._last
            if last - now > UNTOLD and not self._told:
                self._told = True
                logger.warning(
                    "this machine's clock, or the setting now, says %s, which is before the lake's newest request of "
                    "%s: what lands now counts as newer all the same, and bears times just after that one until the "
                    "clock is past it; if the clock is wrong, set it, and if the lake's times are, engagement doctor "
                    "names the way out",
                    now.isoformat(" ", "seconds").removesuffix("+00:00"),
                    last.isoformat(" ", "seconds").removesuffix("+00:00"),
                )
            self._last = max(now, last + TICK)
            return self._last
