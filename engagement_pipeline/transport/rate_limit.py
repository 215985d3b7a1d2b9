"""The request budget: so many requests in a minute or in 15, spread evenly, whatever the number of threads.

In: the rate of the setting, then what the API's headers say of it. Out: `RateLimiter.wait()`, which returns when the
next request may leave. Slots are even, and the first comes one gap after the start. So no 60 seconds see more
than the rate, wherever they begin. That holds within a pull, and between one that ended in any way and the next.

Where an API gives each account a rate of its own, AccountLimiters has a RateLimiter for each.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from engagement_pipeline.core.model import Rate

logger = logging.getLogger(__name__)
MINUTE = 60.0  # seconds
# At the whole rate, one request that the network holds up is one too many for the API's next minute. 1.5 % off
# makes as many requests as the rate last 60.9 s, at any rate; CATCH_UP takes 0.25 s of that, the network may have 0.66.
SHARE = 0.985
CATCH_UP = 0.25  # of lateness is made up for, so that threads that wake up late cost no slots
TOLD_OTHERWISE = (
    "the API allows %d requests %s and the setting %s says %d: "
    "going on as the API says; set it to %d, so that plans tell the true time"
)
TOLD_FROM = 2 * MINUTE  # so long a wait without a word looks as if the program hung
USED_UP = "the API allows %s no more requests for %.0f min, since its rate is used up: waiting; what has landed is kept"


def in_words(seconds: float) -> str:
    """Return `a minute`, or `in 15 minutes`."""
    minutes = seconds / MINUTE
    return "a minute" if minutes == 1 else f"in {minutes:g} minutes"


class RateLimiter:
    """Slots for requests, handed out one by one, evenly. Safe to share by threads.

    It keeps no state between two pulls, so it cannot know when the app's last request left, perhaps by a process
    that was killed a moment ago. Therefore its first slot comes one gap after its start, as long as
    any further request waits: at 300 requests a minute 0.2 s, at 1 a minute 61 s.

    `requests` may leave in so many `seconds`; `setting` is the name of the setting that says so. `account` is who has
    them, empty where all share them. `clock` gives seconds that only rise; `sleep` waits so many seconds, or less.
    After `cancel()`, whoever waits or is about to wait gets a CancelledError, so that a stopped pull ends at once.
    """

    def __init__(
        self,
        requests: int,
        *,
        seconds: float = MINUTE,
        setting: str = "requests_per_minute",
        account: str = "",
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._set = self._limit = requests
        self._seconds = seconds
        self._setting = setting
        self._account = account
        self._clock = clock
        self._changed, self._cancelled = threading.Event(), threading.Event()
        self._sleep_for_slot = sleep or self._changed.wait
        self._sleep = sleep or self._cancelled.wait
        self._turn = threading.Lock()  # to wait for the next slot, so that a slot wakes one thread and not all
        self._lock = threading.Lock()
        self._last = self._closed_until = clock()  # no slot in advance: a correction finds none handed out
        self._told_until = self._closed_until

    def of(self, _: str) -> RateLimiter:
        """Return the budget of a handle: all share this one."""
        return self

    def wait(self) -> None:
        """Wait for the next free slot and take it."""
        with self._turn:
            while (seconds := self._take()) > 0:
                self._sleep_for_slot(seconds)

    def _take(self) -> float:
        """Take the slot that has come, or return the seconds until it does."""
        with self._lock:
            self._changed.clear()
            self._raise_if_cancelled()
            now = self._clock()
            if self._closed_until - max(now, self._told_until) >= TOLD_FROM:  # once, though many answers say it
                who = f"account {self._account}" if self._account else "us"
                logger.warning(USED_UP, who, (self._closed_until - now) / MINUTE)
                self._told_until = self._closed_until
            slot = max(self._last + self._seconds / (SHARE * self._limit), self._closed_until)
            if slot <= now:
                self._last = max(slot, now - CATCH_UP)
            return max(0.0, slot - now)

    def correct(self, told: Rate) -> None:
        """Space the slots by the API's limit, and hand out none until its reset where none remains.

        None changes nothing, nor does a limit that is not positive.
        """
        limit = told.limit
        with self._lock:
            if limit is not None and limit > 0 and limit != self._limit:
                self._limit = limit
                self._changed.set()  # whoever waits may have to wait less
                if limit != self._set:
                    logger.warning(TOLD_OTHERWISE, limit, in_words(self._seconds), self._setting, self._set, limit)
            if told.remaining == 0:
                self._closed_until = max(self._closed_until, self._clock() + told.reset_in)

    def closed_for(self) -> float:
        """Return for how many seconds no slot will be handed out because the time's requests are spent."""
        with self._lock:
            return max(0.0, self._closed_until - self._clock())

    def sleep(self, seconds: float) -> None:
        """Wait without taking a slot, for a back-off."""
        if seconds > 0:
            self._sleep(seconds)
        self._raise_if_cancelled()

    def cancel(self) -> None:
        """End every wait with a CancelledError."""
        self._cancelled.set()
        self._changed.set()

    def go_on(self) -> None:
        """Hand out slots again after a `cancel`."""
        self._cancelled.clear()

    def _raise_if_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise CancelledError


class AccountLimiters:
    """A RateLimiter for each handle, made of it by `make` when it is first asked for. Safe to share by threads."""

    def __init__(self, make: Callable[[str], RateLimiter]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._by_handle: dict[str, RateLimiter] = {}
        self._is_cancelled = False

    def of(self, handle: str) -> RateLimiter:
        """Return the budget of a handle."""
        with self._lock:
            if handle not in self._by_handle:
                self._by_handle[handle] = self._make(handle)
                if self._is_cancelled:
                    self._by_handle[handle].cancel()
            return self._by_handle[handle]

    def cancel(self) -> None:
        """End every wait with a CancelledError."""
        with self._lock:
            self._is_cancelled = True
            for limiter in self._by_handle.values():
                limiter.cancel()

    def go_on(self) -> None:
        """Hand out slots again after a `cancel`."""
        with self._lock:
            self._is_cancelled = False
            for limiter in self._by_handle.values():
                limiter.go_on()
