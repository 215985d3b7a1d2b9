"""The lake as the doctor finds it, and what it says of it.

In: a lake and the settings. Out: a Patient: what lies in the lake, what each file of a table holds, which pulls there
are. Each is looked at once, when the first check asks. Nothing is written, and nobody is kept waiting.
"""

from __future__ import annotations

import shlex
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from fnmatch import fnmatch
from functools import cached_property
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engagement_pipeline.core.endpoints import ENDPOINTS, OF_TWEETS
from engagement_pipeline.core.errors import LakeError, raise_not_given
from engagement_pipeline.core.tables import (
    COVERAGE,
    DAILY,
    ENGAGEMENTS,
    SET_ASIDE,
    TABLES,
    TOTALS,
    TWEETS,
    WINDOW_TOTALS,
    Merge,
)
from engagement_pipeline.lake import inventory, raw
from engagement_pipeline.lake.parquet import OF_OTHER_DAYS, check_columns, detail_of, plausible
from engagement_pipeline.observe.by_hand import moved
from engagement_pipeline.query import files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from pathlib import Path

    from engagement_pipeline.core.endpoints import Endpoint
    from engagement_pipeline.core.settings import Settings
    from engagement_pipeline.core.tables import Table
    from engagement_pipeline.lake.inventory import Inventory
    from engagement_pipeline.lake.landed_file import Landed
    from engagement_pipeline.lake.layout import Lake
    from engagement_pipeline.lake.raw import Pull

