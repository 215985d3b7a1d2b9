"""Marts that are kept in files, by month: answers that take long, and that many questions begin with.

    marts/MART/MONTH.parquet    what the mart's SELECT gave for days of a month; its metadata say what each was made of

In: a lake. Out: the SELECT of each such mart: over these files for the days that hold, and over the tables for all
others. So an answer is right whatever has become of the files, and nothing is lost with them.

A day holds while the files that its rows are made of are the same, the SELECT is, and the owners of its Tweets are. A
day with a Tweet that the roster does not know holds while the roster knows no other Tweets.

A mart of many rows has files of those months alone that no daily pull changes: each such pull would write the rows of a
whole month again.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import duckdb

from engagement_pipeline.core.dated import A_DAY, A_MONTH, ANY_DAY
from engagement_pipeline.core.days import month_ends, of_month
from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.core.tables import TABLES, TWEETS
from engagement_pipeline.lake.disk import literally
from engagement_pipeline.lake.layout import LAKE_LOCK
from engagement_pipeline.query import files, truth
from engagement_pipeline.query.views import all_views, identifier, quoted, reading

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from engagement_pipeline.core.table import Table
    from engagement_pipeline.lake.layout import Lake
    from engagement_pipeline.query.views import View

logger = logging.getLogger(__name__)
MADE_OF = b"made_of"  # in a file's metadata
ROW_GROUP = 262_144  # rows; a question about one Tweet reads the footers, which smaller groups make longer
SETTLED_AFTER = timedelta(days=28)  # after which no daily pull changes a day
ANYWHERE = files.Place(root="''")
MEMORY = "400MB"  # beyond that, DuckDB writes aside what it sorts


@dataclass(frozen=True, slots=True)
class Days:
    """The days of a mart that hold, with what they are made of, and the others that the lake or a file has.

    Of the others, those that are `due` are to be in files too, or no longer. Where a file is not `readable`, DuckDB can
    read none of them.
    """

    holding: Mapping[date, list[str]]
    others: frozenset[date]
    due: frozenset[date]
    readable: bool


def stored_views() -> list[View]:
    """Return the marts that are kept in files."""
    return [view for view in all_views() if view.stored]


def glob_of(view: View) -> str:
    """Return the glob that finds a mart's files."""
    return f"marts/{view.name}/{A_MONTH}.parquet"


def selects(lake: Lake, place: files.Place) -> dict[str, str]:
    """Return the SELECT of each mart that has days that hold; of the others, that of the mart itself is right."""
    found = ((view, days(lake, view)) for view in stored_views())
    return {
        view.name: _select(lake, view, place, known.others) for view, known in found if known.holding and known.readable
    }


def stamps(lake: Lake) -> str:
    """Return a text that changes whenever a day may no longer hold, or may hold again."""
    lakes = lake.of_tweets
    patterns = dict.fromkeys(pattern for view in stored_views() for pattern in (*_sources(lakes, view), glob_of(view)))
    found = [lake.storage.stamps(pattern) for pattern in (*patterns, TWEETS.glob)] if patterns else []
    return hashlib.sha256(repr(found).encode()).hexdigest()


def days(lake: Lake, view: View) -> Days:
    """Return which days of a mart hold."""
    now, owners = _made_of(lake, view), _owners(lake, view)
    kept: dict[date, list[str]] = {}
    damaged: set[date] = set()
    for path in lake.storage.find(glob_of(view)):
        try:
            kept |= _noted(lake, path)
        except LakeError:
            damaged.update(_days_of(path.name))
    holding = {day: made_of for day, made_of in kept.items() if _holds(made_of, now.get(day), owners)}
    others = (now.keys() | kept.keys() | damaged) - holding.keys()
    newest, in_files = max(now, default=date.min), kept.keys() | damaged
    due = {day for day in others if not view.settled or day in in_files or newest - month_ends(day) >= SETTLED_AFTER}
    return Days(holding, frozenset(others), frozenset(due), readable=not damaged)


