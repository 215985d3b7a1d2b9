"""The numbers of a report, from the marts by SQL alone.

In: a lake, a handle and a UTC month. Out: Figures: rows as dictionaries, with Tweet IDs as text. A count that is not
known is None, and never 0. Rates are sums divided by sums, of the Tweets that have both counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from engagement_pipeline.core.days import month_ends
from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.query import catalog
from engagement_pipeline.query.views import all_views, quoted

if TYPE_CHECKING:
    from engagement_pipeline.lake.layout import Lake

Row = dict[str, Any]

TOP = 10  # Tweets
COHORT_HOURS = 168  # all Tweets of a curve are known so long, or its end would be of other Tweets than its beginning
(TWEET_DAILY,) = (view for view in all_views() if view.name == "tweet_daily")
METRICS = tuple(name for name in TWEET_DAILY.columns if name in {*HISTORICAL.types, "public_engagements"})
RATES = {
    "engagement_rate": ("engagements", "impressions"),
    "public_engagement_rate": ("public_engagements", "impressions"),
    "url_click_rate": ("url_clicks", "impressions"),
    "video_view_rate": ("video_views", "impressions"),
    "media_engagement_rate": ("media_engagements", "media_views"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """A UTC month, by its first day."""

    first: date

    @property
    def last(self) -> date:
        """The last day, included."""
        return month_ends(self.first)

    @property
    def before(self) -> Month:
        """The month before."""
        return Month(first=(self.first - timedelta(days=1)).replace(day=1))

    @property
    def days(self) -> list[date]:
        """Each day of the month."""
        return [self.first.replace(day=number + 1) for number in range(self.last.day)]

    def __str__(self) -> str:
        return f"{self.first:%B %Y}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is known of a handle's month.

    tweets: how many Tweets of the handle the lake knows at all.
    posted, posted_before: how many of them were posted in the month, and in the month before.
    as_of: when the newest request was sent that gave counts of the month; None if none did.
    days, before: the days of the month and of the month before, as `handle_daily` has them.
    sums: of each metric, the sum of the month, that of the month before, and the change of the mean day.
    rates: of each rate, the same; the change is in points: 0.01 is one percentage point.
    top: the Tweets with the most impressions. The columns of `tweets` are there as `roster_…`.
    hours: impressions by hour of the week, of complete days alone.
    ages: the median of impressions by hours since posting, of the Tweets of both months with a whole first week.
    trust: the days of the month, as `completeness` has them.
    missing: what `missing` has of the handle now.
    """

    handle: str
    month: Month
    tweets: int
    posted: int
    posted_before: int
    as_of: datetime | None
    days: list[Row]
    before: list[Row]
    sums: list[Row]
    rates: list[Row]
    top: list[Row]
    hours: list[Row]
    ages: list[Row]
    trust: list[Row]
    missing: list[Row]

    @property
    def complete(self) -> int:
        """How many days of the month are complete."""
        return sum(row["complete"] for row in self.days)

    @property
    def complete_before(self) -> int:
        """How many days of the month before are complete."""
        return sum(row["complete"] for row in self.before)

    @property
    def comparable(self) -> bool:
        """Whether both months are complete, so that a difference is a change."""
        whole = self.complete == len(self.month.days)
        return whole and self.complete_before == len(self.month.before.days)


def figures(lake: Lake, handle: str, month: Month) -> Figures:
    """Ask the marts for a handle's month, all at once: so its numbers are of the same moment.

    Raises InputError if there is no lake. Raises LakeError if a file is damaged.
    """
    lists = (f"array(select q from ({question}) as q) as {name}" for name, question in QUESTIONS.items())
    sql = f"with {_named(handle, month)} select {KNOWN}, {', '.join(lists)}"
    (found,) = catalog.query(lake, sql).to_pylist()
    days = found.pop("days")
    return Figures(
        handle=handle,
        month=month,
        days=[row for row in days if row["day"] >= month.first],
        before=[row for row in days if row["day"] < month.first],
        **found,
    )


def _named(handle: str, month: Month) -> str:
    """Return what the questions read: the handle's rows of both months, and whether these months are whole."""
    owned = f"handle = {quoted(handle)}"
    both = f"{owned} and day between date {quoted(month.before.first)} and date {quoted(month.last)}"
    current = f"day >= date {quoted(month.first)}"
    lengths = f"{len(month.days)} as days, {len(month.before.days)} as days_before"
    return f"""
        of_tweets as (select *, {current} as current from tweet_daily where {both}),
        of_handle as (select *, {current} as current from handle_daily where {both}),
        months as (
            select
                {lengths},
                count(*) filter (complete and current) = {len(month.days)}
                    and count(*) filter (complete and not current) = {len(month.before.days)} as comparable
            from of_handle
        ),
        owned as (select * from tweets where {owned}),
        posted as (
            select tweet_id, (posted_at at time zone 'UTC')::date >= date {quoted(month.first)} as current
            from owned
            where (posted_at at time zone 'UTC')::date
                between date {quoted(month.before.first)} and date {quoted(month.last)}
        ),
        trust as (select * from completeness where {both} and {current}),
        gone as (select * from missing where {owned})
        """


