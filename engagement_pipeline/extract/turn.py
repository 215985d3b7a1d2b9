"""Whoever asks takes turns, one program an app and one a lake, and keeps within what the month may use.

In: the settings, and the lake that the answers or the log of requests are for. Out: a context that is entered when the
turn has come, and the Budget for this turn.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from engagement_pipeline.core.spend import Limits, Used
from engagement_pipeline.lake import request_log
from engagement_pipeline.lake.layout import PULL_LOCK
from engagement_pipeline.transport import app_lock
from engagement_pipeline.transport.budget import Budget

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from engagement_pipeline.core.settings import Settings
    from engagement_pipeline.lake.layout import Lake


@contextmanager
def held(settings: Settings, lake: Lake, *, what: str) -> Iterator[None]:
    """Hold the app's lock, for the rate, and the lake's: pulls of two apps would resume each other's pulls.

    A lake within another is locked with that: the roster is there.
    """
    with app_lock.held(settings.accounts, what=what), ExitStack() as stack:
        for each in dict.fromkeys((lake.home, lake)):
            stack.enter_context(each.locked(PULL_LOCK, "another pull"))
        yield


def budget(settings: Settings, lake: Lake, *, day: date, over_budget: bool) -> Budget:
    """Return what the month of a UTC day has left, by the logs of all sources; no limit holds if `over_budget`."""
    limits = Limits() if over_budget else settings.limits
    used = request_log.used(lake.home.of_each_source, day) if limits.limit_something else Used()
    return Budget(limits, used, day=day)
