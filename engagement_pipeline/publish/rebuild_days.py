"""One day made again, put over what is published of it: nothing is lost that raw does not hold any more.

In: what is known of a day, and a shadow lake in which all that raw has of it is published. Out: a Remade, staged.

A Tweet whose newest answer is not in raw any more keeps its rows, and so does every single count that raw does not
hold. A file that is damaged is taken for one without rows. recent.parquet is one for all days and is made of raw
alone, since what it holds is provisional.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engagement_pipeline.core.tables import COVERAGE, ENGAGEMENTS, LOST, STORED, Merge
from engagement_pipeline.lake.parquet import is_sound, opened, read, write
from engagement_pipeline.publish.day_file import DayFile, SortedReader
from engagement_pipeline.publish.merge import LAST_ID, in_order, of_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    from engagement_pipeline.core.endpoints import Endpoint
    from engagement_pipeline.lake.layout import Lake

# What raw says of a Tweet's day, else what was known of it; and how many rows there are now, if `counts`.
MERGE_COVERAGE = f"""
    with merged as (
        select
            tweet_id, day,
            coalesce(new.asked_at, old.asked_at) as asked_at,
            coalesce(new.outcome, old.outcome) as outcome,
            if(new.outcome is null, old.text, new.text) as text,
            least(new.first_pulled_at, old.first_pulled_at) as first_pulled_at,
            if(new.outcome is null, old.pulled_at, new.pulled_at) as pulled_at,
            if($counts, coalesce(counted.rows, 0), coalesce(new.rows, old.rows))::integer as rows,
            if(new.outcome is null, old.source, new.source) as source
        from new full outer join old using (tweet_id, day) left join counted using (tweet_id)
    )
    select
        tweet_id, day, asked_at,
        if(rows = 0 and outcome = '{STORED}', '{LOST}', outcome) as outcome,
        text, first_pulled_at,
        if(rows > 0, pulled_at, null) as pulled_at,
        rows,
        if(rows > 0, source, null) as source
    from merged
    order by tweet_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a day before it is made again, read when it is asked for: of many days, it is large.

    `rows` tells whether there is a sound file of them, `damaged` names the files that are not.
    """

    lake: Lake
    endpoint: Endpoint
    day: date
    rows: bool
    damaged: tuple[Path, ...]

    @classmethod
    def of(cls, lake: Lake, endpoint: Endpoint, day: date) -> Self:
        """Look through a day's coverage and rows."""
        coverage, rows = lake.coverage(endpoint, day), lake.rows(endpoint.table, day)
        damaged = [coverage] if _coverage(lake, coverage) is None else []
        damaged += [] if is_sound(lake, rows, endpoint.table.schema) else [rows]
        sound = lake.storage.exists(rows) and rows not in damaged
        return cls(lake=lake, endpoint=endpoint, day=day, rows=sound, damaged=tuple(damaged))

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
        coverage = _coverage(self.lake, self.lake.coverage(self.endpoint, self.day))
        return COVERAGE.schema.empty_table() if coverage is None else coverage

    @property
    def gone(self) -> pa.Table:
        """The coverage of the rows that raw does not hold any more."""
        coverage = self.coverage
        sources = pc.unique(coverage["source"].drop_null())
        in_raw = self.lake.storage.exists
        missing = [source for source in sources.to_pylist() if not in_raw(self.lake.root / source)]
        return coverage.filter(pc.is_in(coverage["source"], pa.array(missing, pa.string())))

    def cover(self, shadow: Lake) -> None:
        """Let rows whose answer raw does not hold stand in the way of older answers."""
        path = shadow.coverage(self.endpoint, self.day)
        shadow.storage.make_folder(path.parent)
        write(self.gone if self.rows else COVERAGE.schema.empty_table(), path)

    def lost(self) -> set[int]:
        """Return the Tweets that raw does not hold any more, where there is no sound file of their rows."""
        return set() if self.rows else {*self.gone["tweet_id"].to_pylist()}

    def lessened(self, now: Mapping[int, int]) -> set[int]:
        """Return the Tweets that had more rows than they have `now`."""
        coverage = self.coverage
        known = zip(coverage["tweet_id"].to_pylist(), coverage["rows"].to_pylist(), strict=True)
        return {tweet for tweet, rows in known if now.get(tweet, 0) < rows}


