"""Whoever asks takes turns: one program an app, and one a lake.

In: the settings, and the lake that the answers or the log of requests are for. Out: a context that is entered when the
turn has come.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from engagement_pipeline.lake.layout import PULL_LOCK
from engagement_pipeline.transport import app_lock

if TYPE_CHECKING:
    from collections.abc import Iterator

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
