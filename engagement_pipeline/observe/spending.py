"""How much of the limits of a month is used: a warning from 80 % on.

In: the settings and a UTC day. Out: a line for each limit that is near, and a Verdict. Nothing is changed or asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engagement_pipeline.core import spend
from engagement_pipeline.lake import request_log
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.observe.verdict import Verdict

if TYPE_CHECKING:
    from datetime import date

    from engagement_pipeline.core.settings import Settings

NO_LIMIT = "no limit of a month is set, so none is near"


def nearing(settings: Settings, *, day: date) -> dict[str, str]:
    """Return by setting a line for each limit of the day's month of which at least 80 % are used."""
    if not settings.limits.limit_something:
        return {}
    used = request_log.used(Lake(settings.data).of_each_source, day)
    return spend.warnings(settings.limits, used, day=day)


def within(settings: Settings) -> Verdict:
    """Tell whether less than 80 % of each limit of this month are used."""
    near = nearing(settings, day=settings.current_time().date())
    far = "less than 80 % of each limit of this month are used" if settings.limits.limit_something else NO_LIMIT
    return Verdict(passed=not near, words="; ".join(near.values()) or far)
