"""DuckDB views over the Parquet of a lake.

In: a lake. Out: engagement.duckdb, a file of views and no data, replaced atomically: a reader that holds the
old one sees new Parquet through its globs, so nobody's lock blocks anybody. `connect` gives the same views in
memory, without opening that file. `elsewhere` writes them for readers who find the lake in another place.

    engagements, daily, revisions, totals, recent, coverage, set_aside, tweets, requests    a view each over the
                         files, typed and empty where there are none; and metrics, the dictionary
    marts/*.sql          one SELECT a mart, named for its file; one with parameters is a table macro

DuckDB 1.1 to 2.0 read the file. No view in it names another: what is attached under some name finds none by its own. So
a mart's SELECT brings those of the tables and marts that it reads.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import duckdb

from engagement_pipeline.core.errors import QUERY_INTERRUPTED, InputError, LakeError
from engagement_pipeline.core.tables import TABLES, TWEETS
from engagement_pipeline.lake.disk import literally
from engagement_pipeline.lake.storage import LocalStorage
from engagement_pipeline.query import files, seal, stored, truth
from engagement_pipeline.query.problems import closed, of_system, refused, told
from engagement_pipeline.query.views import BY_SOURCE, all_macros, all_views, identifier, needed, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from datetime import date
    from pathlib import Path

    import pyarrow as pa

    from engagement_pipeline.core.table import Table
    from engagement_pipeline.lake.layout import Lake
    from engagement_pipeline.lake.storages import Storage

T = TypeVar("T")

MEND = "what has landed or is published is kept. Make room or mend the rights, then run engagement catalog"
ELSEWHERE = "mend that, or name another place"
HUGE = "hugeint"  # the type of a sum of whole numbers
STORAGE = "v1.0.0"  # of DuckDB's files: the oldest that 2.0 writes


def refresh(lake: Lake, *, threads: int | None = None) -> Path:
    """Write engagement.duckdb, unless it is as one written now would be; return where it is.

    Marts in files are made first, in so many `threads` of DuckDB, by default in as many as it sees cores.
    """
    lake.open()
    with lake.storage.survey():
        if seal.is_whole(lake) and seal.is_current(lake):
            return lake.catalog
        stored.renew(lake, threads=threads)
        stamps = stored.stamps(lake)
        if not seal.is_current(lake):
            return _written(lake, stamps)
        seal.put(lake, stamps)
        return lake.catalog


def write(lake: Lake, *, threads: int | None = None) -> Path:
    """Write engagement.duckdb anew beside the old one, and put it in its place; marts first, as `refresh` does."""
    lake.open()
    with lake.storage.survey():
        stored.renew(lake, threads=threads)
        return _written(lake, stored.stamps(lake))


def _written(lake: Lake, stamps: str) -> Path:
    written = _write(lake, lake.catalog, files.own(lake), storage=lake.storage, advice=MEND)
    seal.put(lake, stamps)
    return written


def problem(lake: Lake) -> str:
    """Return why the lake's catalogue does not answer as one written now would; empty if it does."""
    if not lake.storage.exists(lake.catalog):
        return "it is missing"
    if blind := seal.blind(lake):
        return f"its view {blind} has no file to read"
    here = lake.catalog.absolute()
    try:
        with lake.storage.file(lake.catalog) as catalog, duckdb.connect(str(catalog), read_only=True) as found:
            versions = dict(found.execute("select sequence_name, comment from duckdb_sequences()").fetchall())
            if str(here) not in versions:
                return f"it was written for {', '.join(versions) or 'another place'}"
            if versions[str(here)] != seal.version(files.own(lake)):
                return "another version of this program wrote it"
    except duckdb.Error as error:
        return f"it cannot be read: {str(error).splitlines()[0]}"
    return ""


def elsewhere(lake: Lake, *, root: Path, output: Path) -> Path:
    """Write the lake's catalogue to a file for readers who find the lake in `root`; return where it is.

    Raises InputError where there is no lake, LakeError where the file cannot be written.
    """
    lake.open(create=False)
    return _write(lake, output, files.elsewhere(lake, root), storage=LocalStorage(output.parent), advice=ELSEWHERE)


