"""Whoever asks takes turns, one program an app and one a lake, and keeps within what the month may use.

In: the settings, and the lake that the answers or the log of requests are for. Out: a context that is entered when the
turn has come, and the Budget for this turn.

    accounts.toml.lock            the app's turn on one machine: a file (app_lock.py)
    app_lock/.app-NUMBER.lock     the same for all machines, where the setting app_lock names a place in a bucket. The
                                  number changes with the app's key, and does not reveal it
    lake/.pull.lock               the lake's turn: where the lake lies in a bucket, for all machines too
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from engagement_pipeline.core.spend import Limits, Used
from engagement_pipeline.lake import request_log
from engagement_pipeline.lake.layout import PULL_LOCK
from engagement_pipeline.lake.storages import storage_of
from engagement_pipeline.transport import accounts, app_lock
from engagement_pipeline.transport.budget import Budget

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from datetime import date

    from engagement_pipeline.core.settings import Settings
    from engagement_pipeline.lake.layout import Lake


@contextmanager
def held(settings: Settings, lake: Lake, *, what: str) -> Iterator[None]:
    """Hold the app's lock, for the rate, and the lake's: pulls of two apps would resume each other's pulls.

    A lake within another is locked with that: the roster is there. Pulls into one lake take turns by its lock alone, so
    only who has several lakes, and pulls with one app from several machines, needs the setting app_lock.
    """
    with _of_app(settings, what=what), ExitStack() as stack:
        for each in dict.fromkeys((lake.home, lake)):
            stack.enter_context(each.locked(PULL_LOCK, "another pull", what=app_lock.holder(what)))
        yield


def _of_app(settings: Settings, *, what: str) -> AbstractContextManager[None]:
    """Return the app's turn.

    A holder that was taken for dead may go on. What it has asked for still lands. If its lake lies in a bucket too, it
    stops when it next settles a response: that is refused once a lock has lapsed. Until then, two share the rate.
    """
    if settings.app_lock is None:
        return app_lock.held(settings.accounts, what=what)
    key = accounts.glance(settings.accounts).app.consumer_key
    return storage_of(settings.app_lock).lock(
        f"app-{accounts.digest(key)}", what=app_lock.holder(what), waiting=app_lock.tell
    )


def budget(settings: Settings, lake: Lake, *, day: date, over_budget: bool) -> Budget:
    """Return what the month of a UTC day has left, by the logs of all sources; no limit holds if `over_budget`."""
    limits = Limits() if over_budget else settings.limits
    used = request_log.used(lake.home.of_each_source, day) if limits.limit_something else Used()
    return Budget(limits, used, day=day)