def renew(lake: Lake, *, threads: int | None = None) -> None:
    """Make the days anew that do not hold, in so many threads of DuckDB; by default in as many as it sees cores.

    Where a file cannot be written, its days are computed by each query, and a line says so.
    """
    if not any(days(lake, view).due for view in stored_views()) or lake.storage.is_read_only():
        return
    try:
        with (
            lake.locked(LAKE_LOCK, "a publication"),
            lake.storage.staging(lake.staging) as aside,
            duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": str(aside)}) as connection,
        ):
            if threads:
                connection.execute(f"set threads = {threads}")
            lake.storage.admit(connection)
            connection.execute("set timezone = 'UTC'")
            months = {path: made for view in stored_views() for path, made in _renewed(connection, lake, view)}
            lake.storage.swap({staged: path for path, staged in months.items() if staged})
            for path in (path for path, staged in months.items() if not staged):
                lake.storage.remove(path)
    except OSError as error:
        logger.warning(
            "%s cannot be written: %s; so queries over the marts that need it compute it each time, which takes longer",
            error.filename or lake.root,
            error.strerror or error,
        )


def is_sound(lake: Lake, path: Path) -> bool:
    """Tell whether a mart's file can be read to its end."""
    from engagement_pipeline.lake.parquet import opened  # noqa: PLC0415 - a query needs no Arrow

    try:
        with opened(lake, path) as file:
            for group in range(file.num_row_groups):
                file.read_row_group(group)
    except LakeError:
        return False
    return True


def _holds(made_of: list[str], now: str | None, owners: tuple[str, ...]) -> bool:
    """Tell whether a day is made of what is there now; `owners` are the tokens of the roster, the newest last."""
    files_then, owners_then, tweets = made_of
    return files_then == now and owners_then in (owners if tweets == "known" else owners[-1:])


def _owners(lake: Lake, view: View) -> tuple[str, ...]:
    """Return the tokens of the owners, none that differ if a mart does not read the roster."""
    from engagement_pipeline.lake import owners  # noqa: PLC0415 - a query needs no Arrow

    return owners.tokens(lake) if reading(view.sql, [TWEETS.name]) else ("",)


def _tables(view: View) -> list[Table]:
    return [TABLES[name] for name in sorted(reading(view.sql, TABLES))]


def _sources(lakes: Sequence[Lake], view: View) -> Iterator[str]:
    """Yield the globs of the files by day or month that a mart reads, of a lake and of those within it.

    Which of two sources is shown, the coverage decides.
    """
    for each in lakes:
        within = "" if each is lakes[0] else f"{each.source}/"
        yield from (f"{within}{table.glob}" for table in _tables(view) if table is not TWEETS)
        if len(lakes) > 1:
            yield f"{within}coverage/endpoint={each.hourly}/day={A_DAY}/coverage.parquet"


def _made_of(lake: Lake, view: View) -> dict[date, str]:
    """Return a text for each day that changes with the mart's SELECT, or with the files of the day."""
    select = files.with_files(view.sql, truth.selects(lake, ANYWHERE, live=True, tables=_tables(view)))
    by_day: dict[date, list[str]] = {}
    for pattern in _sources(lake.of_tweets, view):
        for path, stamp in lake.storage.stamps(pattern).items():
            for day in _days_of(path):
                by_day.setdefault(day, []).append(f"{path} {stamp}")
    version = hashlib.sha256(select.encode())

    def hashed(texts: list[str]) -> str:
        digest = version.copy()
        digest.update("\0".join(texts).encode())
        return digest.hexdigest()[:16]

    return {day: hashed(texts) for day, texts in by_day.items()}


def _days_of(path: str) -> list[date]:
    """Return the day of a file, or all days of its month."""
    name = ANY_DAY.findall(path)[-1]
    if len(name) > len("2026-01"):
        return [date.fromisoformat(name)]
    return of_month(date.fromisoformat(f"{name}-01"))


def _noted(lake: Lake, path: Path) -> dict[date, list[str]]:
    """Return the days of a file, and what each is made of; LakeError where it is damaged."""
    from engagement_pipeline.lake.parquet import opened  # noqa: PLC0415 - a query needs no Arrow

    with opened(lake, path) as file:
        noted = json.loads((file.metadata.metadata or {})[MADE_OF])
        return {date.fromisoformat(day): made_of for day, made_of in noted.items()}


def _select(lake: Lake, view: View, place: files.Place, others: Collection[date]) -> str:
    """Return the SELECT over a mart's files, and over the tables for the days that do not hold."""
    kept = _from_files(view, files.at(place, glob_of(view)))
    if not others:
        return kept
    return f"{kept} where day not in ({_listed(others)}) union all {_computed(lake, view, place, others)}"


