"""One day made again, put over what is published of it: nothing is lost that raw does not hold any more.

In: what is known of a day, and a shadow lake in which all that raw has of it is published. Out: a Remade, staged.

A Tweet keeps its rows if an answer of it is not in raw any more; only answers behind that gap replace them, count by
count. A file that is damaged is taken for one without rows. recent.parquet is one for all days and is made of raw
alone, since what it holds is provisional.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple, Self

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engagement_pipeline.core.dated import STAMP
from engagement_pipeline.core.table import Merge
from engagement_pipeline.core.tables import COVERAGE, ENGAGEMENTS, LOST, STORED
from engagement_pipeline.lake.parquet import is_sound, opened, read, write
from engagement_pipeline.publish.day_file import DayFile, SortedReader
from engagement_pipeline.publish.left_out import sums_of
from engagement_pipeline.publish.merge import LAST_ID, in_order, of_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from engagement_pipeline.core.endpoints import Endpoint
    from engagement_pipeline.lake.layout import Lake
    from engagement_pipeline.publish.rebuild_gaps import Answered

COVER = f"""
    select
        tweet_id, $day::date as day, gone_at as asked_at, '{STORED}' as outcome, null as text, null as first_pulled_at,
        gone_at as pulled_at,
        if(gone_at = pulled_at, rows, 0) as rows,
        if(gone_at = pulled_at, source, null) as source,
        null as answer_count, null as kept_count, null as left_out
    from gaps left join coverage using (tweet_id)
    where $sound or gone_at < pulled_at
    order by tweet_id
"""
# What the newest answer to a Tweet's day said, be it in raw or gone; and how many rows there are now, if `counts`.
# Of a file that is not `sound`, the rows are those of raw. Only where there are `counts` do answers keep earlier ones.
# Of rows that neither coverage nor raw tells of, all that is known is that they were there `since` their file's newest.
MERGE_COVERAGE = f"""
    with known as (
        select
            tweet_id, day, new, old, counted,
            coalesce(new.asked_at >= old.asked_at, new.asked_at is not null) as asks,
            if($sound, coalesce(new.pulled_at >= old.pulled_at, new.pulled_at is not null), new.asked_at is not null)
                as stores,
            new.answer_count is not null and (asks or stores) as answers
        from new full outer join old using (tweet_id, day) left join counted using (tweet_id)
    ),
    merged as (
        select
            tweet_id, day,
            if(asks, new.asked_at, old.asked_at) as asked_at,
            if(asks, new.outcome, old.outcome) as outcome,
            if(asks, new.text, old.text) as text,
            least(new.first_pulled_at, old.first_pulled_at) as first_pulled_at,
            if(stores, new.pulled_at, old.pulled_at) as pulled_at,
            if($counts, coalesce(counted.rows, 0), coalesce(if(stores, new.rows, old.rows), new.rows))::integer as rows,
            if(stores, new.source, old.source) as source,
            if(answers, new.answer_count, old.answer_count) as answer_count,
            case
                when not answers then old.left_out
                when new.asked_at = old.asked_at and coalesce(counted.rows, 0) >= old.rows  -- raw may lack what it kept
                    then coalesce(old.left_out, new.left_out)
                else new.left_out
            end as left_out,
            coalesce(counted.total, 0) as total
        from known
    ),
    untold as (select tweet_id, rows, $since::timestamptz as since from counted anti join merged using (tweet_id))
    select
        tweet_id, day, asked_at,
        if(rows = 0 and outcome = '{STORED}', '{LOST}', outcome) as outcome,
        text, first_pulled_at,
        if(rows > 0, pulled_at, null) as pulled_at,
        rows,
        if(rows > 0, source, null) as source,
        sums_to as answer_count, (total - sums_to)::bigint as kept_count, left_out
    from (select *, if(rows = 0 and outcome = '{STORED}', null, answer_count) as sums_to from merged)
    union all
    select tweet_id, $day::date, since, '{STORED}', null, since, since, rows::integer, null, null, null, null
    from untold
    order by tweet_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a day before it is made again, read when it is asked for: of many days, it is large.

    `rows` tells whether there is a sound file of them, `damaged` names the files that are not. `told` is how many rows
    the coverage tells of. `gaps` are the Tweets of which an answer is gone, `unproven` those of which one may be
    (rebuild_gaps.py).
    """

    lake: Lake
    endpoint: Endpoint
    day: date
    rows: bool
    told: int
    damaged: tuple[Path, ...]
    gaps: pa.Table
    unproven: pa.Table

    @classmethod
    def of(cls, lake: Lake, endpoint: Endpoint, day: date, *, answered: Answered, damaged: tuple[Path, ...]) -> Self:
        """Look through a day's coverage; `damaged` are its files that are."""
        coverage, rows = lake.coverage(endpoint, day), lake.rows(endpoint.table, day)
        sound = lake.storage.exists(rows) and rows not in damaged
        told = COVERAGE.schema.empty_table() if coverage in damaged else read(lake, coverage, COVERAGE)
        gaps = answered.gaps(told, day)
        return cls(
            lake=lake,
            endpoint=endpoint,
            day=day,
            rows=sound,
            told=pc.sum(told["rows"]).as_py() or 0,
            damaged=damaged,
            gaps=gaps,
            unproven=answered.unproven(told, day, gaps),
        )

    @property
    def merge(self) -> Merge:
        """How newer rows of the table meet those that are published."""
        assert self.endpoint.table.merge, "an endpoint fills no table without a rule"
        return self.endpoint.table.merge

    @property
    def target(self) -> Path:
        """The file of the day's rows."""
        return self.lake.rows(self.endpoint.table, self.day)

    @property
    def published(self) -> Path:
        """The file of the day's rows; where that is damaged, one that is not there."""
        return self.lake.staging / "none" if self.target in self.damaged else self.target

    @property
    def coverage(self) -> pa.Table:
        """All of the day's coverage."""
        path = self.lake.coverage(self.endpoint, self.day)
        return COVERAGE.schema.empty_table() if path in self.damaged else read(self.lake, path, COVERAGE)

    def cover(self, shadow: Lake) -> None:
        """Let answers that are gone stand in the way of older ones; without rows, only if raw has newer ones."""
        path = shadow.coverage(self.endpoint, self.day)
        shadow.storage.make_folder(path.parent)
        if not len(self.gaps):
            write(COVERAGE.schema.empty_table(), path, COVERAGE)
            return
        with duckdb.connect() as connection:
            connection.register("gaps", self.gaps)
            connection.register("coverage", self.coverage)
            covered = connection.sql(COVER, params={"day": self.day, "sound": self.rows})
            write(covered.to_arrow_table().cast(COVERAGE.schema), path, COVERAGE)

    def lost(self) -> set[int]:
        """Return the Tweets of which the newest answer is gone, where there is no sound file of their rows."""
        if self.rows:
            return set()
        gone_at = dict(zip(self.gaps["tweet_id"].to_pylist(), self.gaps["gone_at"].to_pylist(), strict=True))
        coverage = self.coverage
        known = zip(coverage["tweet_id"].to_pylist(), coverage["pulled_at"].to_pylist(), strict=True)
        return {tweet for tweet, pulled_at in known if pulled_at and gone_at.get(tweet) == pulled_at}

    def lessened(self, now: Mapping[int, int]) -> set[int]:
        """Return the Tweets that had more rows than they have `now`."""
        coverage = self.coverage
        known = zip(coverage["tweet_id"].to_pylist(), coverage["rows"].to_pylist(), strict=True)
        return {tweet for tweet, rows in known if now.get(tweet, 0) < rows}


