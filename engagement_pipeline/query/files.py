"""The SELECT over the files of each table: the only SQL that names files.

In: a Table, and a Place: where a reader finds the lake. Out: SQL that DuckDB 1.1 to 2.0 understands.

A file has exactly the name that the lake gives it: a copy beside it is no row of any table. Nor is a file under the
name of a day that there is not.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engagement_pipeline.core.dated import A_DAY, A_MONTH, A_STAMP
from engagement_pipeline.core.endpoints import ENDPOINTS
from engagement_pipeline.core.kinds import Kind
from engagement_pipeline.lake.disk import literally
from engagement_pipeline.query.views import identifier, quoted, reading

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from datetime import date
    from pathlib import Path

    import duckdb

    from engagement_pipeline.core.table import Table
    from engagement_pipeline.lake.layout import Lake

# DuckDB shows the pattern that matches nothing, and a class of characters may hold any text: so it names the fix.
ADVICE = ", nothing there; if the lake was moved or copied, run: engagement catalog --root DIR"
SHADOWED = "engagement_lake"  # the variable with which a catalogue for another place is written here
# DuckDB's default is the path of the database that is opened, and this: the only way in which a view can tell its
# place while its files are looked for. Where a database is attached, it is the place of another, and `guard` says so.
TEMPORARY = "current_setting('temp_directory')"
SUFFIX = ".tmp"
DATED = {  # by a part of a glob: how many characters of a path it fits, and the SQL that is NULL unless they are real
    A_DAY: (10, "try_cast({} as date)"),
    A_MONTH: (7, "try_cast({} || '-01' as date)"),
    A_STAMP: (23, "try_strptime({}, '%Y%m%dT%H%M%S.%fZ')"),
}
DATED_PART = re.compile(f"({'|'.join(map(re.escape, DATED))})")
LINK, OWNER = "'https://x.com/' || coalesce(handle, 'i') || '/status/' || tweet_id", "coalesce(handle, 'others')"
HOUR_AT = "to_timestamp((date - date '1970-01-01') * 86400 + hour * 3600)"  # of columns in the file


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a reader finds the lake.

    `root` is SQL for its folder as a glob that ends in a slash, `guard` SQL that is true or fails. `parts` is the glob
    behind the name of a file of lines, where that is a folder of parts.
    """

    root: str
    parts: str = ""
    guard: str = ""
    advice: str = ""


def fixed(lake: Lake) -> Place:
    """Return the lake's own folder, the same for every reader."""
    return Place(root=quoted(lake.storage.location("")), parts=lake.storage.parts)


def own(lake: Lake) -> Place:
    """Return the place for the catalogue in the lake; in a bucket nobody moves it, so that is the lake's own."""
    return beside(lake.catalog.absolute()) if lake.storage.is_local else fixed(lake)


def elsewhere(lake: Lake, root: Path) -> Place:
    """Return a place of other machines; while the views are written, a variable names the one that is here."""
    there = quoted(f"{literally(root)}/")
    return Place(root=f"coalesce(getvariable('{SHADOWED}')::varchar, {there})", parts=lake.storage.parts, advice=ADVICE)


def beside(catalog: Path) -> Place:
    """Return the folder in which a catalogue lies when it is opened, be it moved or copied.

    Attached, it cannot tell. Then it is the folder in which it was written, and it fails where it lies in another.
    """
    opened = quoted(f"/{catalog.name}{SUFFIX}")
    here = f"regexp_replace(left({TEMPORARY}, -{len(catalog.name + SUFFIX)}), '([*?\\[])', '[\\1]', 'g')"
    root = (
        f"case when suffix({TEMPORARY}, {opened}) then {here} "
        f"when {TEMPORARY} = {quoted(catalog.name + SUFFIX)} then './' "
        f"else {quoted(literally(catalog.parent) + '/')} end"
    )
    found = (
        f"case when suffix('/' || {TEMPORARY}, {opened}) then d.path || '{SUFFIX}' = {TEMPORARY} "
        f"else d.path = {quoted(catalog)} end"
    )
    refusal = (
        f"'this catalogue was written in {_inner(catalog.parent)}, and lies in ' || max(d.path) || ' now: open it by "
        "itself, or attach it by its whole path; if the lake was moved or copied, run: engagement catalog --root DIR'"
    )
    guard = (
        f"(select case when count(*) = 0 then true else error({refusal}) end from duckdb_databases() d "
        f"join duckdb_sequences() s on s.database_name = d.database_name "
        f"where s.sequence_name = {quoted(catalog)} and not ({found}))"
    )
    return Place(root=root, guard=guard, advice=ADVICE)