def _coverage(lake: Lake, path: Path) -> pa.Table | None:
    """Read a day's coverage, None where it is damaged; in format 1 it did not say when a day was pulled first."""
    if is_sound(lake, path, COVERAGE.schema):
        return read(lake, path, COVERAGE.schema)
    place = COVERAGE.schema.names.index("first_pulled_at")
    if not is_sound(lake, path, COVERAGE.schema.remove(place)):
        return None
    older = read(lake, path, COVERAGE.schema.remove(place))
    return older.add_column(place, COVERAGE.schema.field(place), older["pulled_at"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Remade:
    """A day made again, staged: the files to rename, and how many rows it has now.

    `kept` are the rows that raw does not hold, by Tweet; `lost` are the Tweets that have lost some. `counts` has the
    rows of each Tweet for the coverage; None where that counts what the Tweet's answer gave. `sums` is where the
    daily sums lie, if there are any.
    """

    files: dict[Path, Path]
    rows: int
    changed: bool
    counts: Mapping[int, int] | None
    kept: dict[int, int] = field(default_factory=dict)
    lost: frozenset[int] = frozenset()
    sums: Path | None = None


def stage(known: Known, shadow: Lake) -> Remade:
    """Stage a day that was made again in the shadow lake, its rows and its coverage."""
    remake = {Merge.CELL: _cells, Merge.SNAPSHOT: _snapshot, Merge.LATEST: _latest}[known.merge]
    made = remake(known, shadow)
    staged = known.lake.staging / f"{known.day}.coverage.parquet"
    new = read(shadow, shadow.coverage(known.endpoint, known.day), COVERAGE.schema)
    write(_merged_coverage(known.coverage, new, made.counts), staged)
    return replace(made, files=made.files | {staged: known.lake.coverage(known.endpoint, known.day)})


def _merged_coverage(old: pa.Table, new: pa.Table, counts: Mapping[int, int] | None) -> pa.Table:
    """Return what is known of a day, with the rows that its Tweets have now."""
    now = counts or {}
    with duckdb.connect() as connection:
        connection.register("old", old)
        connection.register("new", new)
        counted = pa.table({"tweet_id": pa.array(now, pa.int64()), "rows": pa.array(now.values(), pa.int64())})
        connection.register("counted", counted)
        merged = connection.sql(MERGE_COVERAGE, params={"counts": counts is not None})
        return merged.to_arrow_table().cast(COVERAGE.schema)


def _cells(known: Known, shadow: Lake) -> Remade:
    now: dict[int, int] = {}
    kept: dict[int, int] = {}
    with ExitStack() as stack:
        files = ((shadow, shadow.rows(ENGAGEMENTS, known.day)), (known.lake, known.published))
        remade, published = (stack.enter_context(closing(SortedReader(*file))) for file in files)
        newest = max(remade.newest_pull or "", published.newest_pull or "", key=_begun)
        file = DayFile(known.lake, known.day, newest_pull=newest, published=published.path, anew=True)
        stack.enter_context(closing(file))
        for tweet in remade.row_group_ends(LAST_ID):
            new = of_table(remade.up_to(tweet))
            rows, _ = file.take(tweet, new)
            tweets, numbers = rows.by_tweet()
            now |= dict(zip(tweets.tolist(), numbers.tolist(), strict=True))
            of_raw, in_raw = new.by_tweet()
            numbers[np.searchsorted(tweets, of_raw)] -= in_raw
            kept |= dict(zip(tweets[numbers > 0].tolist(), numbers[numbers > 0].tolist(), strict=True))
        day = file.finish()
    return Remade(
        files=day.files,
        rows=sum(now.values()),
        changed=day.changed,
        counts=now,
        kept=kept,
        lost=frozenset(known.lost() | known.lessened(now)),
        sums=day.sums,
    )


def _begun(pull: str) -> str:
    """Return what sorts pulls by the time at which they were begun, of their names."""
    return pull.rpartition("/")[2]


def _snapshot(known: Known, shadow: Lake) -> Remade:
    """Put a Tweet's later answer over its earlier one whole: one of fewer rows has lost nothing."""
    table = known.endpoint.table
    new = read(shadow, shadow.rows(table, known.day), table.schema)
    old = read(known.lake, known.published, table.schema)
    stays = old.filter(pc.invert(pc.is_in(old["tweet_id"], new["tweet_id"])))
    rows, staged = in_order(pa.concat_tables([new, stays])), known.lake.staging / "rows.parquet"
    write(rows, staged)
    return Remade(
        files={staged: known.target} if len(rows) or known.lake.storage.exists(known.target) else {},
        rows=len(rows),
        changed=not _equal(rows, old),
        counts=_by_tweet(rows),
        kept=_by_tweet(stays),
        lost=frozenset(known.lost()),
    )


def _latest(known: Known, shadow: Lake) -> Remade:
    """Take the file as it was made; it is one for all days, so that the first takes it."""
    made = shadow.rows(known.endpoint.table, known.day)
    if not shadow.storage.exists(made):
        return Remade(files={}, rows=0, changed=False, counts=None)
    rows = 0
    with opened(shadow, made) as new, ExitStack() as stack:
        there = known.lake.storage.exists(known.published)
        old = stack.enter_context(opened(known.lake, known.published)) if there else None
        changed = old is None or old.num_row_groups != new.num_row_groups
        for group in range(new.num_row_groups):
            table = new.read_row_group(group)
            rows += len(table)
            changed = changed or old is None or not _equal(table, old.read_row_group(group))
    return Remade(files={made: known.target}, rows=rows, changed=changed, counts=None)


def _by_tweet(rows: pa.Table) -> dict[int, int]:
    counted = rows["tweet_id"].value_counts()
    return dict(zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True))


def _equal(some: pa.Table, others: pa.Table) -> bool:
    """Tell whether tables hold the same rows in the same order, whatever dictionaries they were written with."""
    plain = pa.schema(
        [field.with_type(pa.string()) if field.name == "engagement_type" else field for field in some.schema]
    )
    return bool(some.cast(plain).equals(others.select(some.schema.names).cast(plain)))