def _from_files(view: View, where: str) -> str:
    return f"select {_columns(view)} from read_parquet({where}, hive_partitioning = false)"


def _computed(lake: Lake, view: View, place: files.Place, chosen: Collection[date]) -> str:
    """Return the mart's own SELECT, over the files of some days alone."""
    sources = truth.selects(lake, place, days=chosen, tables=_tables(view))
    select = files.with_files(view.sql, sources)
    return f"select {_columns(view)} from ({select}) where day in ({_listed(chosen)})"


def _columns(view: View) -> str:
    return ", ".join(map(identifier, view.columns))


def _listed(chosen: Iterable[date]) -> str:
    return ", ".join(f"date {quoted(day)}" for day in sorted(chosen))


def _renewed(connection: duckdb.DuckDBPyConnection, lake: Lake, view: View) -> Iterator[tuple[Path, Path | None]]:
    """Yield each file of a mart with days that do not hold, and where a new one is staged; None: no day is left."""
    now, owner, known = _made_of(lake, view), _owners(lake, view)[-1], days(lake, view)
    for first in sorted({day.replace(day=1) for day in known.due}):
        path = lake.root / f"marts/{view.name}/{first:%Y-%m}.parquet"
        month = of_month(first)
        keep = {day: known.holding[day] for day in month if day in known.holding}
        if keep and not is_sound(lake, path):
            keep = {}
        fresh = {day: [now[day], owner, "known"] for day in month if day in now and day not in keep}
        staged = lake.staging / f"{view.name}.{path.name}"
        try:
            if fresh or keep:
                rows = _rows(lake, view, path=path, keep=keep, fresh=fresh)
                made = connection.sql(rows).to_arrow_reader(ROW_GROUP)
                _write(made, staged, found_by=view.key, keep=keep, fresh=fresh)
        except duckdb.Error as error:  # a file of the tables is damaged, and other commands name it
            logger.debug("%s cannot be made: %s", path, error)
        else:
            yield path, staged if fresh or keep else None


def _rows(lake: Lake, view: View, *, path: Path, keep: Collection[date], fresh: Collection[date]) -> str:
    """Return the SELECT of a month's rows: those of the days to keep from its file, those of fresh days computed."""
    place = files.fixed(lake)
    parts = [_computed(lake, view, place, fresh)] if fresh else []
    if keep:
        there = files.at(place, literally(path.relative_to(lake.root)))
        parts.append(f"{_from_files(view, there)} where day in ({_listed(keep)})")
    return f"select * from ({' union all '.join(parts)}) order by {', '.join(map(identifier, view.key))}"


def _write(
    rows: pa.RecordBatchReader,
    into: Path,
    *,
    found_by: Collection[str],
    keep: Mapping[date, list[str]],
    fresh: Mapping[date, list[str]],
) -> None:
    """Write a month's rows, and what its days are made of; row groups are found by some columns alone."""
    import pyarrow.compute as pc  # noqa: PLC0415 - a query needs no Arrow
    import pyarrow.parquet as pq  # noqa: PLC0415

    unknown: set[Any] = set()
    with pq.ParquetWriter(
        into, rows.schema, compression="zstd", write_page_checksum=True, write_statistics=[*found_by]
    ) as sink:
        for group in _row_groups(rows):
            sink.write_table(group, row_group_size=len(group))
            if "handle" in group.schema.names:
                unknown.update(pc.unique(group["day"].filter(pc.is_null(group["handle"]))).to_pylist())
        made_of = {**keep, **{day: [*of[:2], "unknown"] if day in unknown else of for day, of in fresh.items()}}
        sink.add_key_value_metadata({MADE_OF: json.dumps({str(day): of for day, of in made_of.items()})})


def _row_groups(rows: pa.RecordBatchReader) -> Iterator[pa.Table]:
    """Yield the rows in tables of a row group each, since DuckDB gives smaller batches."""
    import pyarrow as pa  # noqa: PLC0415 - a query needs no Arrow

    waiting: list[pa.RecordBatch] = []
    for batch in rows:
        waiting.append(batch)
        if sum(map(len, waiting)) >= ROW_GROUP:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)