def source(
    lake: Lake,
    table: Table,
    place: Place,
    *,
    days: Collection[date] = (),
    live: bool = False,
    within: str = "",
) -> str:
    """Return the SELECT over a table's files, or over those of some UTC days alone.

    Where there are none it has the table's types and no rows; `live` has it find the files that come later too, and a
    stand-in must be there. `within` is the folder of another lake in the lake, where the files are then.
    """
    globs = dict.fromkeys(glob_of(table, day) for day in sorted(days)) or (table.glob,)
    patterns = [f"{within}/{glob}" if within else glob for glob in globs]
    found = lake.storage.those(patterns, lake.storage.holds)  # DuckDB refuses one that matches nothing
    if not found:
        if not live:
            columns = ", ".join(f'null::{kind} as "{name}"' for name, kind in _read_types(table).items())
            return _rows(table, f"(select {columns} where false)", [])
        found = [f"[.{patterns[0][0]}]{patterns[0][1:]}"]
    return over(table, place, *found)


def over(table: Table, place: Place, *patterns: str) -> str:
    """Return the SELECT over the files of a table that patterns find; DuckDB refuses one that finds none."""
    lines = table.glob.endswith(".jsonl")
    behind = place.parts if lines else ""
    conditions = [*_are_real(f"{table.glob}{behind}")]
    named = f"filename = {bool(conditions)}"
    if any("endpoint=*" in pattern for pattern in patterns):
        conditions.append(f"endpoint in ({', '.join(map(quoted, ENDPOINTS.values()))})")
    globs = ", ".join(at(place, f"{pattern}{behind}") for pattern in patterns)
    files = f"{f'[{globs}]' if patterns[1:] else globs}, {named}"
    if lines:
        # A line that a power cut left torn is left out.
        types = _read_types(table)
        read = f"read_json({files}, format = 'newline_delimited', columns = {types}, ignore_errors = true)"
        return _rows(table, read, [*conditions, f"{table.columns[0].name} is not null"])
    # Only where the folders' names give a column: after a filter on one that leaves the first file out, DuckDB 2.0
    # expects no rows at all, and so makes a join's hash table of a month of rows and not of some Tweets.
    # As text, since no query over a table could be answered where a folder's name is no day.
    folders = _in_folders(table)
    hive = f", hive_types = {{{', '.join(f'{name}: varchar' for name in folders)}}}" if folders else ""
    return _rows(table, f"read_parquet({files}, hive_partitioning = {bool(folders)}{hive})", conditions)


def at(place: Place, pattern: str) -> str:
    """Return the SQL for a pattern in a place."""
    told = f"{pattern[:-1]}[{pattern[-1]}{place.advice}]" if place.advice and pattern[-1] != "?" else pattern
    return f"{place.root} || {quoted(told)}"


def _are_real(glob: str) -> Iterator[str]:
    """Yield the conditions that leave out the files of a glob with days, months and moments that there are not.

    DuckDB asks the names alone, and never opens such a file.
    """
    width = 0  # of the path's end, which is the same for all of the files
    for part in reversed(DATED_PART.split(glob)):
        length, real = DATED.get(part, (len(part), ""))
        width += length
        if real:
            yield f"{real.format(f'left(right(filename, {width}), {length})')} is not null"


def _in_folders(table: Table) -> tuple[str, ...]:
    """Return the columns that are read from the names of folders; none unless a table has some there alone."""
    return (*table.in_folders, *table.in_file) if table.in_folders else ()


