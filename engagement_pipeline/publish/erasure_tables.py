"""The tables without Tweets that are forgotten: a file at a time, in row groups.

In: a file of a table, and the Tweets that are to go. Out: how many of its rows are theirs, and the file without them,
staged. What other rows say of them is masked, and a response that has another name is named by that.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engagement_pipeline.core.tables import TABLES
from engagement_pipeline.lake.parquet import opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from engagement_pipeline.core.erased import Erased
    from engagement_pipeline.core.table import Table
    from engagement_pipeline.lake.layout import Lake

TWEET_ID, SOURCE = "tweet_id", "source"
LINES = ".jsonl"  # how the files of a log end
EXAMPLE = "example"  # in a line: a part of an answer, and nobody can tell of which Tweet


class Held(NamedTuple):
    """What a file holds of Tweets: how many rows are theirs, and whether it becomes another without them."""

    rows: int
    changes: bool


def files(lake: Lake) -> Iterator[tuple[Table, Path]]:
    """Yield the files of all tables in Parquet."""
    yield from (each for each in _all_files(lake) if each[1].suffix != LINES)


def logs(lake: Lake) -> Iterator[tuple[Table, Path]]:
    """Yield the files of all tables with a line of JSON a row, or the pieces of which a storage makes them."""
    for table, path in _all_files(lake):
        if path.suffix == LINES:
            yield from ((table, piece) for piece in lake.storage.pieces(path))


def _all_files(lake: Lake) -> Iterator[tuple[Table, Path]]:
    for table in TABLES.values():
        yield from ((table, path) for path in lake.storage.find(table.glob))


def held(lake: Lake, path: Path, erased: Erased, *, moved: Mapping[str, str]) -> Held:
    """Look at a file; `moved` are the new names of responses, by their old ones. LakeError where it is damaged."""
    rows, changes = 0, False
    with opened(lake, path) as file:
        for group in range(file.num_row_groups):
            if _may_name(file, group, erased):
                found = file.read_row_group(group)
                left = _without(found, erased, moved, free=path == lake.tweets)
                rows += len(found) - len(left)
                changes = changes or left is not found
    return Held(rows, changes)


def stage(lake: Lake, path: Path, erased: Erased, *, moved: Mapping[str, str]) -> Path:
    """Write a file without the Tweets among what is staged; return where. OSError where it cannot be written."""
    staged = lake.staging / "without.parquet"
    with opened(lake, path) as file:
        schema = file.schema_arrow
    with closing(pq.ParquetWriter(staged, schema, compression="zstd", write_page_checksum=True)) as sink:
        for rows in _row_groups(lake, path):
            left = _without(rows, erased, moved, free=path == lake.tweets)
            if len(left):
                sink.write_table(left)
    return staged


def _row_groups(lake: Lake, path: Path) -> Iterator[pa.Table]:
    """Yield the row groups of a file. Nothing is written in here: what cannot be written is no damage of this file."""
    with opened(lake, path) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group)


def _may_name(file: pq.ParquetFile, group: int, erased: Erased) -> bool:
    """Tell whether a row group may name a Tweet; of a table of counts, its lowest and highest Tweet tell."""
    if any(not (pa.types.is_primitive(kind) or pa.types.is_dictionary(kind)) for kind in file.schema_arrow.types):
        return True
    column = file.metadata.row_group(group).column(file.schema_arrow.names.index(TWEET_ID))
    if not column.is_stats_set or not column.statistics.has_min_max:
        return True
    return any(column.statistics.min <= tweet <= column.statistics.max for tweet in erased.ids)


def _without(rows: pa.Table, erased: Erased, moved: Mapping[str, str], *, free: bool) -> pa.Table:
    """Return the rows of other Tweets; the same table if nothing changes.

    With `free` columns, which the roster brought, any column may name a Tweet.
    """
    theirs = pc.is_in(rows[TWEET_ID].cast(pa.int64()), pa.array(erased.ids, pa.int64()))
    left = rows.filter(pc.invert(theirs)) if pc.any(theirs).as_py() else rows
    for place, field in enumerate(left.schema):
        is_text = pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
        if is_text or (free and field.name != TWEET_ID):
            values = left[field.name].to_pylist()
            known = {} if field.name != SOURCE or free else moved
            cleaned = [_cleaned(value, erased, known) for value in values]
            if cleaned != values:
                left = left.set_column(place, field, pa.array(cleaned, field.type))
    return left


def _cleaned(value: Any, erased: Erased, moved: Mapping[str, str]) -> Any:  # noqa: ANN401 - of any column
    return erased.without(moved.get(value, value) if moved else value)


def log_without(lake: Lake, path: Path, erased: Erased) -> tuple[int, bytes]:
    """Return how many lines of a log name the Tweets, and the log without them.

    A line stays, since the contract counts its request; the example in it goes. One that is torn and names a Tweet
    goes.
    """
    named, lines = 0, []
    for line in lake.storage.lines(path):
        new = _line_without(line, erased)
        named += new != line
        lines.append(new)
    return named, b"".join(lines)


def _line_without(line: bytes, erased: Erased) -> bytes:
    try:
        fields = orjson.loads(line)
        asked = fields["tweet_ids"]
        stays = [tweet for tweet in asked if str(tweet) not in erased.texts]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return b"" if erased.named_in(line) else line
    if stays == asked and not erased.named_in(line):
        return line
    said = {name: value for name, value in fields.items() if name not in ("tweet_ids", EXAMPLE)}
    return orjson.dumps(fields | erased.without(said) | {"tweet_ids": stays} | _no_example(fields)) + b"\n"


def _no_example(fields: Mapping[str, Any]) -> dict[str, None]:
    return {EXAMPLE: None} if EXAMPLE in fields else {}
