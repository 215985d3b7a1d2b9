"""A run over some UTC days, told day by day: what the lake now holds of each, or what is wrong with it.

In: Settings and the days that a run covers. Out: one Days. An orchestrator shows each day by itself, so one damaged
file makes one day fail, and the reason stands beside it; the rest of the run is published and told as ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engagement_pipeline import catalog, checks, pipeline
from engagement_pipeline.day_report import DayReport, describe
from engagement_pipeline.errors import EngagementError, InputError, PublishError
from engagement_pipeline.lake import Lake
from engagement_pipeline.metrics import HISTORICAL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from engagement_pipeline.catalog import Ask
    from engagement_pipeline.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """What came of each day of a run: it is in `reports` or in `failures`.

    `elsewhere` are days outside the run that could not be published.
    """

    reports: dict[date, DayReport]
    failures: dict[date, EngagementError]
    elsewhere: dict[date, EngagementError]


def publish(settings: Settings, days: Sequence[date]) -> Days:
    """Publish whatever has landed, and look at each of these days; raises LakeError where nothing can be published."""
    lake = Lake(settings.data)
    unpublished: dict[date, EngagementError] = {}
    try:
        pipeline.publish_landed(settings)
    except PublishError as error:
        unpublished |= error.failures
    failures = {day: unpublished.pop(day) for day in days if day in unpublished}
    reports = {}
    with catalog.by_day(lake) as ask:
        for day in days:
            try:
                if day not in failures:
                    reports[day] = _report(lake, day, ask)
            except EngagementError as error:
                failures[day] = error
    return Days(reports=reports, failures=failures, elsewhere=unpublished)


def _report(lake: Lake, day: date, ask: Ask) -> DayReport:
    if not lake.coverage(HISTORICAL, day).exists() and (not lake.tweets.exists() or checks.unaccounted(day, ask)):
        raise InputError(f"nothing has landed for {day}: materialize responses first")
    return describe(lake, day, ask)
