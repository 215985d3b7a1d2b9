"""The contracted rate: a number of requests in a calendar minute, and the headers that say how many are left."""

import math
import time
from collections.abc import Callable

SECONDS = 60


class Meter:
    """Counts requests in calendar minutes of `clock`, which returns seconds since 1970."""

    def __init__(self, limit: int, *, clock: Callable[[], float] = time.time) -> None:
        if limit < 1:
            raise ValueError(f"requests_per_minute must be 1 or more, got {limit}")
        self._limit = limit
        self._clock = clock
        self._minute = -1
        self._used = 0

    def take(self) -> bool:
        """Count one request; return False if it is over the rate."""
        minute = math.floor(self._clock() / SECONDS)
        if minute != self._minute:
            self._minute, self._used = minute, 0
        self._used += 1
        return self._used <= self._limit

    def headers(self) -> dict[str, str]:
        """Return the limit, what is left, and the epoch second at which the next minute starts."""
        return {
            "x-per-minute-limit": str(self._limit),
            "x-per-minute-remaining": str(max(0, self._limit - self._used)),
            "x-per-minute-reset": str((self._minute + 1) * SECONDS),
        }
