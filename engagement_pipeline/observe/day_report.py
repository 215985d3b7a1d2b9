"""What the lake holds of one UTC day of /historical: the numbers that an operator needs, and a few of the rows.

In: a lake and a day. Out: a DayReport. It reads only the files of that day, and the hours of the day before. A damaged
file of another day does no harm.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow.compute as pc

from engagement_pipeline.core.dated import A_DAY
from engagement_pipeline.core.errors import EngagementError
from engagement_pipeline.core.tables import COVERAGE, ENGAGEMENTS, REVISIONS
from engagement_pipeline.lake.parquet import read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engagement_pipeline.lake.layout import Lake
    from engagement_pipeline.query.by_day import AskDay

TOP_TWEETS = 10
SHOWN_ROWS = 10
REPORT = f"""
    with asked as (select * from coverage where table_name = '{ENGAGEMENTS}'),
    top as (
        select
            tweet_id::varchar as tweet_id, coalesce(handle, '') as handle,
            coalesce(sum("count") filter (engagement_type = 'impressions'), 0)::bigint as impressions,
            coalesce(sum("count") filter (engagement_type = 'engagements'), 0)::bigint as engagements
        from engagements left join tweets using (tweet_id)
        group by all
        order by impressions desc, engagements desc, tweet_id
        limit {TOP_TWEETS}
    ),
    largest as (
        select tweet_id::varchar as tweet_id, engagement_type::varchar as engagement_type, day::varchar as day,
            hour::integer as hour, "count"
        from engagements
        order by "count" desc, engagements.tweet_id, engagement_type, hour
        limit {SHOWN_ROWS}
    )
    select
        (select count(*) from engagements) as rows,
        (select count(*) from asked where outcome = 'stored') as tweets,
        (
            select map(list(outcome order by outcome), list(n order by outcome))
            from (select outcome, count(*) as n from asked where outcome <> 'stored' group by outcome)
        ) as set_aside,
        (select count(*) from asked where left_out is not null) as left_out,
        (select count(distinct source) from asked) as requests,
        (select list(top order by impressions desc, engagements desc, tweet_id) from top) as top,
        (select list(largest order by "count" desc, tweet_id, engagement_type, hour) from largest) as largest
"""
BY_HOUR = """
    select
        list(coalesce(impressions, 0)::bigint order by hour) as impressions,
        list(coalesce(engagements, 0)::bigint order by hour) as engagements
    from range(24) as of_day(hour) left join (
        select
            hour,
            sum("count") filter (engagement_type = 'impressions') as impressions,
            sum("count") filter (engagement_type = 'engagements') as engagements
        from engagements group by hour
    ) using (hour)
"""


class Hours(NamedTuple):
    """The impressions and the engagements of all Tweets in each of a day's 24 hours."""

    impressions: tuple[int, ...] = (0,) * 24
    engagements: tuple[int, ...] = (0,) * 24


@dataclass(frozen=True, slots=True, kw_only=True)
class DayReport:
    """What the lake holds of one day; all fields are zero or empty if nothing was asked for it.

    `tweets` counts the Tweets for which the newest response gave rows. `set_aside` counts the other Tweets that were
    asked for, by reason; the reason of some is that no answer came. `left_out` counts the Tweets with a count that
    their newest answer left out. `requests` counts the responses that the rows come from. `restated` counts what the
    newest of their pulls changed. `hours` are the counts by hour, and `before` those of the day before, all zero if
    they are not known. `top` are the Tweets with the most impressions. `largest` are the rows with the largest counts.
    `bytes` is the size of the rows' file.
    """

    rows: int
    tweets: int
    set_aside: Mapping[str, int]
    left_out: int
    requests: int
    impressions: int
    restated: int
    bytes: int
    hours: Hours
    before: Hours
    top: tuple[Mapping[str, Any], ...]
    largest: tuple[Mapping[str, Any], ...]


def describe(lake: Lake, day: date, ask: AskDay) -> DayReport:
    """Return what the lake holds of `day`, with `ask` of by_day.by_day; raise LakeError if a file of it is damaged."""
    (found,) = ask(day, REPORT).to_pylist()
    hours = _by_hour(day, ask)
    try:
        before = _by_hour(day - timedelta(days=1), ask)
    except EngagementError:  # the report of that day says so
        before = Hours()
    rows = lake.rows(ENGAGEMENTS, day)
    return DayReport(
        **found
        | {
            "set_aside": dict(found["set_aside"] or ()),
            "top": tuple(found["top"] or ()),
            "largest": tuple(found["largest"] or ()),
        },
        impressions=sum(hours.impressions),
        hours=hours,
        before=before,
        restated=restated(lake, day),
        bytes=lake.storage.size(rows),
    )


def _by_hour(day: date, ask: AskDay) -> Hours:
    (found,) = ask(day, BY_HOUR).to_pylist()
    return Hours(tuple(found["impressions"]), tuple(found["engagements"]))


def changed_at(lake: Lake) -> dict[date, float]:
    """Return when each day that was asked for was last published or rebuilt, in seconds since 1970."""
    asked = lake.storage.find(f"day={A_DAY}", within=lake.coverage(lake.hourly, date.min).parent.parent)
    days = [date.fromisoformat(folder.name.removeprefix("day=")) for folder in asked]
    files = {day: (lake.coverage(lake.hourly, day), lake.rows(ENGAGEMENTS, day)) for day in days}
    return {day: max(map(lake.storage.changed_at, paths)) for day, paths in files.items()}


def restated(lake: Lake, day: date) -> int:
    """Return how many counts of the day the pull with the newest rows changed."""
    served = read(lake, lake.coverage(lake.hourly, day), COVERAGE, columns=["pulled_at", "source"]).drop_null()
    if not served.num_rows:
        return 0
    newest = served["source"][pc.index(served["pulled_at"], pc.max(served["pulled_at"])).as_py()].as_py()
    window, started = newest.split("/")[-3:-1]
    files = lake.storage.find(f"revisions/pulled_on={A_DAY}/{window}_{started}.parquet")
    of_day = pc.field("day") == day
    return sum(read(lake, file, REVISIONS, filters=of_day, columns=["day"]).num_rows for file in files)
