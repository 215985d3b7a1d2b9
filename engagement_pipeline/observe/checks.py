"""Is a published day right? Each check looks at one UTC day of /historical and says in words what it found.

In: a lake and a day. A check asks SQL of that day's files, and of the day before if it compares. Out: one Verdict a
check. No check changes anything. The audit of a response comes before it is published (flatten.py). So these checks
find what went wrong since then, or what is missing.

A `blocking` check finds wrong rows: nothing should be built on the day. The others find what a person should look at.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from engagement_pipeline.core.errors import EngagementError, refused_by_system
from engagement_pipeline.core.model import posted_at
from engagement_pipeline.core.tables import ENGAGEMENTS, UNANSWERED
from engagement_pipeline.core.words import first_few
from engagement_pipeline.lake.layout import Lake, judged
from engagement_pipeline.lake.parquet import opened
from engagement_pipeline.observe.accounted import unaccounted, why
from engagement_pipeline.observe.day_report import restated
from engagement_pipeline.observe.verdict import Verdict
from engagement_pipeline.query import by_day
from engagement_pipeline.query.views import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from engagement_pipeline.core.settings import Settings
    from engagement_pipeline.query.by_day import AskDay

ALIVE = 100  # impressions of a handle on a day, with so many, none on the next day is no chance
DUPLICATES = """
    with crowded as (  -- 24 times fewer groups than keys
        select tweet_id, engagement_type from engagements
        group by all having count(*) <> bit_count(bit_or(1::bigint << least(greatest(hour, 0), 62)))
    )
    select tweet_id, engagement_type, hour from engagements semi join crowded using (tweet_id, engagement_type)
    group by all having count(*) > 1 order by all
"""
STRANGE = """
    select
        count(*) filter (day <> {day}) as of_other_days,
        count(*) filter (hour not between 0 and 23) as of_no_hour,
        count(*) filter (engagement_type not in ({types})) as of_unknown_types
    from engagements
"""
SUMS_APART = """
    with rows_of as (select tweet_id, engagement_type, sum("count") as "count" from engagements group by all)
    select tweet_id, engagement_type, rows_of."count" as of_rows, daily."count" as of_day
    from rows_of full join daily using (tweet_id, engagement_type)
    where rows_of."count" is distinct from daily."count"
    order by tweet_id, engagement_type
"""
ROWS_APART = f"""
    with stored as (select tweet_id, count(*) as n from engagements group by tweet_id),
    told as (select tweet_id, rows from coverage where table_name = '{ENGAGEMENTS}')
    select tweet_id, coalesce(n, 0) as stored, coalesce(rows, 0) as told
    from stored full join told using (tweet_id)
    where coalesce(n, 0) <> coalesce(rows, 0)
    order by tweet_id
"""
ANSWERS_APART = f"""
    with sums as (select tweet_id, sum("count") as total from engagements group by tweet_id),
    answers as (select * from coverage where table_name = '{ENGAGEMENTS}' and answer_count is not null)
    select tweet_id, coalesce(total, 0) as total, answer_count, kept_count, left_out
    from sums right join answers using (tweet_id)
    where coalesce(total, 0) <> answer_count + kept_count or left_out is not null
    order by tweet_id
"""
HOURS = "select list(distinct hour) as hours, count(*) as rows, min(tweet_id) as oldest from engagements"
OLDER = f"""
    select outcome, count(*) as n from coverage
    where table_name = '{ENGAGEMENTS}' and outcome in {UNANSWERED} and rows > 0
    group by outcome order by n desc, outcome
