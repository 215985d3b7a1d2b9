"""Where a lake stands: the days that it holds, its last pulls, what is set aside, and what was asked for this month.

In: a lake and a moment. Out: a Standing. Of the tables only footers are read, of raw only pull.json, so a lake of a
year answers at once; coverage is read only where a Tweet is unavailable. Nothing is written, and nobody is kept
waiting. Whether all of it is sound, the doctor tells.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from engagement_pipeline.core.days import spans
from engagement_pipeline.core.endpoints import ENDPOINTS
from engagement_pipeline.core.errors import EngagementError, InputError, LakeError, refused_by_system
from engagement_pipeline.core.tables import ENGAGEMENTS, TABLES, UNAVAILABLE
from engagement_pipeline.core.words import counted
from engagement_pipeline.lake import raw, refused_windows, request_log, set_aside
from engagement_pipeline.lake.layout import PULL_LOCK
from engagement_pipeline.lake.parquet import opened
from engagement_pipeline.lake.states import State
from engagement_pipeline.observe.looks import day_of
from engagement_pipeline.query import catalog
from engagement_pipeline.query.views import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from engagement_pipeline.core.spend import Used
    from engagement_pipeline.lake.layout import Lake
    from engagement_pipeline.lake.raw import Pull

PULLS = 2  # that are told of each endpoint, the newest last
TO_FORGET = """
    select
        count(distinct tweet_id) as tweets,
        count(distinct tweet_id) filter (forget_by < {now}::timestamptz) as overdue
    from missing
    where forget_by is not null
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the lake holds. `first` and `last` are the UTC days of /historical with rows, None where there are none.

    `gaps` are the days in between without rows, as first and last day of each run of days. `damaged` counts the days
    with a file that cannot be read. `size` and `raw_size` are in bytes, and so is `free`, what the disk has left;
    None in a bucket, which has no end.
    """

    days: int
    first: date | None
    last: date | None
    gaps: tuple[tuple[date, date], ...]
    rows: int
    damaged: int
    size: int
    raw_size: int
    free: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PullState:
    """A pull and what came of it: `under way`, `stopped`, `not published` or `published`.

    `first` and `last` are its UTC days; of an endpoint without days, the one on which it began. `responses` are those
    that count, `rejected` those that failed the audit, `unanswered` the requests that got no answer.
    """

    endpoint: str
    first: date
    last: date
    began_at: datetime
    outcome: str
    responses: int
    rejected: int
    unanswered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a lake stands. `set_aside` counts Tweets by reason; `problem` says what could not be read, else empty.

    `to_forget` counts the Tweets that are to be forgotten, as `missing` has them under forget_by, and `overdue` those
    that should be gone by now. `used` is what this month has used of what contracts count. `refused` says in words
    which windows an API refuses.
    """

    held: Held
    pulls: tuple[PullState, ...]
    set_aside: dict[str, int]
    to_forget: int
    overdue: int
    used: Used
    refused: tuple[str, ...]
    problem: str


def of_lake(lake: Lake, *, now: datetime) -> Standing | None:
    """Return where a lake stands, with those of other sources within it; None where there is no lake yet.

    Of the days with rows, it tells those of the lake itself.
    """
    try:
        lake.open(create=False)
    except InputError:
        return None
    problem = ""
    aside: Counter[str] = Counter()
    to_forget = overdue = 0
    try:
        listed = {tweet: word for each in reversed(lake.of_tweets) for tweet, word in set_aside.load(each).items()}
        aside.update(word.reason for word in listed.values())
        to_forget, overdue = _to_forget(lake, now) if aside[UNAVAILABLE] else (0, 0)
    except EngagementError as error:
        problem = str(error)
    except OSError as error:
        problem = refused_by_system(error)
    return Standing(
        held=_held(lake),
        pulls=tuple(pull for each in lake.of_each_source for pull in _last_pulls(each)),
        set_aside=dict(sorted(aside.items())),
        to_forget=to_forget,
        overdue=overdue,
        used=request_log.used(lake.of_each_source, now.date()),
        refused=tuple(words for each in lake.of_each_source for words in _refused(each, now)),
        problem=problem,
    )


def _refused(lake: Lake, now: datetime) -> Iterator[str]:
    """Yield which windows the API of a lake refuses, as it has said."""
    if longest := refused_windows.longest_days(lake, now):
        yield f"/{lake.hourly}: windows of more than {counted(longest, 'day')}, refused as too long"
    for endpoint in lake.endpoints:
        said = refused_windows.too_old(lake, endpoint)
        if said and said.holds(now):
            yield f"/{endpoint}: days before {said.first_day(now)}, {said}"


def _to_forget(lake: Lake, now: datetime) -> tuple[int, int]:
    """Return how many Tweets are to be forgotten, and how many of them are overdue."""
    (found,) = catalog.query(lake, TO_FORGET.format(now=quoted(now.isoformat()))).to_pylist()
    return found["tweets"], found["overdue"]


def _held(lake: Lake) -> Held:
    rows: dict[date, int] = {}
    damaged = 0
    for path in lake.storage.find(ENGAGEMENTS.glob):
        try:
            with opened(lake, path) as file:
                number = file.metadata.num_rows
        except LakeError:
            damaged += 1
        else:
            day = day_of(path)
            if day and number:
                rows[day] = number
    days = sorted(rows)
    between = (days[0] + timedelta(days=place) for place in range((days[-1] - days[0]).days)) if days else ()
    lakes = lake.of_each_source
    tables = {each.root / table.glob.partition("/")[0] for each in lakes for table in TABLES.values()}
    raw_size = sum(lake.storage.usage(each.raw) for each in lakes)
    return Held(
        days=len(days),
        first=days[0] if days else None,
        last=days[-1] if days else None,
        gaps=tuple(spans(day for day in between if day not in rows)),
        rows=sum(rows.values()),
        damaged=damaged,
        size=raw_size + sum(map(lake.storage.usage, tables)),
        raw_size=raw_size,
        free=lake.storage.free(),
    )


def _last_pulls(lake: Lake) -> list[PullState]:
    """Return the newest pulls of each endpoint, and each older one that is not in the tables yet, oldest first."""
    told = []
    pulls = raw.all_pulls(lake)
    for endpoint in ENDPOINTS.values():
        of_endpoint = [pull for pull in pulls if pull.endpoint is endpoint]
        told += [pull for pull in of_endpoint[:-PULLS] if not pull.published] + of_endpoint[-PULLS:]
    told.sort(key=lambda pull: pull.started_at)
    open_ones = [pull for pull in told if not pull.finished]
    under_way = open_ones[-1] if open_ones and lake.storage.busy(PULL_LOCK) else None
    return [
        PullState(
            endpoint=pull.endpoint.name,
            first=pull.days()[0],
            last=pull.days()[-1],
            began_at=pull.started_at,
            outcome=_outcome(pull, under_way=pull is under_way),
            responses=pull.number(State.COUNTS),
            rejected=pull.number(State.REJECTED),
            unanswered=pull.number(State.UNANSWERED),
        )
        for pull in told
    ]


def _outcome(pull: Pull, *, under_way: bool) -> str:
    if pull.published:
        return "published"
    if under_way:
        return "under way"
    return "not published" if pull.finished else "stopped"
