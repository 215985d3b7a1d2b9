"""Whether a lake's catalogue is as this program wrote it, and as it would write it now.

In: a lake. Out: yes or no, from a note beside the catalogue. It has the version of the views, what the catalogue's
bytes were, the files that were there to read, and those that marts in files were made of. Where the note is lost, the
catalogue is written again.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING

import duckdb

from engagement_pipeline.core.tables import TABLES, TWEETS
from engagement_pipeline.query import files, stored, truth
from engagement_pipeline.query.views import all_macros, all_views

if TYPE_CHECKING:
    from pathlib import Path

    from engagement_pipeline.core.table import Table
    from engagement_pipeline.lake.layout import Lake

NOTE = "catalog"


def put(lake: Lake, stamps: str) -> None:
    """Note what the catalogue is, which this program has just written.

    `stamps` are those of stored.py from before: where a publication has ended since, the catalogue is not whole.
    """
    lake.storage.note(NOTE, b" ".join((_origin(lake), stamps.encode(), _found(lake))))


def is_whole(lake: Lake) -> bool:
    """Tell whether the catalogue is as this program wrote it for the place where it lies.

    It is not where a mart in a file may be older than the tables.
    """
    return _noted(lake)[:1] == [stored.stamps(lake).encode()]


def is_current(lake: Lake) -> bool:
    """Tell whether the catalogue is as this program would write it now, and nobody has locked it.

    Raises LakeError where a damaged file is in the way.
    """
    return _noted(lake)[1:] == [_found(lake)] and not blind(lake) and _opens(lake)


def _noted(lake: Lake) -> list[bytes]:
    """Return what is noted of the marts in files and of all files, nothing if the catalogue is another by now."""
    try:
        noted, origin = lake.storage.noted(NOTE), _origin(lake)
        intact = noted.startswith(origin) and not is_written_into(lake)
    except OSError:
        return []
    return noted.removeprefix(origin).split() if intact else []


def blind(lake: Lake) -> str:
    """Return the name of a view without a file to read: there is no row, and its stand-in is missing or damaged."""
    tables = (table for table in TABLES.values() if not lake.storage.holds(table.glob))
    return next((table.name for table in tables if _lacks_stand_in(lake, table)), "")


def version(place: files.Place) -> str:
    """Return a text that changes with what the views of a catalogue for a place are, and not with the files there."""
    sources = (files.over(table, place, table.glob) for table in TABLES.values())
    return _hash(place.guard, *sources, *map(repr, (*all_views(), *all_macros())))


def written_into(catalog: Path) -> Path:
    """Return where it lies what somebody writes into a catalogue, until DuckDB puts it into the file."""
    return catalog.with_name(catalog.name + ".wal")


def is_written_into(lake: Lake) -> bool:
    """Tell whether somebody writes into the catalogue, which DuckDB does with files alone."""
    return lake.storage.is_local and lake.storage.exists(written_into(lake.catalog))


def _origin(lake: Lake) -> bytes:
    """Return what changes with the version of the views, with their place, and with the bytes of the catalogue."""
    held = hashlib.sha256(lake.storage.read(lake.catalog)).hexdigest()
    return f"{version(files.own(lake))} {held}".encode()


def _found(lake: Lake) -> bytes:
    """Return what changes with the files that the views find: which tables have any, and what is in the roster's."""
    place = files.own(lake)
    sources = truth.by_source(lake, place, live=True) | truth.selects(lake, place, live=True)
    kept = stored.selects(lake, place)
    return _hash(duckdb.__version__, _roster_columns(lake), *sources.values(), *kept.values()).encode()


def _roster_columns(lake: Lake) -> str:
    """Return the columns of the roster's file, which may have more than the table."""
    from engagement_pipeline.lake.parquet import opened  # noqa: PLC0415 - a query needs no Arrow

    path = lake.root / TWEETS.file
    if not lake.storage.exists(path):
        return ""
    with opened(lake, path) as file:
        return str(file.schema_arrow.remove_metadata())


def _opens(lake: Lake) -> bool:
    """Tell whether a reader can open the catalogue: who has opened it to write locks all others out."""
    with (
        suppress(duckdb.Error),
        lake.storage.file(lake.catalog) as catalog,
        duckdb.connect(str(catalog), read_only=True),
    ):
        return True
    return False


def _lacks_stand_in(lake: Lake, table: Table) -> bool:
    from engagement_pipeline.lake.parquet import is_sound  # noqa: PLC0415 - a query needs no Arrow

    path = files.stand_in(lake, table)
    readable = path.suffix != ".parquet" or is_sound(lake, path, table)
    return not (lake.storage.exists(path) and readable)


def _hash(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