def _write(lake: Lake, target: Path, place: files.Place, *, storage: Storage, advice: str) -> Path:
    """Write a catalogue whole or not at all, read-only: a tool that opens it to write would lock all others out.

    `advice` is what to do where it cannot be written.
    """
    try:
        storage.sweep_unfinished(target.parent, f"{literally(target.name)}.*")
        with storage.staging(target.with_name(f".{target.name}.staging.{os.getpid()}")) as folder:
            staged = folder / "views"  # under the catalogue's name, its views would look for the lake in this folder
            with duckdb.connect(str(staged), config={"storage_compatibility_version": STORAGE}) as connection:
                lake.storage.admit(connection)
                connection.execute(f"set variable {files.SHADOWED} = {quoted(lake.storage.location(''))}")
                if storage is lake.storage:
                    here = identifier(lake.catalog.absolute())
                    version = quoted(seal.version(place))
                    connection.execute(f"create sequence {here}; comment on sequence {here} is {version}")
                for table in TABLES.values():
                    files.write_stand_in(lake, table)
                connection.execute("begin")  # one write for all views, not one for each
                _create_views(connection, lake, place, live=True)
                _comment(connection)
                connection.execute("commit")
                connection.execute("checkpoint")  # at closing, a full disk would go unnoticed
            # Left by somebody who wrote into the old file and was killed; the new one would not open with it.
            storage.remove(seal.written_into(target))
            storage.swap({staged: target}, writable=False)
    except OSError as error:
        raise LakeError(f"{target} cannot be written: {error.strerror or error}; {advice}") from None
    except duckdb.Error as error:
        raise LakeError(f"{target} cannot be written: {of_system(error)}; {advice}") from None
    return target


def connect(
    lake: Lake, *, marts: bool = True, kept: bool = True, only: Collection[str] = ()
) -> duckdb.DuckDBPyConnection:
    """Return a connection of one's own with all views, or those of the tables alone, in memory and in UTC.

    Unless `kept`, no mart is read from files. With `only`, there are none but these, which must be with all they read.
    """
    connection = duckdb.connect()
    lake.storage.admit(connection)
    connection.execute("set timezone = 'UTC'")
    try:
        _create_views(connection, lake, files.fixed(lake), marts=marts, kept=kept, only=only)
    except duckdb.Error as error:
        raise LakeError(f"the files of {lake.root} cannot be read: {' '.join(str(error).split())}") from None
    return connection


def rows(lake: Lake) -> dict[str, int | None]:
    """Return the views and how many rows each table has, which its files say without being read.

    None stands for a table with a damaged file, and for a view that has no files: to count its rows is to answer it.
    """
    with connect(lake, marts=False) as connection:
        return {table.name: _rows(connection, table) for table in TABLES.values()} | dict.fromkeys(
            view.name for view in all_views()
        )


def _rows(connection: duckdb.DuckDBPyConnection, table: Table) -> int | None:
    try:
        counted = connection.execute(f"select count(*) from {table}").fetchall()
    except duckdb.Error:
        return None
    return int(counted[0][0])


def code_version() -> str:
    """Return a text that changes with what the views are."""
    parts = [*(repr(table.columns) for table in TABLES.values()), *map(repr, (*all_views(), *all_macros()))]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def query(lake: Lake, sql: str, *, unsafe: bool = False) -> pa.Table:
    """Answer one SQL query as Arrow; it reads the lake's files alone and changes nothing, unless `unsafe`.

    Raises as `answers` does.
    """
    return answers(lake, sql, as_arrow, unsafe=unsafe)[-1]


def as_arrow(answered: duckdb.DuckDBPyRelation | None) -> pa.Table:
    """Return an answer as Arrow; without columns for a statement that has none.

    A sum of whole numbers comes in 64 bits. One beyond that stays a decimal number, as Arrow has what DuckDB sums up.
    """
    import pyarrow as pa  # noqa: PLC0415 - a short answer is shown without it

    if answered is None:
        return pa.table({})
    table = answered.to_arrow_table()
    for place, kind in enumerate(answered.types):
        if kind.id == HUGE:
            with suppress(pa.ArrowInvalid):  # it does not fit
                table = table.set_column(place, table.column_names[place], table.column(place).cast(pa.int64()))
    return table


def answers(
    lake: Lake, sql: str, take: Callable[[duckdb.DuckDBPyRelation | None], T], *, unsafe: bool = False
) -> list[T]:
    """Run the statements of a text, and return what `take` makes of each answer; of a statement without one, of None.

    The views are those of engagement.duckdb, if that is as this program wrote it, and else new ones in memory. Where
    they cannot answer, new ones over the tables alone have the last word: a mart's file may be damaged.

    Raises InputError where there is no lake, where a statement does more than to read, or where it is wrong. Raises
    LakeError where a damaged file of the lake is in the way, or a folder that this user may not read.
    """
    lake.open(create=False)
    if unread := closed(lake):
        raise unread
    if not unsafe:  # else a statement that does more than to read might do it twice
        with suppress(duckdb.Error, LakeError), _views(lake, sql) as connection:
            return _taken(connection, lake, sql, take, unsafe=False)
    with connect(lake, kept=False) as connection:
        try:
            return _taken(connection, lake, sql, take, unsafe=unsafe)
        except duckdb.Error as error:
            raise _damage(lake, error) or InputError(f"the query failed: {told(error, sql)}") from None


