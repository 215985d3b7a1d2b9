"""The request budget: so many requests a minute, spread evenly, whatever the number of threads.

In: the contracted rate. Out: `Budget.wait()`, which returns when the next request may leave. Even spacing
cannot burst, so no minute of the API's clock, wherever it begins, sees more than the rate; and a pull that
starts in the minute in which another ended adds no more than what that one left.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Budget:
    """Slots for requests, `per_minute` of them a minute, handed out in order. Safe to share by threads.

    `clock` gives seconds that only rise; `sleep` waits so many seconds. After `cancel()`, whoever waits or is
    about to wait gets a CancelledError, so that a stopped pull ends at once.
    """

    def __init__(
        self,
        per_minute: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._gap = 60 / per_minute
        self._clock = clock
        self._cancelled = threading.Event()
        self._sleep = sleep or self._cancelled.wait
        self._lock = threading.Lock()
        self._next_slot = clock()
        self._closed_until = clock()

    def wait(self) -> None:
        """Wait for the next free slot and take it."""
        while True:
            with self._lock:
                slot = max(self._next_slot, self._closed_until, self._clock())
                self._next_slot = slot + self._gap
            self.sleep(slot - self._clock())
            if slot >= self._closed_until:
                return  # not closed while we waited for the slot

    def close_for(self, seconds: float) -> None:
        """Hand out no slot for `seconds`: the API said that the minute is spent."""
        with self._lock:
            self._closed_until = max(self._closed_until, self._clock() + seconds)

    def sleep(self, seconds: float) -> None:
        """Wait without taking a slot, for a back-off."""
        if seconds > 0:
            self._sleep(seconds)
        if self._cancelled.is_set():
            raise CancelledError

    def cancel(self) -> None:
        """End every wait with a CancelledError."""
        self._cancelled.set()
