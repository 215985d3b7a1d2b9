"""Patience: while the API is down, one request at a time asks whether it is back, and the others wait.

In: what came of each try. Out: `Patience.turn()`, in which a request may leave; an OutageError once patience is over.

    unknown   the first request of a pull leaves as a probe: no other before its outcome is known
    up        requests leave one after another, and many are in flight
    down      the one that has waited longest leaves as a probe, after a pause. An answer ends it: up
    over      nothing was answered for `minutes`. Nothing leaves any more

A request may also fail by itself. So its failures count as its own if a request that was sent after one of them was
answered. Such a request is known to fail alone, and no longer tells that the API is down. The line is in order, so the
first probe is another request than the one that failed. If there is none, the client asks again for what was answered
before.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engagement_pipeline.core.errors import OutageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engagement_pipeline.core.errors import UnavailableError

logger = logging.getLogger(__name__)
MINUTE = 60.0  # seconds
PAUSES = (1.0, 4.0, 20.0, 60.0)  # seconds before each probe, the last one again and again: a short outage costs little
TOLD_AFTER = 2  # failed probes: what passes sooner is no news


@dataclass(frozen=True, slots=True)
class Turn:
    """A request may leave: the number of its try, and whether all others wait for its outcome."""

    number: int
    is_probe: bool


@dataclass(frozen=True, slots=True)
class Failures:
    """The failed tries of one request: `own` are not the API's. `sent` is the newest try when the last one failed."""

    own: int = 0
    sent: int | None = None


@dataclass(frozen=True, slots=True)
class _Outage:
    """Nothing is answered `since` a moment; `sent` is the newest try that counts, and the next leaves at `probe_at`."""

    error: UnavailableError
    since: float
    sent: int = 0
    probes: int = 0
    probe_at: float = 0.0
    is_over: bool = False


class Patience:
    """Tells when a request may leave, and whether its failure is its own. Safe to share by threads.

    `clock` gives seconds that only rise; `sleep` waits so many seconds, or less. After `cancel()`, whoever waits or
    is about to wait gets a CancelledError.
    """

    def __init__(
        self,
        minutes: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._minutes = minutes
        self._clock = clock
        self._changed = threading.Event()
        self._sleep = sleep or self._changed.wait
        self._line = _Line()
        self._lock = threading.Lock()
        self._sent = self._answered = 0  # numbers of tries: the newest that left, the newest that was answered
        self._outage: _Outage | None = None
        self._is_cancelled = False

    @contextmanager
    def turn(self, take_slot: Callable[[], None]) -> Iterator[Turn]:
        """Wait until a request may leave, and take its slot.

        A probe ends with the block: only then may the next request leave. Raises OutageError once patience is over.
        """
        with ExitStack() as stack:
            stack.enter_context(self._line)
            is_probe = self._waited()
            take_slot()
            while not is_probe and self._outage:  # it began while this one waited for its slot
                is_probe = self._waited()
                take_slot()
            with self._lock:
                self._sent += 1
                turn = Turn(self._sent, is_probe)
            if not is_probe:
                stack.close()
            yield turn

    def _waited(self) -> bool:
        """Wait until the API is up or the next probe is due; tell whether this request is the probe."""
        while True:
            with self._lock:
                self._changed.clear()
                if self._is_cancelled:
                    raise CancelledError
                if not self._outage:
                    return not self._answered
                if self._outage.is_over:
                    raise self._lost(self._outage.error)
                seconds = self._outage.probe_at - self._clock()
            if seconds <= 0:
                return True
            self._sleep(seconds)

    def answered(self, number: int) -> None:
        """Note that the API answered this try, whatever it said: it is up."""
        with self._lock:
            if self._outage and self._outage.probes > TOLD_AFTER:
                logger.warning("the API answers again, after %.0f s", self._clock() - self._outage.since)
            self._answered = max(self._answered, number)
            self._outage = None
            self._changed.set()

    def failed(self, number: int, error: UnavailableError, before: Failures) -> Failures:
        """Note that this try got no answer, after the failures `before` of the same request; return them all."""
        with self._lock:
            fails_alone = bool(before.own) or (before.sent is not None and self._answered > before.sent)
            if fails_alone and not self._outage:
                return Failures(own=max(1, before.own) + 1, sent=self._sent)
            if not self._outage or number > self._outage.sent:  # else it was in flight already
                self._outage = self._gone_on(self._outage or _Outage(error, self._clock()))
            return replace(before, sent=self._sent)

    def _gone_on(self, outage: _Outage) -> _Outage:
        """Return an outage after a failed probe, or at its beginning; the last probe leaves when patience ends."""
        now, ends = self._clock(), outage.since + self._minutes * MINUTE
        if outage.probes == TOLD_AFTER:
            logger.warning("%s; waiting until it answers, %g min at most", str(outage.error).rstrip("."), self._minutes)
        pause = PAUSES[min(outage.probes, len(PAUSES) - 1)]
        return replace(
            outage,
            sent=self._sent,
            probes=outage.probes + 1,
            probe_at=min(now + pause, max(now, ends)),
            is_over=outage.probes > 0 and now >= ends,  # one failure shows no outage
        )

    def cancel(self) -> None:
        """End every wait with a CancelledError."""
        with self._lock:
            self._is_cancelled = True
            self._changed.set()

    def go_on(self) -> None:
        """Let requests leave again after a `cancel`."""
        with self._lock:
            self._is_cancelled = False

    def _lost(self, error: UnavailableError) -> OutageError:
        waited = f"; the API answered nothing for {self._minutes:g} min (patience_minutes)" if self._minutes else ""
        return OutageError(
            f"{str(error).rstrip('.')}{waited}",
            account=error.account,
            status=error.status,
            texts=error.texts,
        )


class _Line:
    """A lock that whoever has waited longest gets next. A plain one may go to the thread that has just left it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._is_held = False

    def __enter__(self) -> None:
        mine = threading.Lock()
        mine.acquire()
        with self._lock:
            if self._is_held:
                self._waiting.append(mine)
            else:
                self._is_held = True
                mine.release()
        mine.acquire()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._is_held = False
