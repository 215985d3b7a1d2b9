"""The numbers of a view, from the marts by SQL alone.

In: a lake and a View. Out: Figures: rows as dictionaries, with Tweet IDs as text. A count that is not known is None,
and never 0.

A UTC hour belongs to the day and the hour of a time zone in which it begins, as in `local_days` and `hour_of_week`.
They sum up the whole lake; here it is the hours of a range.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from engagement_pipeline.core.errors import InputError
from engagement_pipeline.explore.view import DEFAULT_ZONE, MOST_TWEETS
from engagement_pipeline.query import catalog
from engagement_pipeline.query.views import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from engagement_pipeline.explore.view import View
    from engagement_pipeline.lake.layout import Lake

Row = dict[str, Any]

TOP = 10  # Tweets
EACH_HOUR = 48  # hours of a curve that are all told; of later ones, each sixth
LATER = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a view shows.

    as_of: when the newest request was sent that gave counts of the range; None if none did.
    days: each day of the range in its time zone: `day`, `complete`, and a column a metric.
    hours: by metric, weekday and hour of the time zone, over complete days: `count`, `hours`, `per_hour`.
    top: the Tweets with the highest count of the first metric. The columns of `tweets` are there as `roster_…`.
    ages: of the chosen Tweets, or of the first of `top`: what each had come to at an age, with its `number` from 1 on.
    trust: the UTC days of the range by handle, as `completeness` has them.
    settled: by metric and age in days: the share of the present value, of the same days at each age and all handles.
    """

    as_of: datetime | None
    days: list[Row]
    hours: list[Row]
    top: list[Row]
    ages: list[Row]
    trust: list[Row]
    settled: list[Row]

    def total(self, metric: str) -> int | None:
        """Return the sum of a metric over the range; None if no day has a count."""
        counts = [row[metric] for row in self.days if row[metric] is not None]
        return sum(counts) if counts else None

    @property
    def complete(self) -> int:
        """How many days of the range are complete."""
        return sum(row["complete"] for row in self.days)


def figures(lake: Lake, view: View) -> Figures:
    """Ask the marts for a view.

    Raises InputError if there is no lake, or if it has not the chosen Tweets. Raises LakeError if a file is damaged.
    """
    (found,) = catalog.query(lake, _whole(view)).to_pylist()
    if lacking := [tweet for tweet in view.tweets if str(tweet) not in found["known"]]:
        raise InputError(f"the lake has no Tweet {lacking[0]} of {_whose(view)}: choose another Tweet")
    top = _wide(view, found["top"])
    compared = [str(tweet) for tweet in view.tweets] or [row["tweet_id"] for row in top[:MOST_TWEETS]]
    (detailed,) = catalog.query(lake, _of_tweets(view, compared, [row["tweet_id"] for row in top])).to_pylist()
    short = {row["tweet_id"]: row["days"] for row in detailed["short"]}
    aged = {row["tweet_id"] for row in detailed["ages"]}
    numbers = {tweet: number for number, tweet in enumerate((t for t in compared if t in aged), start=1)}
    sums = {(row["day"], row["engagement_type"]): row["total"] for row in found["sums"]}
    return Figures(
        as_of=found["as_of"],
        days=[row | {name: sums.get((row["day"], name)) for name in view.metrics} for row in found["days"]],
        hours=found["hours"],
        top=[row | {"days_incomplete": short.get(row["tweet_id"], 0)} for row in top],
        ages=[row | {"number": numbers[row["tweet_id"]]} for row in detailed["ages"]],
        trust=found["trust"],
        settled=found["settled"],
    )


def _whose(view: View) -> str:
    return " or ".join(f"@{handle}" for handle in view.handles) or "an account of the roster"


def _wide(view: View, tall: Iterable[Row]) -> list[Row]:
    """Return a row a Tweet, with a column a metric, in the order of the first metric."""
    rows: dict[str, Row] = {}
    for row in tall:
        facts = {name: value for name, value in row.items() if name not in {"engagement_type", "total"}}
        wide = rows.setdefault(row["tweet_id"], facts | dict.fromkeys(view.metrics))
        wide[row["engagement_type"]] = row["total"]
    known = (row for row in rows.values() if row[view.metrics[0]] is not None)
    return sorted(known, key=lambda row: (-row[view.metrics[0]], int(row["tweet_id"])))


