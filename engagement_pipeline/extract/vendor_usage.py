"""Ask X how many Posts it counts as read, to be put beside our own count.

In: the settings. Out: the vendor's counts. It costs one request, and none of the Posts.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from engagement_pipeline.extract import drift, turn
from engagement_pipeline.lake import request_log
from engagement_pipeline.lake.clock import Clock
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.sources.x_api_v2 import usage
from engagement_pipeline.transport import accounts
from engagement_pipeline.transport.client import Client
from engagement_pipeline.transport.patience import Patience
from engagement_pipeline.transport.rate_limit import RateLimiter

if TYPE_CHECKING:
    from engagement_pipeline.core.settings import Settings
    from engagement_pipeline.sources.x_api_v2.usage import Usage

REQUESTS_PER_MINUTE = 600  # of which one is sent


def ask(settings: Settings) -> Usage:
    """Ask once, with the app's bearer token, which is fetched if the accounts file has none.

    Waits until no other process asks with the same accounts file. Raises the error of a request that fails, and
    OverBudgetError if the month has no request left.
    """
    known, home = accounts.load(settings.accounts), Lake(settings.data)
    home.open()
    with turn.held(settings, home, what="a look at the usage that X counts"):
        clock = Clock.of(home, machine=settings.current_time)
        day = clock().date()
        with Client(
            usage,
            known,
            api_url=settings.x_api_url,
            auth_url=settings.auth_url,
            rate_limiter=RateLimiter(REQUESTS_PER_MINUTE),
            patience=Patience(0),
            tries=1,
            timeout_seconds=settings.timeout_seconds,
            log=partial(request_log.write, home, limits=settings.limits),
            look=partial(drift.look_at_all, home.storage),
            lake_now=clock,
            budget=turn.budget(settings, home, day=day, over_budget=False),
        ) as client:
            return usage.read(client.ask(usage.usage(day)).body, day)