def _read_types(table: Table) -> dict[str, str]:
    """Return the types in DuckDB of what is read from a table's files and their folders, by the name there."""
    texts = _in_folders(table)
    return {
        _read_as(table, column.name): "varchar" if column.name in texts else column.kind.duckdb
        for column in table.columns
        if not column.derived
    }


def read_through(connection: duckdb.DuckDBPyConnection, lake: Lake, path: Path, names: Iterable[str]) -> None:
    """Have DuckDB read columns of a file to their end; raises duckdb.Error where it cannot."""
    file = f"{lake.storage.location('')}{literally(path.relative_to(lake.root))}"
    hashes = ", ".join(f'bit_xor(hash("{name}"))' for name in names)  # which no statistics answer
    connection.execute(f"select {hashes} from read_parquet({quoted(file)}, hive_partitioning = false)")


def glob_of(table: Table, day: date | None = None) -> str:
    """Return the glob that finds a table's files, or those of one UTC day."""
    return table.glob_of(day) if day else table.glob


def guarded(sql: str, place: Place) -> str:
    """Return a SELECT as one that fails where the place is not the one that it was written for."""
    return f"select * from ({sql}) where {place.guard}" if place.guard else sql


def with_files(sql: str, sources: dict[str, str]) -> str:
    """Return a SELECT over some tables and marts as one that needs no view, so that it answers wherever it is attached.

    `sources` has the SELECT of each, after those that it reads.
    """
    used = reading(sql, sources)
    for name in reversed(sources):
        if name in used:
            used |= reading(sources[name], sources)
    inner = ", ".join(f"{name} as not materialized ({sources[name]})" for name in sources if name in used)
    return f"with {inner} select * from (\n{sql}\n)" if inner else sql


def stand_in(lake: Lake, table: Table) -> Path:
    """Return where the hidden file without rows lies that a view reads until there are others."""
    name = table.glob.replace(A_DAY, "1970-01-01").replace(A_MONTH, "1970-01").replace("[0-9]", "0")
    return lake.root / f".{name.replace('*', next(iter(ENDPOINTS)))[1:]}"


def write_stand_in(lake: Lake, table: Table) -> None:
    """Write a table's stand-in if there is no other file of it."""
    if lake.storage.holds(table.glob):
        return
    path = stand_in(lake, table)
    buffer = io.BytesIO()
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq  # noqa: PLC0415 - a query over the catalogue needs no Arrow

        pq.write_table(table.file_schema.empty_table(), buffer)
    if not lake.storage.exists(path) or lake.storage.read(path) != buffer.getvalue():
        lake.storage.make_folder(path.parent)
        lake.storage.write_whole(path, buffer.getvalue())


def _rows(table: Table, read: str, conditions: Iterable[str]) -> str:
    """Return the SELECT of a table's columns from what reads its files."""
    made = {"hour_at": HOUR_AT, "table_name": _table_name(), "link": LINK, "owner": OWNER}
    for column in table.columns:
        if not column.derived:
            name = identifier(_read_as(table, column.name))
            dated = column.name in _in_folders(table) and column.kind is Kind.DATE
            made[column.name] = f"try_cast({name} as date)" if dated else name
    open_ended = not DATED_PART.search(table.glob)  # of a roster, there may be more columns
    named = [column.name for column in table.columns if column.derived or not open_ended]
    columns = ", ".join(["*"] * open_ended + [f"{made[name]} as {identifier(name)}" for name in named])
    where = " and ".join(conditions)
    return f"select {columns} from {read}{f' where {where}' if where else ''}"


def _read_as(table: Table, name: str) -> str:
    """Return the name under which a column is read: that in the files, unless the folders' names are read too.

    From a column of theirs, DuckDB knows which files to leave closed.
    """
    return name if table.in_folders else table.in_file.get(name, name)


def _table_name() -> str:
    """Return the SQL that tells which table an endpoint's answers fill."""
    cases = (f"when {quoted(endpoint)} then {quoted(endpoint.table)}" for endpoint in ENDPOINTS.values())
    return f"case endpoint {' '.join(cases)} end"


def _inner(text: object) -> str:
    """Return a text as it stands within an SQL literal."""
    return quoted(text)[1:-1]