def damaged(lake: Lake, endpoint: Endpoint, day: date) -> tuple[Path, ...]:
    """Return the files of a day's coverage and rows that cannot be read to their end."""
    files = {lake.coverage(endpoint, day): COVERAGE, lake.rows(endpoint.table, day): endpoint.table}
    return tuple(path for path, table in files.items() if not is_sound(lake, path, table))


@dataclass(frozen=True, slots=True, kw_only=True)
class Remade:
    """A day made again, staged: the files of rows to rename, then those of coverage, and how many rows it has now.

    `kept` are the rows that are not of raw, by Tweet; `lost` are the Tweets that have lost some. `sums` is where the
    daily sums lie, if there are any.
    """

    files: dict[Path, Path]
    rows: int
    changed: bool
    coverage: dict[Path, Path] = field(default_factory=dict)
    kept: dict[int, int] = field(default_factory=dict)
    lost: frozenset[int] = frozenset()
    sums: Path | None = None


class _Counted(NamedTuple):
    """What the coverage of a day says of its rows.

    `rows` has those of each Tweet, and `totals` the sums of their counts. `since` is when the newest of the published
    rows were pulled, as their file says; None where there are none.
    """

    rows: Mapping[int, int]
    totals: Mapping[int, int]
    since: datetime | None


def stage(known: Known, shadow: Lake) -> Remade:
    """Stage a day that was made again in the shadow lake, its rows and its coverage; what is staged lies there too."""
    remake = {Merge.CELL: _cells, Merge.SNAPSHOT: _snapshot, Merge.LATEST: _latest}[known.merge]
    made, counted = remake(known, shadow)
    staged = shadow.staging / f"{known.day}.coverage.parquet"
    new = read(shadow, shadow.coverage(known.endpoint, known.day), COVERAGE)
    write(_merged_coverage(known, new, counted), staged, COVERAGE)
    return replace(made, coverage={staged: known.lake.coverage(known.endpoint, known.day)})