"""
IMPRESSIONS = """
    select handle, sum("count")::bigint as n from engagements join tweets using (tweet_id)
    where engagement_type = 'impressions' and followed and handle is not null
    group by handle order by handle
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The day to check; `ask` comes from by_day.by_day."""

    lake: Lake
    day: date
    ask: AskDay
    settings: Settings

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Ask the files of this day."""
        found: list[dict[str, Any]] = self.ask(self.day, sql).to_pylist()
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A check: its name, its purpose, and its function. `warns`: what it finds may be right."""

    name: str
    meaning: str
    look: Callable[[Day], Verdict]
    blocking: bool = False
    warns: bool = False


def of_days(
    settings: Settings, days: Iterable[date], *, names: Collection[str] | None = None
) -> Iterator[tuple[date, Check, Verdict]]:
    """Run the checks with these `names`, or all checks, on each of these days."""
    lake = judged(settings)
    with by_day.by_day(lake, threads=settings.most_workers()) as ask:
        once = cache(ask)  # several checks ask the same question, also of the day before
        for day in days:
            for check, verdict in of_day(Day(lake=lake, day=day, ask=once, settings=settings), names=names):
                yield day, check, verdict


def of_day(day: Day, *, names: Collection[str] | None = None) -> Iterator[tuple[Check, Verdict]]:
    """Run checks on a day. A check that cannot read a file fails, with the name of the file and the fix."""
    for check in CHECKS:
        if names is None or check.name in names:
            try:
                yield check, check.look(day)
            except EngagementError as error:
                yield check, Verdict(passed=False, words=str(error))
            except OSError as error:
                yield check, Verdict(passed=False, words=refused_by_system(error))


def _key_unique(day: Day) -> Verdict:
    twice = day.rows(DUPLICATES)
    if not twice:
        return Verdict(passed=True, words="each Tweet, type and hour has one row at most")
    keys = first_few([f"{row['tweet_id']} {row['engagement_type']} at {row['hour']}" for row in twice])
    return Verdict(passed=False, words=f"keys with several rows ({len(twice):,}): {keys}{_mend(day)}")


def _schema(day: Day) -> Verdict:
    path, wanted = day.lake.rows(ENGAGEMENTS, day.day), ENGAGEMENTS.file_schema
    if not day.lake.storage.exists(path):
        return Verdict(passed=True, words="the day has no rows, and so no file")
    with opened(day.lake, path) as file:
        found = file.schema_arrow
    wrong = [f"{field.name} is missing" for field in wanted if field.name not in found.names]
    wrong += [
        f"{field.name} is {found.field(field.name).type}, not {field.type}"
        for field in wanted
        if field.name in found.names and found.field(field.name).type != field.type
    ]
    wrong += [f"{name} is not a declared column" for name in found.names if name not in wanted.names]
    if not wrong:
        types = ", ".join(map(quoted, day.lake.hourly.types))
        (strange,) = day.rows(STRANGE.format(day=f"date {quoted(day.day)}", types=types))
        wrong = [f"{number:,} rows are {name.replace('_', ' ')}" for name, number in strange.items() if number]
    if wrong:
        return Verdict(passed=False, words=f"{path} is not as it should be: {first_few(wrong)}{_mend(day)}")
    return Verdict(passed=True, words=f"the {len(wanted)} columns are as declared, and all rows are of the day")


def _audit(day: Day) -> Verdict:
    sums, rows = day.rows(SUMS_APART), day.rows(ROWS_APART)
    words = [f"{row['tweet_id']} has {row['stored']:,} rows where {row['told']:,} were published" for row in rows]
    words += [
        f"{row['tweet_id']} {row['engagement_type']} sums to {row['of_rows']} here and to {row['of_day']} in daily"
        for row in sums
    ]
    if words:
        numbers = {"tweets": len(rows), "sums": len(sums)}
        told = f"rows are not what was published: {first_few(words)}{_mend(day)}"
        return Verdict(passed=False, words=told, numbers=numbers)
    return _answer_sums(day)


def _answer_sums(day: Day) -> Verdict:
    """Compare what is published with the newest answers' own sums; counts that these left out may be right."""
    apart = day.rows(ANSWERS_APART)
    wrong = [row for row in apart if row["total"] != row["answer_count"] + row["kept_count"]]
    if wrong:
        words = first_few([_sum_apart(row) for row in wrong])
        told = f"counts are not those of the newest answers: {words}{_mend(day)}"
        return Verdict(passed=False, words=told, numbers={"tweets": len(wrong)})
    if apart:
        words = first_few([f"{_sum_apart(row)}, which left out {' and '.join(row['left_out'])}" for row in apart])
        told = f"the newest answers of {len(apart):,} Tweets left out counts, and the older ones stay: {words}; "
        told += "coverage has them as left_out"
        return Verdict(passed=False, words=told, numbers={"left_out": len(apart)}, warns=True)
    return Verdict(
        passed=True, words="every Tweet has the rows that were published, and the sums of its newest answer and its day"
    )


def _sum_apart(row: Mapping[str, Any]) -> str:
    """Return what a Tweet's counts sum to here and in its newest answer."""
    kept = f" and {row['kept_count']:,} were kept of older ones" if row["kept_count"] and not row["left_out"] else ""
    return f"{row['tweet_id']} sums to {row['total']:,} here and to {row['answer_count']:,} in its newest answer{kept}"


