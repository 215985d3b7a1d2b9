"""Is the lake up to date? Every day that the last daily run should have filled is looked at.

In: a lake and the settings. Out: one Verdict, in words. Nothing is changed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from engagement_pipeline.core.orchestration import MAX_RUNTIME
from engagement_pipeline.core.tables import ENGAGEMENTS
from engagement_pipeline.core.words import first_few
from engagement_pipeline.observe import accounted
from engagement_pipeline.observe.verdict import Verdict
from engagement_pipeline.query import by_day

if TYPE_CHECKING:
    from engagement_pipeline.core.settings import Settings
    from engagement_pipeline.lake.layout import Lake

SERVED = f"""
    select distinct tweet_id from coverage
    where table_name = '{ENGAGEMENTS}' and first_pulled_at <= timestamptz '{{due}}'
"""


def fresh(lake: Lake, settings: Settings) -> Verdict:
    """Tell whether every day that the last daily run should have filled is complete.

    A day is complete if it has every Tweet that the API had served before that run was due. It must also have some
    answer, if the roster had Tweets. Tweets that joined the roster later are for the next run.
    """
    daily_at = timedelta(hours=settings.daily_at.hour, minutes=settings.daily_at.minute)
    last = (settings.current_time() - daily_at - MAX_RUNTIME).date() - timedelta(days=1)
    first = settings.look_back_day()  # that the newest daily run asks for
    days = [first + timedelta(days=place) for place in range((last - first).days + 1)]
    missing = days
    if lake.storage.exists(lake.tweets):
        with by_day.by_day(lake, threads=settings.most_workers()) as ask:
            lacking = {day: {row["tweet_id"] for row in accounted.unaccounted(day, ask, settings)} for day in days}
            due = datetime.combine(last + timedelta(days=1), settings.daily_at, UTC)
            served: set[int] = set()
            with_answers = {day for day in days if lacking[day] and accounted.answered(day, ask)}
            for day in days if any(lacking.values()) else ():
                served |= {*ask(day, SERVED.format(due=due))["tweet_id"].to_pylist()}
        missing = [day for day, tweets in lacking.items() if tweets & served or (tweets and day not in with_answers)]
    if not missing:
        return Verdict(passed=True, words=f"the {len(days)} days to {last} are complete")
    words = f"Tweets of the roster are missing on {len(missing)} of the {len(days)} days to {last}: "
    words += f"{first_few(missing)}; the next daily run pulls them, unless their account fails: "
    words += "then engagement check says why"
    return Verdict(passed=False, words=words, numbers={"missing": len(missing)})