def _merged_coverage(known: Known, new: pa.Table, counted: _Counted | None) -> pa.Table:
    """Return what is known of a day, with the rows that its Tweets have now; without these, what their answers gave."""
    now, totals, since = counted or ({}, {}, None)
    with duckdb.connect() as connection:
        connection.register("old", known.coverage)
        connection.register("new", new)
        columns = {"tweet_id": now, "rows": now.values(), "total": [totals.get(tweet) for tweet in now]}
        connection.register(
            "counted", pa.table({name: pa.array(values, pa.int64()) for name, values in columns.items()})
        )
        facts = {"counts": counted is not None, "sound": known.rows, "day": known.day, "since": since}
        merged = connection.sql(MERGE_COVERAGE, params=facts)
        return merged.to_arrow_table().cast(COVERAGE.schema)


def _cells(known: Known, shadow: Lake) -> tuple[Remade, _Counted]:
    now: dict[int, int] = {}
    totals: dict[int, int] = {}
    kept: dict[int, int] = {}
    with ExitStack() as stack:
        files = ((shadow, shadow.rows(ENGAGEMENTS, known.day)), (known.lake, known.published))
        remade, published = (stack.enter_context(closing(SortedReader(*file))) for file in files)
        newest = max(remade.newest_pull or "", published.newest_pull or "", key=_begun)
        since = _pulled_at(published.newest_pull, known.day)
        file = DayFile(
            known.lake, known.day, newest_pull=newest, published=published.path, anew=True, aside=shadow.staging
        )
        stack.enter_context(closing(file))
        for tweet in remade.row_group_ends(LAST_ID):
            new = of_table(remade.up_to(tweet))
            rows, _ = file.take(tweet, new)
            tweets, numbers = rows.by_tweet()
            now |= dict(zip(tweets.tolist(), numbers.tolist(), strict=True))
            totals |= dict(zip(tweets.tolist(), sums_of(tweets, rows).tolist(), strict=True))
            of_raw, in_raw = new.by_tweet()
            numbers[np.searchsorted(tweets, of_raw)] -= in_raw
            kept |= dict(zip(tweets[numbers > 0].tolist(), numbers[numbers > 0].tolist(), strict=True))
        day = file.finish()
    made = Remade(
        files=day.files,
        rows=sum(now.values()),
        changed=day.changed,
        kept=kept,
        lost=frozenset(known.lost() | known.lessened(now)),
        sums=day.sums,
    )
    return made, _Counted(now, totals, since)


def _begun(pull: str) -> str:
    """Return what sorts pulls by the time at which they were begun, of their names."""
    return pull.rpartition("/")[2]


def _pulled_at(pull: str | None, day: date) -> datetime:
    """Return when a pull was begun, of its name; of none, the first moment that can be: the end of its day."""
    if pull:
        return datetime.strptime(_begun(pull), STAMP).replace(tzinfo=UTC)
    return datetime.combine(day + timedelta(days=1), time(), UTC)


def _snapshot(known: Known, shadow: Lake) -> tuple[Remade, _Counted]:
    """Put a Tweet's later answer over its earlier one whole: one of fewer rows has lost nothing."""
    table = known.endpoint.table
    new = read(shadow, shadow.rows(table, known.day), table)
    old = read(known.lake, known.published, table)
    stays = old.filter(pc.invert(pc.is_in(old["tweet_id"], new["tweet_id"])))
    rows, staged = in_order(pa.concat_tables([new, stays])), shadow.staging / "rows.parquet"
    write(rows, staged, table)
    remade = Remade(
        files={staged: known.target} if len(rows) or known.lake.storage.exists(known.target) else {},
        rows=len(rows),
        changed=not _equal(rows, old),
        kept=_by_tweet(stays),
        lost=frozenset(known.lost()),
    )
    return remade, _Counted(_by_tweet(rows), {}, pc.max(old["observed_at"]).as_py())


def _latest(known: Known, shadow: Lake) -> tuple[Remade, None]:
    """Take the file as it was made; it is one for all days, so that the first takes it."""
    made = shadow.rows(known.endpoint.table, known.day)
    if not shadow.storage.exists(made):
        return Remade(files={}, rows=0, changed=False), None
    rows = 0
    with opened(shadow, made) as new, ExitStack() as stack:
        there = known.lake.storage.exists(known.published)
        old = stack.enter_context(opened(known.lake, known.published)) if there else None
        changed = old is None or old.num_row_groups != new.num_row_groups
        for group in range(new.num_row_groups):
            table = new.read_row_group(group)
            rows += len(table)
            changed = changed or old is None or not _equal(table, old.read_row_group(group))
    return Remade(files={made: known.target}, rows=rows, changed=changed), None


def _by_tweet(rows: pa.Table) -> dict[int, int]:
    counted = rows["tweet_id"].value_counts()
    return dict(zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True))


def _equal(some: pa.Table, others: pa.Table) -> bool:
    """Tell whether tables hold the same rows in the same order, whatever dictionaries they were written with."""
    plain = pa.schema(
        [field.with_type(pa.string()) if field.name == "engagement_type" else field for field in some.schema]
    )
    return bool(some.cast(plain).equals(others.select(some.schema.names).cast(plain)))