def _hours_complete(day: Day) -> Verdict:
    (found,) = day.rows(HOURS)
    if not found["rows"]:
        return Verdict(passed=True, words="the day has no rows")
    posted = posted_at(found["oldest"])  # the first of the day's Tweets
    first = posted.hour if posted and posted.date() == day.day else 0
    missing = sorted({*range(first, 24)} - {*found["hours"]})
    if missing:
        words = f"no Tweet has a count at {first_few(missing)} UTC: pull the day again"
        return Verdict(passed=False, words=words, numbers={"missing": len(missing)})
    since = f" since the first Tweet was posted at {first} UTC" if first else ""
    return Verdict(passed=True, words=f"all {24 - first} hours{since} have counts")


def _tweets_accounted_for(day: Day) -> Verdict:
    gone = unaccounted(day.day, day.ask, day.settings)
    if not gone:
        words, older = "every Tweet of the roster is stored, or set aside with a reason", day.rows(OLDER)
        if older:
            reasons = ", ".join(f"{row['outcome']}: {row['n']:,}" for row in older)
            words += f"; the newest request for some got no answer, so their counts are older ({reasons} Tweets)"
        return Verdict(passed=True, words=words, numbers={"older": sum(row["n"] for row in older)} if older else {})
    some = first_few([f"{row['tweet_id']} of {row['handle']}{f' ({why(row)})' * bool(why(row))}" for row in gone])
    words = f"Tweets of the roster without an answer for the day ({len(gone):,}): {some}; pull the day again; if their "
    words += "account fails, engagement check says why"
    return Verdict(passed=False, words=words, numbers={"tweets": len(gone)})


def _handles_alive(day: Day) -> Verdict:
    before = day.day - timedelta(days=1)
    try:
        then = {row["handle"]: row["n"] for row in day.ask(before, IMPRESSIONS).to_pylist()}
    except EngagementError:  # the checks of that day report it
        then = {}
    alive = {handle: number for handle, number in then.items() if number >= ALIVE}
    if not alive:
        return Verdict(passed=True, words=f"no handle had {ALIVE} impressions on {before}: none fell silent")
    now = {row["handle"]: row["n"] for row in day.rows(IMPRESSIONS)}
    silent = [f"{handle} ({number:,} on {before})" for handle, number in alive.items() if now.get(handle, 0) <= 0]
    if silent:
        words = f"no impressions, after many the day before: {first_few(silent)}; engagement check tries the accounts"
        return Verdict(passed=False, words=words, numbers={"handles": len(silent)})
    return Verdict(passed=True, words=f"the {len(alive)} handles that were seen on {before} are seen on this day too")


def _restated(day: Day) -> Verdict:
    (rows,) = (row["rows"] for row in day.rows(HOURS))
    number, limit = restated(day.lake, day.day), day.settings.restated_percent
    words = f"the newest pull changed {number:,} of {rows:,} counts"
    if number * 100 > limit * rows:
        words += f", more than {limit} %: see the view revisions, and the setting restated_percent"
    return Verdict(passed=number * 100 <= limit * rows, words=words, numbers={"restated": number, "rows": rows})


CHECKS = (
    Check(name="key_unique", meaning="No Tweet, type and hour has two rows.", look=_key_unique, blocking=True),
    Check(
        name="schema", meaning="The file has the declared columns, and rows of its day.", look=_schema, blocking=True
    ),
    Check(
        name="audit",
        meaning="Each Tweet has as many rows as were published, by coverage, and they sum to daily and to the newest "
        "answer's own sums. It warns of counts that this answer left out.",
        look=_audit,
        blocking=True,
    ),
    Check(
        name="hours_complete",
        meaning="There are counts of each hour of the day since its first Tweet was posted.",
        look=_hours_complete,
        warns=True,
    ),
    Check(
        name="tweets_accounted_for",
        meaning="Every Tweet of the roster is stored, or set aside with a reason.",
        look=_tweets_accounted_for,
    ),
    Check(
        name="handles_alive",
        meaning=f"No handle with {ALIVE} impressions or more on the day before has none.",
        look=_handles_alive,
    ),
    Check(
        name="restated",
        meaning="The newest pull changed no more of the day's counts than the setting restated_percent allows.",
        look=_restated,
        warns=True,
    ),
)


def _mend(day: Day) -> str:
    return f"; engagement rebuild --from {day.day} --to {day.day} makes the day anew from raw"
