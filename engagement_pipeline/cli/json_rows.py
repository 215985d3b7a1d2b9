"""A query's answer as JSON, with exact values: what JSON's readers would round is text.

In: an Arrow table, or values of SQL's types. Out: an array of objects, one a line, or values that JSON has. No text
holds a character that commands a terminal.

A table becomes text by its columns. A Python object for each of its values would take several times as long.
"""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from engagement_pipeline.cli.grid import SAFE_INTEGER, TWEET_IDS
from engagement_pipeline.core.redaction import UNPRINTABLE

if TYPE_CHECKING:
    from typing import TextIO

_encode = json.JSONEncoder(ensure_ascii=False).encode  # json.dumps would make an encoder for each value
ROWS = 50_000  # that are in memory as text at once
DISTINCT = (  # of these types, each value of a column is written once, however many rows have it
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_boolean,
    pa.types.is_date,
    pa.types.is_timestamp,
    pa.types.is_decimal,
)


def write(table: pa.Table, file: TextIO) -> None:
    """Write a table as an array of objects, one a line."""
    before = "["
    for batch in table.to_batches(max_chunksize=ROWS):
        if batch.num_rows:
            file.write(before + ",\n ".join(_objects(batch).to_pylist()))
            before = ",\n "
    file.write("[]\n" if before == "[" else "]\n")


def _objects(batch: pa.RecordBatch) -> pa.Array:
    """Return the rows of a batch as text; of columns with the same name, the last counts."""
    parts: list[Any] = []
    for name, column in dict(zip(batch.schema.names, batch.columns, strict=True)).items():
        parts += [f"{', ' if parts else '{'}{json_text(name)}: ", pc.fill_null(_texts(name, column), "null")]
    return pc.binary_join_element_wise(*parts, "}", "")


def _texts(name: str, column: pa.Array) -> pa.Array:
    """Return the values of a column as JSON, null for those that are missing."""
    if pa.types.is_integer(column.type):
        return _whole(name, column)
    if any(is_one(column.type) for is_one in DISTINCT):
        column = column.dictionary_encode()
    if pa.types.is_dictionary(column.type):
        return _each(name, column.dictionary).take(column.indices)
    return _each(name, column)


def _each(name: str, column: pa.Array) -> pa.Array:
    return pa.array([None if v is None else json_text(as_json(v, name)) for v in column.to_pylist()], pa.string())


def _whole(name: str, column: pa.Array) -> pa.Array:
    """Return whole numbers as JSON: IDs, and those that a reader would round, as text."""
    digits = column.cast(pa.string())
    text = pc.binary_join_element_wise('"', digits, '"', "")
    if name.endswith(TWEET_IDS):
        return text
    ends = pc.min_max(column).as_py()
    if all(end is None or abs(end) <= SAFE_INTEGER for end in ends.values()):
        return digits
    exact = [value is None or abs(value) <= SAFE_INTEGER for value in column.to_pylist()]
    return pc.if_else(pa.array(exact), digits, text)


def json_text(value: Any) -> str:  # noqa: ANN401 - what JSON has
    """Return a value as JSON."""
    text = _encode(value)
    return UNPRINTABLE.sub(lambda sign: f"\\u{ord(sign[0]):04x}", text)


def as_json(value: Any, name: str = "") -> Any:  # noqa: ANN401 - a value of any SQL type
    """Return a value in JSON's terms: NaN becomes null, a decimal becomes a number, a time becomes ISO text."""
    if isinstance(value, dict):
        return {key: as_json(item, key) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item, name) for item in value]
    if isinstance(value, Decimal):  # DuckDB's sum of whole numbers has scale 0
        value = float(value) if value.as_tuple().exponent else int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if name.endswith(TWEET_IDS) or abs(value) > SAFE_INTEGER else value
    if value is None or isinstance(value, bool | str | float):
        return None if isinstance(value, float) and not isfinite(value) else value
    return value.isoformat() if isinstance(value, date) else str(value)
