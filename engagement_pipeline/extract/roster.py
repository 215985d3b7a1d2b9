"""Which Tweets we follow and which handle owns each.

In: the files that the `tweets` setting's glob names (CSV, JSON lines or Parquet, read by DuckDB) with the
columns `tweet_id` and `handle`; further columns are carried along. Out: a Roster sorted by tweet_id, and the
bad rows by file and line. IDs are 64-bit integers or text, never floats, which corrupt them past 2^53.
"""

from __future__ import annotations

import csv
import glob
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engagement_pipeline.core.errors import LakeError, RosterError
from engagement_pipeline.core.model import Tweet, posted_at
from engagement_pipeline.lake import storage
from engagement_pipeline.transport.accounts import normalised

if TYPE_CHECKING:
    from collections.abc import Container

    from engagement_pipeline.lake.layout import Lake

MAX_ID = 2**63 - 1
MAX_DIGITS = len(str(MAX_ID))
SHOWN_ROWS = 10
# Of a text file, every value is read as text: a guessed type could turn IDs into floats, a guessed quote or comment
# sign could lose rows. Only the delimiter of a CSV is guessed.
CSV = """header = true, all_varchar = true, null_padding = true, parallel = false,
    quote = '"', escape = '"', comment = '', hive_partitioning = false"""
JSON_LINES = "format = 'newline_delimited', maximum_depth = 1, sample_size = -1, hive_partitioning = false"
READERS = {
    ".csv": f"select * from read_csv({{}}, {CSV})",
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), f"select columns(*) ->> '$' from read_json({{}}, {JSON_LINES})"),
    ".parquet": "select * from read_parquet({}, hive_partitioning = false)",
}


@dataclass(frozen=True, slots=True)
class Roster:
    """What we follow.

    `tweets` is sorted by tweet_id; `table` holds the same Tweets in the same order as Arrow: tweet_id int64,
    handle string (null for a Tweet of others), posted_at timestamp[ms, UTC] (null before Snowflake), and the roster's
    further columns.
    `bad_rows` are the rows that were left out, one line of text each.
    """

    tweets: tuple[Tweet, ...]
    table: pa.Table
    bad_rows: tuple[str, ...]


def load(pattern: str, *, handles: Container[str], skip_bad_rows: bool = False) -> Roster:
    """Read every file that `pattern` names.

    Raises RosterError where no file or no usable Tweet is found, where a file cannot be read, and, unless
    `skip_bad_rows`, where any row has a bad ID, a handle outside `handles`, or an ID that was there before.
    """
    names = sorted(glob.glob(pattern))  # noqa: PTH207 - the pattern is absolute, which Path.glob refuses
    paths = [path for path in map(Path, names) if path.suffix in READERS and path.is_file()]
    if not paths:
        kinds = ", ".join(READERS)
        raise RosterError(f"no roster: {pattern} names no file ending in {kinds}; the README shows what one holds")
    first_seen: dict[int, str] = {}
    tables: list[pa.Table] = []
    bad: list[str] = []
    for path in paths:
        table, problems = _read(path, handles, first_seen)
        tables.append(table)
        bad += problems
    if bad and not skip_bad_rows:
        shown = "; ".join(bad[:SHOWN_ROWS]) + (f"; and {len(bad) - SHOWN_ROWS} more" if len(bad) > SHOWN_ROWS else "")
        raise RosterError(f"{_rows(len(bad))} of the roster: {shown}. Mend them or pass --skip-bad-rows", rows=bad)
    try:
        table = pa.concat_tables(tables, promote_options="permissive").sort_by("tweet_id")
    except pa.ArrowException as error:
        raise RosterError(f"the files of {pattern} disagree on a column's type: {_flat(error)}") from None
    if not table.num_rows:
        raise RosterError(
            f"the roster {pattern} holds no Tweet to pull: write a row of tweet_id and handle for each, as the README "
            "shows",
            rows=bad,
        )
    tweets = map(Tweet, table["tweet_id"].to_pylist(), table["handle"].fill_null("").to_pylist())
    return Roster(tuple(tweets), table, tuple(bad))


def _rows(count: int) -> str:
    return "1 bad row" if count == 1 else f"{count} bad rows"