def _views(lake: Lake, sql: str) -> duckdb.DuckDBPyConnection:
    """Return a connection with the views of engagement.duckdb, or with new ones for a query, in UTC."""
    if not seal.is_whole(lake):
        return connect(lake, only=needed(sql, [str(table) for table in TABLES.values()]))
    with lake.storage.file(lake.catalog) as catalog:  # once it is open, DuckDB needs no name of it
        connection = duckdb.connect(str(catalog), read_only=True)
    lake.storage.admit(connection)
    connection.execute("set timezone = 'UTC'")
    return connection


def _taken(
    connection: duckdb.DuckDBPyConnection,
    lake: Lake,
    sql: str,
    take: Callable[[duckdb.DuckDBPyRelation | None], T],
    *,
    unsafe: bool,
) -> list[T]:
    if not unsafe:
        refused(connection, sql)
        _confine(connection, lake)
    statements = [statement.query for statement in connection.extract_statements(sql)]
    try:
        return [take(connection.sql(statement)) for statement in statements] or [take(None)]
    except RuntimeError as error:
        if str(error) == QUERY_INTERRUPTED:
            raise KeyboardInterrupt from None
        raise


def _damage(lake: Lake, error: duckdb.Error) -> LakeError | None:
    """Return the error that names the damaged file behind DuckDB's, None where none is proven to be."""
    from engagement_pipeline.query.damage import damage_behind  # noqa: PLC0415 - reads files with Arrow

    return damage_behind(lake, error, TABLES.values())


def confined(lake: Lake) -> duckdb.DuckDBPyConnection:
    """Return a connection as `connect` does, which opens no file but the lake's and changes no setting."""
    connection = connect(lake)
    _confine(connection, lake)
    return connection


def _confine(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """Let a connection open no file but the lake's, and change no setting."""
    folders = dict.fromkeys((f"{lake.root.absolute()}/", lake.storage.location("")))  # DuckDB checks globs as well
    connection.execute(
        f"set allowed_directories = [{', '.join(map(quoted, folders))}]; set enable_external_access = false; "
        "set python_enable_replacements = false; set lock_configuration = true"
    )


def _create_views(
    connection: duckdb.DuckDBPyConnection,
    lake: Lake,
    place: files.Place,
    *,
    live: bool = False,
    marts: bool = True,
    kept: bool = True,
    only: Collection[str] = (),
) -> None:
    """Create all views, or those of the tables alone; raises LakeError where a damaged file is in the way."""
    views = [view for view in all_views() if marts and (not only or view.name in only)]
    macros = [macro for macro in all_macros() if marts and (not only or macro.name in only)]
    try:
        sources = truth.by_source(lake, place, live=live) | truth.selects(lake, place, live=live)
        if only:
            sources = {name: select for name, select in sources.items() if name in only or name in BY_SOURCE}
        in_files = stored.selects(lake, place) if kept and any(view.stored for view in views) else {}
        for view in views:
            sources[view.name] = in_files.get(view.name, view.sql)
        for schema in sorted({name.partition(".")[0] for name in sources if "." in name}):
            connection.execute(f"create schema {schema}")
        unnamed = {name: sources.pop(name) for name in BY_SOURCE}  # no view has their names
        inner = unnamed | sources if live else unnamed  # what is in memory is never attached
        whole = partial(files.with_files, sources=inner)
        for name, select in sources.items():
            connection.execute(f"create view {name} as {files.guarded(whole(select), place)}")
        for macro in macros:
            connection.execute(f"create macro {macro.call} as table {files.guarded(whole(macro.sql), place)}")
    except duckdb.Error as error:
        # A view takes its columns from its first file, whichever that is; a mart then lacks some.
        raise _damage(lake, error) or error from None


def create_day_views(connection: duckdb.DuckDBPyConnection, lake: Lake, tables: Iterable[Table], *, day: date) -> None:
    """Create a view over the files of each table that are of one UTC day; typed and empty where there are none."""
    for table in tables:
        of = lake.home if table is TWEETS else lake
        select = files.source(of, table, files.fixed(of), days=(day,))
        connection.execute(f"create or replace view {table} as {select}")


def _comment(connection: duckdb.DuckDBPyConnection) -> None:
    """Say in the catalogue what one row of each view is, and what each of its columns means."""
    for table in TABLES.values():
        meanings = {column.name: column.meaning for column in table.columns}
        _comment_on(connection, table.name, f"One row is {table.grain}. {table.description}", meanings)
    for view in all_views():
        _comment_on(connection, view.name, f"One row is {view.grain}. {view.description}", view.columns)
    for macro in all_macros():
        text = f"One row is {macro.grain}. {macro.description}"
        connection.execute(f"comment on macro table {macro.name} is {quoted(text)}")


def _comment_on(connection: duckdb.DuckDBPyConnection, view: str, text: str, meanings: Mapping[str, str]) -> None:
    connection.execute(f"comment on view {view} is {quoted(text.strip())}")
    for column, meaning in meanings.items():
        connection.execute(f'comment on column {view}."{column}" is {quoted(meaning)}')
