"""Answers that the tables hold and raw does not: they were pruned, lost or set apart after they were published.

In: an endpoint's pulls in raw, and the times of answers that coverage and revisions name. Out: by day, the Tweets of
which an answer is gone, each with the moment of the newest such answer.

What a Tweet's older answers say is no proof of what came next, because the answer that is gone may have changed it. So
a rebuild makes anew only what came after a gap, and what was published before stays.

Where the revisions of a pull are lost too, neither may name an answer in between. So the log of requests is a witness,
for what is revised alone: some of what it tells of was never published.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from engagement_pipeline.core.model import Window
from engagement_pipeline.core.rows import TIMESTAMP
from engagement_pipeline.core.table import Merge
from engagement_pipeline.core.tables import REVISIONS
from engagement_pipeline.lake import request_log
from engagement_pipeline.lake.parquet import is_sound, read

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime
    from pathlib import Path

    from engagement_pipeline.core.endpoints import Endpoint
    from engagement_pipeline.lake.layout import Lake
    from engagement_pipeline.lake.raw import Pull

HELD = pa.schema([("tweet_id", pa.int64()), ("pulled_at", TIMESTAMP)])
NAMED = pa.schema([*HELD, ("day", pa.date32())])
ASKED = pa.schema([*HELD, ("first", pa.date32()), ("last", pa.date32())])
GAPS = pa.schema([("tweet_id", pa.int64()), ("gone_at", TIMESTAMP)])
REVISED = """
    select distinct tweet_id, unnest([old_pulled_at, new_pulled_at]) as pulled_at, day from revisions
"""
GONE = """
    with named as (
        select tweet_id, unnest([first_pulled_at, pulled_at]) as pulled_at from coverage
        union all
        select tweet_id, pulled_at from revised where day = $day
    )
    select tweet_id, max(pulled_at) as gone_at
    from named anti join held using (tweet_id, pulled_at)
    where pulled_at is not null
    group by tweet_id
    order by tweet_id
"""


LOGGED = """
    select tweet_id, max(gone_at) as gone_at
    from (
        from gaps
        union all
        select tweet_id, logged.pulled_at as gone_at
        from logged left join coverage using (tweet_id)
        where $day between first and last and logged.pulled_at > coalesce(first_pulled_at, '-infinity')
            and logged.pulled_at < coalesce(coverage.pulled_at, 'infinity')
    )
    group by tweet_id
    order by tweet_id
"""


class Answered:
    """When each Tweet was answered for: by raw, and by what revisions name. To be closed, since it holds a database."""

    def __init__(self, lake: Lake, endpoint: Endpoint, pulls: Sequence[Pull], days: AbstractSet[date]) -> None:
        """Read the heads of the responses, and the revisions, that have any of these days.

        `pulls` are all of raw, the oldest first. A damaged file of revisions tells nothing.
        """
        self._connection = duckdb.connect()
        held = _held([pull for pull in pulls if not days.isdisjoint(pull.days())])
        self._connection.register("held", held)
        by_cell = endpoint.table.merge is Merge.CELL
        logged = _logged(lake, endpoint, held, since=pulls[0].started_at) if by_cell and pulls else ASKED.empty_table()
        self._connection.register("logged", logged)
        files = [path for path in lake.storage.find(REVISIONS.glob) if by_cell and not days.isdisjoint(_window(path))]
        sound = [path for path in files if is_sound(lake, path, REVISIONS)]
        named = [self._named(read(lake, path, REVISIONS)) for path in sound]
        self._connection.register("revised", pa.concat_tables([NAMED.empty_table(), *named]))

    def gaps(self, coverage: pa.Table, day: date) -> pa.Table:
        """Return, as GAPS, the Tweets of a day of which a published answer is gone, and when the newest was asked."""
        self._connection.register("coverage", coverage)
        return self._connection.sql(GONE, params={"day": day}).to_arrow_table().cast(GAPS)

    def unproven(self, coverage: pa.Table, day: date, gaps: pa.Table) -> pa.Table:
        """Return these gaps and, as GAPS, those that the log of requests alone tells of: no proof of a revision."""
        self._connection.register("coverage", coverage)
        self._connection.register("gaps", gaps)
        return self._connection.sql(LOGGED, params={"day": day}).to_arrow_table().cast(GAPS)

    def close(self) -> None:
        """Give the database back."""
        self._connection.close()

    def _named(self, revisions: pa.Table) -> pa.Table:
        self._connection.register("revisions", revisions)
        return self._connection.sql(REVISED).to_arrow_table().cast(NAMED)


def _held(pulls: Sequence[Pull]) -> pa.Table:
    """Return, as HELD, the Tweets of the responses in raw that are no refusals, and when each was asked for."""
    answers = [landed for pull in pulls for landed in pull.landed() if not landed.refusal]
    held = [(tweet, landed.asked_at) for landed in answers for tweet in landed.request.tweet_ids]
    return pa.table([*zip(*held, strict=True)] or [(), ()], schema=HELD)


def _window(revisions: Path) -> list[date]:
    """Return the days of the pull that revised what is in a file, of its name."""
    first, last, _ = revisions.name.split("_")
    return [*Window(date.fromisoformat(first), date.fromisoformat(last)).days()]


def _logged(lake: Lake, endpoint: Endpoint, held: pa.Table, *, since: datetime) -> pa.Table:
    """Return, as ASKED, the requests since a moment that were answered, and that are not held."""
    moments = {*held["pulled_at"].to_pylist()}
    rows = [
        (tweet, asked_at, request.window.first, request.window.last)
        for asked_at, request in request_log.answers(lake, endpoint, since=since)
        if request.window and asked_at not in moments
        for tweet in request.tweet_ids
    ]
    return pa.table([*zip(*rows, strict=True)] or [()] * len(ASKED), schema=ASKED)