DAY_IN_FILE = ENGAGEMENTS.in_file["day"]
WORKERS = 4  # files that are read at a time
READ_ALWAYS = {  # columns of these tables, of which the others' pages are read in a thorough look alone
    ENGAGEMENTS: ("count",),
    DAILY: ("day", "count"),
    TOTALS: ("observed_at",),
    WINDOW_TOTALS: ("observed_at",),
    COVERAGE: ("tweet_id", "asked_at", "outcome", "pulled_at", "rows", "source", "answer_count", "kept_count"),
    SET_ASIDE: ("tweet_id",),
    TWEETS: ("tweet_id", "followed"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is wrong: what, where, what it means, and the command or the words that mend it."""

    path: Path
    what: str
    meaning: str
    fix: str
    kind: str = ""

    def __str__(self) -> str:
        return f"{self.what}; {self.meaning}: {self.fix}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """What a day's coverage says: the rows in all, the responses that gave them, and of each Tweet what came of it.

    `total` is the sum of their counts, None where that is not known of each Tweet. `pulled_at` is when the newest rows
    were asked for. `outcomes` has tweet_id, asked_at and outcome.
    """

    rows: int
    total: int | None
    pulled_at: datetime | None
    sources: frozenset[str]
    outcomes: pa.Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a file of a table holds; `problem` says why it cannot be read.

    `sums` are by UTC day, `observed_at` is the newest moment of a snapshot.
    """

    path: Path
    table: Table
    problem: str = ""
    rows: int = 0
    sums: dict[date, int] = field(default_factory=dict)
    tweets: frozenset[int] = frozenset()
    observed_at: datetime | None = None
    covered: Covered | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Patient:
    """A lake to be examined at a moment. `audit` reads a response and raises EngagementError; None for a quick look.

    `home` is the lake around it, which has the roster's Tweets, if it is that of another source.
    """

    lake: Lake
    settings: Settings
    now: datetime
    audit: Callable[[Landed], object] | None
    home: Patient | None = None

    @cached_property
    def inventory(self) -> Inventory:
        """What lies in the lake."""
        return inventory.take(self.lake, own=self._is_of_the_user)

    @cached_property
    def looks(self) -> dict[Path, Look]:
        """What each Parquet file of a table holds."""
        tables = [table for table in TABLES.values() if table.glob.endswith(".parquet")]
        paths = [(entry.path, table) for table in tables for entry in self.inventory.of(table)]
        with ThreadPoolExecutor(WORKERS) as pool, duckdb.connect() as connection:
            self.lake.storage.admit(connection)
            reader = None if self.audit is None else connection
            found = pool.map(lambda file: _look(self.lake, *file, reader=reader), paths)
            return {look.path: look for look in found if look}

    @cached_property
    def pulls(self) -> dict[Path, Pull]:
        """The pulls in raw, by their folder; without those with a damaged pull.json."""
        found = {}
        for entry in self.inventory.of(inventory.PULL):
            try:
                found[entry.path.parent] = raw.load(self.lake, entry.path.parent)
            except (LakeError, OSError):  # what cannot be read is told by who looks at the files
                continue
        return found

    @cached_property
    def responses(self) -> dict[Path, list[Path]]:
        """The responses that count, by the folder of their pull, each sorted."""
        found: dict[Path, list[Path]] = {}
        for entry in self.inventory.of(inventory.RESPONSE):
            found.setdefault(entry.path.parent, []).append(entry.path)
        return found

    @cached_property
    def covered(self) -> dict[tuple[Endpoint, date], Covered]:
        """What the sound coverage of each endpoint and day says."""
        found = {}
        for look in self.looks.values():
            if look.covered:
                day, endpoint = (folder.name.partition("=")[2] for folder in look.path.parents[:2])
                found[ENDPOINTS[endpoint], date.fromisoformat(day)] = look.covered
        return found

    @cached_property
    def followed(self) -> pa.Array:
        """The Tweets that are in the roster now; of media, whatever was asked for."""
        if self.lake.source not in OF_TWEETS:
            asked = [covered.outcomes["tweet_id"] for covered in self.covered.values()]
            return pa.array(sorted({number for numbers in asked for number in numbers.to_pylist()}), pa.int64())
        if self.home:
            return self.home.followed
        look = self.looks.get(self.lake.tweets)
        return pa.array(sorted(look.tweets) if look else [], pa.int64())

    def of_table(self, table: Table) -> list[Look]:
        """Return the looks at a table's files."""
        return [look for look in self.looks.values() if look.table is table]

    def rows(self, table: Table) -> dict[date, Look]:
        """Return the looks at the sound files of a table with a file a UTC day."""
        of_day = {day_of(look.path): look for look in self.of_table(table)}
        return {day: look for day, look in of_day.items() if day and not look.problem}

    def published(self, endpoint: Endpoint) -> list[tuple[Pull, list[Path]]]:
        """Return the published pulls that its table is made of, as far as raw has responses of them, with these.

        Where the endpoint has a period, only the newest pull: of those before, the table holds nothing any more.
        """
        found = [(pull, self.responses.get(folder, [])) for folder, pull in self.pulls.items()]
        found = [(pull, paths) for pull, paths in found if pull.endpoint is endpoint and pull.published and paths]
        return sorted(found, key=lambda each: each[0].started_at)[-1 if endpoint.period else 0 :]

    def in_raw(self, endpoint: Endpoint, day: date) -> bool:
        """Tell whether raw holds all that the rows of a day came from, as far as its coverage is there to say."""
        covered = self.covered.get((endpoint, day))
        if covered:
            return all(self.lake.root / source in self._responses for source in covered.sources)
        return any(p.endpoint is endpoint and day in p.days() and self.responses.get(f) for f, p in self.pulls.items())

    @cached_property
    def _responses(self) -> frozenset[Path]:
        return frozenset(path for paths in self.responses.values() for path in paths)

    def _is_of_the_user(self, path: Path) -> bool:
        """Tell whether a path in the lake is of the accounts or of the roster."""
        chosen = self.settings
        lock = chosen.accounts.with_name(f"{chosen.accounts.name}.lock")
        rosters = (
            chosen.tweets == str(path) or chosen.tweets.startswith(f"{path}/") or fnmatch(str(path), chosen.tweets)
        )
        return path in (chosen.accounts, lock) or rosters


def _look(lake: Lake, path: Path, table: Table, *, reader: duckdb.DuckDBPyConnection | None) -> Look | None:
    """Look into a file; None where it may not be read.

    With a `reader` the file is read whole, by DuckDB too; without, its end and the columns that are read always.
    """
    names = table.schema.names if reader else READ_ALWAYS.get(table, ())
    in_file = [table.in_file.get(name, name) for name in names]
    sums: Counter[date] = Counter()
    kept = []
    try:
        with lake.storage.source(path) as source, pq.ParquetFile(source, page_checksum_verification=True) as file:
            check_columns(file.schema_arrow, table.file_schema)
            _check_days(file, day_of(path))
            for group in range(file.num_row_groups) if names else ():
                found = file.read_row_group(group, columns=in_file).select(in_file)
                _check_statistics(file, group, found)
                rows = plausible(found.rename_columns(names), path)
                sums.update(_sums(path, table, rows))
                kept += [rows] if table in (COVERAGE, TOTALS, TWEETS, WINDOW_TOTALS) else []
            number = file.metadata.num_rows
        if reader:
            files.read_through(reader.cursor(), lake, path, in_file)
    except (FileNotFoundError, PermissionError):  # gone since, or told by its rights
        return None
    except (MemoryError, duckdb.OutOfMemoryException):  # among the errors below, and no damage
        raise
    except (OSError, pa.ArrowException, duckdb.Error, ArithmeticError, ValueError, KeyError) as error:
        raise_not_given(error, path)
        return Look(path=path, table=table, problem=detail_of(error))
    look = Look(path=path, table=table, rows=number, sums=dict(sums))
    if table is TWEETS:
        return replace(look, tweets=frozenset(t for rows in kept for t in _followed(rows)))
    if table.merge is Merge.SNAPSHOT and kept:
        return replace(look, observed_at=max(pc.max(rows["observed_at"]).as_py() for rows in kept))
    return replace(look, covered=_covered(kept)) if table is COVERAGE else look


def _check_days(file: pq.ParquetFile, day: date | None) -> None:
    """Raise where the statistics of a day's file tell of rows of other days: somebody has renamed a copy's folder."""
    groups = map(file.metadata.row_group, range(file.num_row_groups))
    columns = (group.column(place) for group in groups for place in range(group.num_columns))
    days = (c.statistics for c in columns if c.path_in_schema == DAY_IN_FILE and c.is_stats_set)
    if any({found.min, found.max} != {day} for found in days):
        raise ValueError(OF_OTHER_DAYS)


def _check_statistics(file: pq.ParquetFile, group: int, rows: pa.Table) -> None:
    """Raise where a row group's statistics are not those of its Tweets and days: a filter would leave rows out."""
    about = file.metadata.row_group(group)
    for place in range(about.num_columns):
        column = about.column(place)
        if column.path_in_schema in {"tweet_id", "day", "date"} & {*rows.column_names} and column.is_stats_set:
            true = pc.min_max(rows[column.path_in_schema]).as_py()
            if (column.statistics.min, column.statistics.max) != (true["min"], true["max"]):
                raise ValueError(f"its statistics of {column.path_in_schema} are wrong")


def _sums(path: Path, table: Table, rows: pa.Table) -> dict[date, int]:
    """Return the counts of some rows of ENGAGEMENTS or DAILY, summed by UTC day; nothing of another table."""
    if table is ENGAGEMENTS:
        return {date.fromisoformat(path.parent.name.partition("=")[2]): pc.sum(rows["count"]).as_py() or 0}
    if table is DAILY:
        summed = rows.group_by("day").aggregate([("count", "sum")])
        return dict(zip(summed["day"].to_pylist(), summed["count_sum"].to_pylist(), strict=True))
    return {}


def _followed(rows: pa.Table) -> list[int]:
    found: list[int] = rows.filter(pc.fill_null(rows["followed"], False))["tweet_id"].to_pylist()
    return found


def _covered(parts: list[pa.Table]) -> Covered:
    names = READ_ALWAYS[COVERAGE]
    rows = pa.concat_tables([COVERAGE.schema.empty_table().select(names), *(part.select(names) for part in parts)])
    stored = rows.filter(pc.greater(rows["rows"], 0))
    counts = pc.add(rows["answer_count"], rows["kept_count"])
    known = stored["answer_count"].null_count == 0
    return Covered(
        rows=pc.sum(rows["rows"]).as_py() or 0,
        total=(pc.sum(counts).as_py() or 0) if known else None,
        pulled_at=pc.max(stored["pulled_at"]).as_py(),
        sources=frozenset(pc.unique(rows["source"].drop_null()).to_pylist()),
        outcomes=rows.select(["tweet_id", "asked_at"]).append_column("outcome", rows["outcome"].dictionary_encode()),
    )


def day_of(path: Path) -> date | None:
    """Return the UTC day that a file is of, None where its folder names none."""
    day = path.parent.name.partition("=")[2]
    return date.fromisoformat(day) if day else None


def quoted(path: Path) -> str:
    """Return a path as a shell reads it."""
    return shlex.quote(str(path))


def pull_again(patient: Patient, first: object, last: object) -> str:
    """Return the command that pulls days of the lake's source."""
    lake = patient.lake
    named = f" --source {lake.source}" if lake.source in OF_TWEETS else f" --endpoint {lake.hourly}"
    configured = lake.source == patient.settings.source or patient.settings.source_of
    named = "" if configured and lake.source in OF_TWEETS else named
    return f"engagement pull --from {first} --to {last}{named}"


def apart(patient: Patient, path: Path) -> str:
    """Return the command that moves a file or folder out of the lake, beside it; it overwrites nothing."""
    root = (patient.home or patient).lake.root
    kept = root.with_name(f"{root.name}.apart") / f"{patient.now:%Y%m%dT%H%M%SZ}"
    return moved(path, into=kept / path.relative_to(root).parent)


def spans(days: Iterable[date]) -> list[tuple[date, date]]:
    """Return the first and last day of each run of UTC days that follow one another."""
    found: list[tuple[date, date]] = []
    for day in sorted(days):
        if found and day - found[-1][1] == timedelta(days=1):
            found[-1] = found[-1][0], day
        else:
            found.append((day, day))
    return found
