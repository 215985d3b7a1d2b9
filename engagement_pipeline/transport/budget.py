"""What is left of a month, counted down as requests leave: no retry, and no page that has more Posts, goes beyond it.

In: what the log of requests says that the month has used, and the limits. Out: leave for a request, or OverBudgetError.

Whoever asks takes turns, so nobody else uses the month meanwhile. What a program had in flight when it was killed is
not in the log. When a month begins, all of it is left.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from engagement_pipeline.core import spend
from engagement_pipeline.core.errors import OverBudgetError
from engagement_pipeline.core.spend import Needs, Used

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from engagement_pipeline.core.model import Request
    from engagement_pipeline.core.spend import Limits


class Budget:
    """What one program may still use of a month. Safe to share by threads."""

    def __init__(self, limits: Limits, used: Used, *, day: date) -> None:
        self._limits = limits
        self._at_first = used
        self._day = day
        self._requests, self._posts_read = used.requests, used.posts_read
        self._handles, self._read_today = set(used.handles), set(used.posts.get(day, ()))
        self._lock = Lock()

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit at all."""
        return self._limits.limit_something

    def check(self, requests: Iterable[Request], *, what: str) -> None:
        """Raise OverBudgetError if not all of these requests can leave; `what` is what sends them."""
        self.check_needs(spend.needs(requests, self._at_first, day=self._day), what=what)

    def check_needs(self, needs: Needs, *, what: str) -> None:
        """Raise OverBudgetError if the month has not left what `what` needs."""
        if refusal := spend.refusal(self._limits, self._at_first, needs, what=what, day=self._day):
            raise OverBudgetError(refusal)

    def take(self, request: Request, day: date) -> None:
        """Count a try of a request that leaves on this UTC day; raise OverBudgetError if the month has none left."""
        with self._lock:
            self._turn_to(day)
            handles = {request.handle} - self._handles if spend.counts_handle(request) else set()
            posts = set(request.tweet_ids) - self._read_today if spend.reads_posts(request) else set()
            most = 0 if request.tweet_ids or not spend.reads_posts(request) else request.endpoint.max_tweets
            used = Used(requests=self._requests, handles=frozenset(self._handles), unnamed=self._posts_read)
            for share in spend.shares(
                self._limits, used, Needs(requests=1, handles=len(handles), posts=most or len(posts))
            ):
                if share.is_crossed:
                    raise OverBudgetError(spend.used_up(share, day=day))
            self._requests += 1
            self._handles |= handles
            self._read(posts)

    def read(self, posts: Iterable[int]) -> None:
        """Count the Posts that an answer has."""
        with self._lock:
            self._read(set(posts))

    def _read(self, posts: set[int]) -> None:
        self._posts_read += len(posts - self._read_today)
        self._read_today |= posts

    def _turn_to(self, day: date) -> None:
        """Begin a UTC day, on which each Post counts again, or a month, of which all is left."""
        if (day.year, day.month) != (self._day.year, self._day.month):
            self._requests = self._posts_read = 0
            self._handles = set()
        if day != self._day:
            self._day, self._read_today = day, set()
