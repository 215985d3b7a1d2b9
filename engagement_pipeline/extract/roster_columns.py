"""The roster's columns: the names under which the lake keeps them, and one type a column if files or days differ.

In: the names of a file's columns, and tables with columns of one name and several types. Out: one table, with names
that no other view of the lake has, so that joins with the view `tweets` stay unambiguous. DuckDB ignores the case of
names, so this module does too.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa

from engagement_pipeline.core.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

TWEET_ID, HANDLE, FOLLOWED, POSTED_AT = "tweet_id", "handle", "followed", "posted_at"
PREFIX = "roster_"
SHARED = {TWEET_ID, HANDLE, "text"}  # text: the API's own words in coverage, but the Tweet's in any roster
OF_MARTS = {"provisional", "partial"}  # of engagements_now
MOST_DIGITS = 38  # of a decimal; of one with more, DuckDB makes a double
TAKEN = {
    column.name for table in TABLES.values() if TWEET_ID in table.schema.names for column in table.columns
} - SHARED | OF_MARTS


def named(found: Sequence[str], *, own: Collection[str] = ()) -> list[str]:
    """Return the name under which to keep each column.

    A column gets another name if a view has a column of its name, if the name stands twice, or if it is empty. `own`
    are columns that the lake itself has written; they keep their names.
    """
    names, used = [], set(own)
    for place, text in enumerate(found, 1):
        name = text.strip() or f"column_{place}"
        if name in own:
            names.append(name)
            continue
        if name.lower() in {TWEET_ID, HANDLE}:
            name = name.lower()
        elif name.lower() in TAKEN:
            name = PREFIX + name
        free, number = name, 1
        while free.lower() in used:
            number += 1
            free = f"{name}_{number}"
        used.add(free.lower())
        names.append(free)
    return names


def joined(tables: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of several tables as one table with all their columns; null if a table lacks the column.

    A column of several types gets one type that holds all values unchanged. If there is none, it becomes text.
    """
    spelled: dict[str, str] = {}  # as the first table writes it, by lower case
    for table in tables:
        for name in table.column_names:
            spelled.setdefault(name.lower(), name)
    columns = {name: _column([_part(table, key) for table in tables]) for key, name in spelled.items()}
    return pa.table(columns)


def _part(table: pa.Table, key: str) -> pa.ChunkedArray:
    place = next((place for place, name in enumerate(table.column_names) if name.lower() == key), None)
    return pa.chunked_array([pa.nulls(len(table))]) if place is None else plain(table.column(place))


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column in its plain type: no dictionary, extension type, wide offsets, views, nor too long decimals."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return plain(column.cast(kind.storage_type))
    if pa.types.is_dictionary(kind):
        return plain(column.cast(kind.value_type))
    wanted = _plain_type(kind)
    return column if kind == wanted else column.cast(wanted)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type that holds the same values, without what Arrow cannot pick rows of or DuckDB would round."""
    if pa.types.is_decimal(kind) and kind.precision > MOST_DIGITS:
        return pa.string()
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_plain_type(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([part.with_type(_plain_type(part.type)) for part in kind])
    return kind


def _column(parts: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray:
    kinds = {part.type for part in parts} - {pa.null()}
    kind = _common(kinds)
    try:
        same = [part if part.type == kind else part.cast(kind) for part in parts]
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # a number too large, a time too far
        same = [_as_text(part) for part in parts]
    return pa.chunked_array([chunk for part in same for chunk in part.chunks], same[0].type)


def _common(kinds: Collection[pa.DataType]) -> pa.DataType:
    """Return the type that holds all values of these types unchanged; text if there is none."""
    if len(kinds) <= 1:
        return next(iter(kinds), pa.null())
    if all(map(pa.types.is_integer, kinds)):
        return pa.int64()
    if all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in kinds):
        return pa.float64()
    if all(pa.types.is_date(kind) or pa.types.is_timestamp(kind) for kind in kinds):
        zones = {kind.tz for kind in kinds if pa.types.is_timestamp(kind)}
        dates = any(map(pa.types.is_date, kinds))
        if zones <= {None} or (None not in zones and not dates):
            return pa.timestamp("us", "UTC" if zones - {None} else None)
    return pa.string()


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of any type as text; a list or a struct becomes JSON."""
    try:
        return column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        texts = [None if value is None else _written(value) for value in column.to_pylist()]
        return pa.chunked_array([pa.array(texts, pa.string())])


def _written(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return json.dumps(value, ensure_ascii=False, default=str)