def _whole(view: View) -> str:
    """Return the query for all but what is asked of a few Tweets."""
    ranked = f"""
        select tweet_id
        from by_tweet
        where engagement_type = {quoted(view.metrics[0])}
        order by total desc, tweet_id
        limit {TOP}
        """
    lists = (f"array(select q from ({question}) as q) as {name}" for name, question in QUESTIONS.items())
    return f"""
        with {_named(view)}, ranked as ({ranked})
        select
            (select coalesce(array_agg(tweet_id::varchar), []) from owned) as known,
            (select max(pulled_at) from asked) as as_of,
            {", ".join(lists)}
        """


def _named(view: View) -> str:
    """Return what the questions read: the Tweets, their counts of the range, and which UTC days are whole."""
    owned = f"handle in ({_listed(view.handles)})" if view.handles else "handle is not null"
    tweets = f"and tweet_id in ({', '.join(map(str, view.tweets))})" if view.tweets else ""
    first, last = f"date {quoted(view.first)}", f"date {quoted(view.last)}"
    days = f"day between {first} - 1 and {last} + 1"  # of UTC, for any time zone
    metrics = f"engagement_type in ({_listed(view.metrics)})"
    of_handles = f"{owned} and {metrics} and {days}"
    counted = _of_tweets_counted(metrics, days) if view.tweets else _of_handles_counted(view, metrics, of_handles)
    return f"""
        moments as (
            select day, hour::int as hour, {HOUR} as number,
                (day + hour * interval 1 hour) at time zone 'UTC' at time zone {quoted(view.zone)} as local_time
            from (select unnest(generate_series({first} - 1, {last} + 1, interval 1 day))::date as day)
            cross join range(24) as of_a_day(hour)
        ),
        grid as (select * from moments where local_time::date between {first} and {last}),
        owned as (
            select *, greatest(coalesce(floor(epoch(posted_at) / 3600), 0)::int, begins) as begins
            from tweets
            cross join (select min(number) as begins, max(number) as ends from grid)
            where {owned} {tweets}
        ),
        {counted},
        asked as (
            select pulled_at
            from coverage
            join (select tweet_id from owned) using (tweet_id)
            where table_name = 'engagements' and {days}
        ),
        trusted as (select * from completeness where {owned} and {days}),
        whole as ({_whole_tweets(view, days) if view.tweets else WHOLE}),
        settling_down as (select * from settling where {metrics} and day between {first} and {last})
        """


def _of_tweets_counted(metrics: str, days: str) -> str:
    """Return the queries for the counts of chosen Tweets: by hour, and by Tweet."""
    return f"""
        counted as (
            select engagement_type, tweet_id, day, hour, sum("count") as total
            from (select * from engagements where {metrics} and {days})
            join (select tweet_id, begins, ends from owned) using (tweet_id)
            where {HOUR} between begins and ends
            group by grouping sets ((engagement_type, tweet_id), (engagement_type, day, hour))
        ),
        by_hour as (select engagement_type, day, hour, local_time, total from counted join grid using (day, hour)),
        by_tweet as (select engagement_type, tweet_id, total from counted where tweet_id is not null)
        """


def _of_handles_counted(view: View, metrics: str, of_handles: str) -> str:
    """Return the same for all Tweets of handles, from the sums that the lake keeps.

    Of the days at the ends of a range in another zone than UTC, only some hours count.
    """
    day = timedelta(days=1)
    in_utc = view.zone == DEFAULT_ZONE
    first, last = (view.first, view.last) if in_utc else (view.first + day, view.last - day)
    ends = set() if in_utc else {view.first - day, view.first, view.last, view.last + day}
    wide = [
        f"select {quoted(name)} as engagement_type, tweet_id, {name} as total from daily_wide "
        f"where day between date {quoted(first)} and date {quoted(last)}"
        for name in view.metrics
    ]
    hours = f"""
        select engagement_type, tweet_id, "count" as total
        from (select * from engagements where {metrics} and day in ({", ".join(f"date {quoted(d)}" for d in ends)}))
        join grid using (day, hour)
        join (select tweet_id, begins from owned) using (tweet_id)
        where {HOUR} >= begins
        """
    return f"""
        by_hour as (
            select engagement_type, day, hour, local_time, sum("count") as total
            from (select * from handle_hourly where {of_handles})
            join grid using (day, hour)
            group by engagement_type, day, hour, local_time
        ),
        by_tweet as (
            select engagement_type, tweet_id, sum(total) as total
            from ({" union all ".join([*wide, hours] if ends else wide)})
            join (select tweet_id from owned) using (tweet_id)
            where total is not null
            group by engagement_type, tweet_id
        )
        """