def _read(path: Path, handles: Container[str], first_seen: dict[int, str]) -> tuple[pa.Table, list[str]]:
    """Return a file's good rows as a table, and its bad ones as text."""
    if not path.stat().st_size:
        raise RosterError(f"{path} is empty: it needs the columns tweet_id and handle, or to be moved away")
    try:
        with duckdb.connect() as connection:
            raw = connection.sql(READERS[path.suffix].format(_literal(path))).to_arrow_table()
    except duckdb.Error as error:
        raise RosterError(f"{path} cannot be read: {_flat(error)}") from None
    for column in ("tweet_id", "handle"):
        if column not in raw.column_names:
            raise RosterError(f"{path} has no column {column}: it has {', '.join(raw.column_names)}")
    good, ids, owners, bad = [], [], [], []
    for row, (value, handle) in enumerate(zip(raw["tweet_id"].to_pylist(), raw["handle"].to_pylist(), strict=True)):
        problem = _problem(value, handle, handles)
        tweet_id = 0 if problem else int(str(value))
        if not problem and tweet_id in first_seen:
            problem = f"tweet_id {tweet_id} is already in {first_seen[tweet_id]}"
        if problem:
            bad.append((row, problem))
            continue
        first_seen[tweet_id] = path.name
        good.append(row)
        ids.append(tweet_id)
        owners.append(normalised(str(handle or "")) or None)
    table = raw.take(pa.array(good, pa.int64()))
    further = [name for name in table.column_names if name not in {"tweet_id", "handle", "posted_at"}]
    columns = {
        "tweet_id": pa.array(ids, pa.int64()),
        "handle": pa.array(owners, pa.string()),
        "posted_at": pa.array([posted_at(tweet_id) for tweet_id in ids], pa.timestamp("ms", "UTC")),
        **{name: table[name] for name in further},
    }
    places = _places(path) if bad else []
    where = places if len(places) == raw.num_rows else [f"row {row + 1}" for row in range(raw.num_rows)]
    return pa.table(columns), [f"{path}:{where[row]} {text}" for row, text in bad]


def _literal(path: Path) -> str:
    """Return a path as an SQL literal that DuckDB takes for this one file, whatever is in its name."""
    return "'" + glob.escape(str(path)).replace("'", "''") + "'"


def _flat(error: Exception) -> str:
    """Return what a reader says went wrong as one line, without its advice about its own options."""
    return " ".join(str(error).partition("\nPossible")[0].split())


def _problem(value: object, handle: object, handles: Container[str]) -> str | None:
    if isinstance(value, float):
        return f"tweet_id {value!r} is a floating-point number, which cannot hold an ID: write it as text"
    text = "" if value is None else str(value).strip()
    if not text:
        return "tweet_id is missing"
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS and 0 < int(text) <= MAX_ID):
        return f"tweet_id {text!r} is not a 64-bit whole number"
    owner = str(handle or "").strip()
    if owner and normalised(owner) not in handles:
        return f"handle {owner!r} is not in the accounts file"
    return None


def _places(path: Path) -> list[int | str]:
    """Return the line at which each record of a text file starts, empty for Parquet."""
    if path.suffix == ".parquet":
        return []
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        if path.suffix != ".csv":
            return [number for number, line in enumerate(file, 1) if line.strip()]
        with duckdb.connect() as connection:
            sniffed = connection.execute(f"select delimiter from sniff_csv({_literal(path)}, {CSV})").fetchone()
        starts: list[int | str] = []
        reader, start = csv.reader(file, delimiter=sniffed[0] if sniffed else ","), 1
        for record in reader:
            if record:
                starts.append(start)
            start = reader.line_num + 1
        return starts[1:]  # without the header


FOLLOWED = "followed"  # the column that tells the roster's Tweets from those that were in it once


def save_roster(lake: Lake, roster: Roster) -> None:
    """Keep the roster with the lake, so that SQL can join it; a Tweet that left the roster stays, not `followed`."""
    others = [name for name in roster.table.column_names if name != FOLLOWED]  # a roster taken from a lake has one
    table = roster.table.select(others).append_column(FOLLOWED, pa.repeat(pa.scalar(value=True), len(roster.table)))
    try:
        if lake.tweets.exists():
            known = pq.read_table(lake.tweets)
            gone = known.filter(pc.invert(pc.is_in(known["tweet_id"], table["tweet_id"])))
            gone = gone.set_column(
                gone.column_names.index(FOLLOWED), FOLLOWED, pa.repeat(pa.scalar(value=False), len(gone))
            )
            table = pa.concat_tables([table, gone], promote_options="permissive").sort_by("tweet_id")
    except (OSError, pa.ArrowException) as error:
        raise LakeError(
            f"{lake.tweets} cannot take the roster up ({str(error).splitlines()[0]}): move it away and run again"
        ) from None
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    storage.write_whole(lake.tweets, buffer.getvalue())
