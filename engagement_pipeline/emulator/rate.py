"""The rate: a number of requests in a window of the calendar, and the headers that say how many are left."""

import math
import time
from collections.abc import Callable


class Meter:
    """Counts requests in windows of `seconds`, by default calendar minutes. `clock` returns seconds since 1970."""

    def __init__(
        self,
        limit: int,
        *,
        seconds: int = 60,
        headers: str = "x-per-minute",
        clock: Callable[[], float] = time.time,
    ) -> None:
        if limit < 1:
            raise ValueError(f"requests_per_minute must be 1 or more, got {limit}")
        self._limit = limit
        self._seconds = seconds
        self._headers = headers
        self._clock = clock
        self._window = -1
        self._used = 0

    def take(self) -> bool:
        """Count one request; return False if it is over the rate."""
        window = math.floor(self._clock() / self._seconds)
        if window != self._window:
            self._window, self._used = window, 0
        self._used += 1
        return self._used <= self._limit

    def headers(self) -> dict[str, str]:
        """Return the limit, what is left, and the epoch second at which the next window starts."""
        return {
            f"{self._headers}-limit": str(self._limit),
            f"{self._headers}-remaining": str(max(0, self._limit - self._used)),
            f"{self._headers}-reset": str((self._window + 1) * self._seconds),
        }