HOUR = "(day - date '1970-01-01') * 24 + hour"  # the number of an hour
WHOLE = "select day, bool_and(trusted) as whole from trusted group by day"


def _whole_tweets(view: View, days: str) -> str:
    """Return the query for the UTC days that are complete for each chosen Tweet that had been posted by then."""
    return f"""
        select day, count(*) filter (complete) = any_value(number) as whole
        from (
            select day, count(*) as number
            from (select distinct day from grid)
            join owned on coalesce((posted_at at time zone 'UTC')::date, date '1970-01-01') <= day
            group by day
        )
        join (
            select day, complete from tweet_daily where tweet_id in ({", ".join(map(str, view.tweets))}) and {days}
        ) using (day)
        group by day
        """


DAYS = """
select local_time::date as day, bool_and(coalesce(whole, false)) as complete
from grid
left join whole using (day)
group by local_time::date
order by local_time::date
"""
SUMS = """
select local_time::date as day, engagement_type, sum(total)::bigint as total
from by_hour
group by local_time::date, engagement_type
"""
HOURS = """
select
    engagement_type, isodow(local_time) as weekday, hour(local_time) as hour, sum(total)::bigint as "count",
    count(*) as hours, sum(total) / count(*)::double as per_hour
from by_hour
join whole using (day)
where whole
group by engagement_type, isodow(local_time), hour(local_time)
order by engagement_type, weekday, hour
"""
TOP_TWEETS = """
select
    summed.tweet_id::varchar as tweet_id, summed.engagement_type, summed.total::bigint as total,
    owned.handle, owned.posted_at, columns(owned.*) as 'roster_\\0'
from by_tweet as summed
join owned on owned.tweet_id = summed.tweet_id
where summed.tweet_id in (select tweet_id from ranked)
"""
TRUST = """
select handle, day, expected, stored, partial, set_aside, failed, not_asked, old, reason, trusted
from trusted
where day in (select day from grid)
order by handle, day
"""
# At each age the same days, or the end of a curve would be of other days than its beginning: those with the most ages.
SETTLED = """
with known as (
    select engagement_type, day, array_agg(age order by age) as ages
    from settling_down
    group by engagement_type, day
),
alike as (
    select engagement_type, ages, array_agg(day) as days
    from known
    group by engagement_type, ages
),
cohort as (
    select engagement_type, unnest(arg_max(days, {'ages': len(ages), 'days': len(days), 'last': list_max(days)})) as day
    from alike
    group by engagement_type
)
select
    engagement_type, age, count(*) as days, sum("count")::bigint as "count", sum(present)::bigint as present,
    sum("count") / nullif(sum(present), 0)::double as share
from settling_down
join cohort using (engagement_type, day)
group by engagement_type, age
order by engagement_type, age
"""
QUESTIONS = {
    "days": DAYS,
    "sums": SUMS,
    "hours": HOURS,
    "top": TOP_TWEETS,
    "trust": TRUST,
    "settled": SETTLED,
}


def _of_tweets(view: View, compared: Iterable[str], top: Iterable[str]) -> str:
    """Return the query for the curves of some Tweets, and for the days of the top Tweets that are not complete."""
    days = f"day between date {quoted(view.first)} and date {quoted(view.last)}"
    told = f"age_hours < {EACH_HOUR} or (age_hours + 1) % {LATER} = 0"
    return f"""
        select
            array(select q from (
                select engagement_type, tweet_id::varchar as tweet_id, age_hours + 1 as hours, cumulative
                from tweet_age
                where engagement_type in ({_listed(view.metrics)}) and covered and ({told})
                    and tweet_id in ({", ".join(compared) or "null"})
                order by all
            ) as q) as ages,
            array(select q from (
                select tweet_id::varchar as tweet_id, count(*) as days
                from tweet_daily
                where {days} and not complete and tweet_id in ({", ".join(top) or "null"})
                group by tweet_id
            ) as q) as short
        """


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(map(quoted, texts))