def _summed(name: str, other: str) -> str:
    """Return the sum of a metric over the rows that have another one too."""
    return f"sum({name}) filter ({other} is not null)"


KNOWN = """
    (select count(*) from owned) as tweets,
    (select count(*) from posted where current) as posted,
    (select count(*) from posted where not current) as posted_before,
    (select max(pulled_at) from of_tweets where current) as as_of
"""
DAYS = """
select day, complete, tweets, measured, active, posted, impressions, engagements, engagement_rate
from of_handle
order by day
"""
SUMS = f"""
with tall as (
    select
        current, unnest([{", ".join(map(quoted, METRICS))}]) as metric,
        unnest([{", ".join(f"sum({name})::bigint" for name in METRICS)}]) as total,
        unnest(range({len(METRICS)})) as place
    from of_tweets
    group by current
),
paired as (
    select place, metric, max(total) filter (current) as total, max(total) filter (not current) as before
    from tall
    group by place, metric
)
select
    metric, total, before,
    case when comparable and before > 0 then (total / days) / (before / days_before) - 1 end as change
from paired
cross join months
order by place
"""
RATED = f"""
with tall as (
    select
        current, unnest([{", ".join(map(quoted, RATES))}]) as rate,
        unnest([{", ".join(f"{_summed(*parts)}::bigint" for parts in RATES.values())}]) as above,
        unnest([{", ".join(f"{_summed(*reversed(parts))}::bigint" for parts in RATES.values())}]) as below,
        unnest(range({len(RATES)})) as place
    from of_tweets
    group by current
),
rated as (
    select *, case when below > 0 then above / below::double end as value
    from tall
),
paired as (
    select
        place, rate, max(above) filter (current) as above, max(below) filter (current) as below,
        max(value) filter (current) as value, max(value) filter (not current) as before
    from rated
    group by place, rate
)
select rate, above, below, value, before, case when comparable then value - before end as change
from paired
cross join months
order by place
"""
TOP_TWEETS = f"""
with summed as (
    select
        tweet_id, sum(impressions)::bigint as impressions, sum(engagements)::bigint as engagements,
        {_summed("engagements", "impressions")} / nullif({_summed("impressions", "engagements")}, 0)::double as rate,
        count(*) filter (not complete) as days_incomplete
    from of_tweets
    where current
    group by tweet_id
)
select
    summed.tweet_id::varchar as tweet_id, summed.impressions, summed.engagements, summed.rate,
    summed.days_incomplete, owned.posted_at, columns(owned.*) as 'roster_\\0'
from summed
join owned on owned.tweet_id = summed.tweet_id
where summed.impressions is not null
order by summed.impressions desc, summed.tweet_id
limit {TOP}
"""
HOURS = """
with counted as (
    select day, hour, sum("count") as seen
    from engagements
    join (select tweet_id, posted_at from owned) using (tweet_id)
    join (select day from of_handle where current and complete) using (day)
    where engagement_type = 'impressions'
        and coalesce((day + (hour + 1) * interval 1 hour) at time zone 'UTC' > posted_at, true)
    group by day, hour
)
select
    isodow(day) as weekday, hour::int as hour, sum(seen)::bigint as "count", count(*) as hours,
    sum(seen) / count(*)::double as per_hour
from counted
group by isodow(day), hour
order by weekday, hour
"""
AGES = f"""
with aged as (
    select tweet_id, age_hours + 1 as hours, cumulative
    from tweet_age
    where engagement_type = 'impressions' and covered and age_hours < {COHORT_HOURS}
        and tweet_id in (select tweet_id from posted)
)
select current, hours, median(cumulative) as median, count(*) as tweets
from aged
join posted using (tweet_id)
where tweet_id in (select tweet_id from aged where hours = {COHORT_HOURS})
group by current, hours
order by current desc, hours
"""
TRUST = """
select day, expected, stored, partial, set_aside, failed, not_asked, old, reason, trusted
from trust
order by day
"""
MISSED = """
select tweet_id::varchar as tweet_id, endpoint, reason, text, since, next_try, days_held
from gone
order by since desc, gone.tweet_id, endpoint
"""
QUESTIONS = {
    "days": DAYS,
    "sums": SUMS,
    "rates": RATED,
    "top": TOP_TWEETS,
    "hours": HOURS,
    "ages": AGES,
    "trust": TRUST,
    "missing": MISSED,
}
