"""Read the roster: which Tweets we follow, and which handle owns each.

    roster_files     the setting `tweets` -> the rows of each file
    roster_rows      which rows can be used, and what is wrong with the others (rounded_ids)
    roster_columns   one name and one type for each column

In: the files that the setting names, and the handles of the accounts. Out: a Roster sorted by tweet_id, and the bad
rows by file and line. Files that are left alone, columns that are renamed and values that differ are logged.
"""

from __future__ import annotations

import io
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engagement_pipeline.core.errors import LakeError, RosterError, raise_not_given
from engagement_pipeline.core.model import FIRST_SNOWFLAKE, SNOWFLAKE_EPOCH, Tweet
from engagement_pipeline.core.rows import TIMESTAMP
from engagement_pipeline.core.words import counted, first_few
from engagement_pipeline.extract import roster_files, roster_rows, rounded_ids
from engagement_pipeline.extract.roster_columns import FOLLOWED, HANDLE, POSTED_AT, TWEET_ID, joined, named
from engagement_pipeline.extract.roster_rows import Bad
from engagement_pipeline.lake import owners
from engagement_pipeline.lake.parquet import detail_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from engagement_pipeline.extract.roster_files import Rows
    from engagement_pipeline.extract.roster_rows import Good
    from engagement_pipeline.lake.layout import Lake

logger = logging.getLogger(__name__)
SHOWN_ROWS = 10


@dataclass(frozen=True, slots=True)
class Roster:
    """The Tweets that we follow.

    tweets: sorted by tweet_id.
    table: the same Tweets in the same order, as Arrow. Its columns are tweet_id (int64), handle (string, null for a
        Tweet of others), posted_at (timestamp[us, UTC], null before Snowflake IDs) and the roster's further columns.
    files: the IDs in each file, in the file's order.
    bad_rows: the rows that were left out, as lines of text; many rows of one kind are one line.
    unknown: the Tweets of these rows that nobody can ask for, because their handle is not in the accounts file.
    """

    tweets: tuple[Tweet, ...]
    table: pa.Table
    files: Mapping[Path, npt.NDArray[np.int64]]
    bad_rows: tuple[str, ...]
    unknown: tuple[Tweet, ...] = ()

    def without(self, gone: Collection[int]) -> Roster:
        """Return it without some Tweets; the files are as they were."""
        if not gone:
            return self
        stays = pa.array([tweet.tweet_id not in gone for tweet in self.tweets])
        return replace(
            self,
            tweets=tuple(tweet for tweet in self.tweets if tweet.tweet_id not in gone),
            table=self.table.filter(stays),
            unknown=tuple(tweet for tweet in self.unknown if tweet.tweet_id not in gone),
        )


def load(pattern: str, *, handles: Collection[str], skip_bad_rows: bool = False) -> Roster:
    """Read every file that `pattern` names. A Tweet that stands twice with the same handle counts once.

    Raises RosterError if no file or no usable Tweet is found, or if a file cannot be read. Unless `skip_bad_rows`, it
    also raises RosterError for a bad row: a bad or rounded ID, a handle outside `handles`, or a Tweet that an earlier
    row gives to another handle.
    """
    files = _files(pattern, handles)
    judged = [roster_rows.judged(rows, handles) for rows in files]
    good = [roster_rows.exact(rows) for rows, _ in judged]
    table, clashing, differing = _merged([rows for rows, _ in good])
    bad = [row for _, found in (*judged, *good) for row in found] + clashing
    lines = roster_rows.lines(bad)
    if bad and not skip_bad_rows:
        shown = "; ".join(lines[:SHOWN_ROWS]) + (f"; and {len(lines) - SHOWN_ROWS} more" if lines[SHOWN_ROWS:] else "")
        raise RosterError(
            f"{counted(len(bad), 'bad row')} of the roster: {shown}. Correct them, or go on without them: "
            "--skip-bad-rows, or the setting skip_bad_rows",
            rows=lines,
        )
    for line in (*(f"left out: {line}" for line in lines), *_renamed(files), *differing):
        logger.warning("%s", line)
    if not table.num_rows:
        raise RosterError(
            f"the roster {pattern} holds no Tweet to pull: write a row of tweet_id and handle for each, as the README "
            "shows",
            rows=lines,
        )
    tweets = map(Tweet, table[TWEET_ID].to_pylist(), table[HANDLE].fill_null("").to_pylist())
    known = {*table[TWEET_ID].to_pylist()} if bad else set()
    unknown = {row.tweet.tweet_id: row.tweet for row in bad if row.tweet and row.tweet.tweet_id not in known}
    return Roster(
        tuple(tweets), table, {rows.source.path: rows.ids for rows, _ in good}, tuple(lines), tuple(unknown.values())
    )


def _files(pattern: str, handles: Collection[str]) -> list[Rows]:
    """Return the rows of each file of the roster, and log what is left alone."""
    paths, ignored = roster_files.find(pattern)
    read = {path: roster_files.read(path, handles) for path in paths}
    found = [rows for rows in read.values() if rows]
    ignored = sorted([*ignored, *(path for path, rows in read.items() if not rows)])
    names = [f"{path} (a folder)" if path.is_dir() else str(path) for path in ignored]
    left = first_few(names, SHOWN_ROWS)
    kinds = f"{', '.join(roster_files.READERS)}, or one of these and {roster_files.PACKED}"
    if not found:
        also = f", but {left}" if ignored else ""
        raise RosterError(
            f"no roster: {pattern} names no file ending in {kinds}{also}: run engagement roster sync, which finds the "
            "Tweets of your accounts, or write a file with the columns tweet_id and handle"
        )
    if ignored:
        logger.warning(
            "left alone, not a file of the roster: %s; such a file ends in %s, and has tweet_id and handle", left, kinds
        )
    return found


def _merged(parts: Sequence[Good]) -> tuple[pa.Table, list[Bad], list[str]]:
    """Return the rows of all files, sorted by tweet_id, with one row a Tweet.

    A Tweet keeps its first row, and later rows fill what that row leaves empty. The other results are the rows that
    give a Tweet to another handle than its first row does, and a line for each further column with differing values.
    Where the program's own files differ from the user's, the user's count, and that is no news.
    """
    table, ids = joined([part.table() for part in parts]), np.concatenate([part.ids for part in parts])
    _, firsts, inverse = np.unique(ids, return_index=True, return_inverse=True)
    first = firsts[inverse]
    later = np.flatnonzero(first != np.arange(len(ids)))
    synced = np.concatenate([np.full(len(part.ids), part.source.is_synced) for part in parts])
    bad: list[Bad] = []
    differing: list[str] = []
    if len(later):
        owners = np.array(table[HANDLE].fill_null("").to_pylist())
        same = owners[later] == owners[first[later]]
        for row in later[~same & ~synced[later]].tolist():
            whose = f"with the handle {owners[first[row]]}" if owners[first[row]] else "without a handle"
            text = f"tweet_id {ids[row]} is already in {_place(parts, first[row])} {whose}"
            bad.append(Bad(_place(parts, row), text, "clashing"))
        table, differing = _filled(table, later[same], first, parts, synced)
    table = table.take(pa.array(firsts))
    return table.add_column(2, POSTED_AT, _posted_at(ids[firsts])), bad, differing


def _filled(
    table: pa.Table,
    later: npt.NDArray[np.intp],
    first: npt.NDArray[np.intp],
    parts: Sequence[Good],
    synced: npt.NDArray[np.bool_],
) -> tuple[pa.Table, list[str]]:
    """Fill what the first row of a Tweet leaves empty from its later rows.

    Returns the table, and a line for each column in which rows of one Tweet have different values. `synced` tells the
    rows that the program wrote.
    """
    lines = []
    for place, name in enumerate(table.column_names[2:], 2):
        column = table.column(place)
        values = dict(zip(first[later].tolist(), column.take(pa.array(first[later])).to_pylist(), strict=True))
        sources, differing = np.arange(len(table)), []
        for row, value in zip(later.tolist(), column.take(pa.array(later)).to_pylist(), strict=True):
            one = first[row]
            if not _is_empty(value) and value != values[one]:
                if _is_empty(values[one]):
                    values[one], sources[one] = value, row
                elif not synced[row]:
                    differing.append(row)
        table = table.set_column(place, name, column.take(pa.array(sources)))
        if differing:
            kept, left = (_place(parts, row) for row in (first[differing[0]], differing[0]))
            lines.append(
                f"{name} differs where a Tweet stands twice, {len(differing):,} times: the first is kept, as in {kept} "
                f"and not {left}"
            )
    return table, lines


def _is_empty(value: object) -> bool:
    return value is None or value == "" or value != value  # noqa: PLR0124 - NaN


def _place(parts: Sequence[Good], row: int) -> str:
    """Return the file and line of a row, counted over all files."""
    for part in parts:
        if row < len(part.ids):
            return part.source.place(part.rows[row])
        row -= len(part.ids)
    raise IndexError(row)


def _posted_at(ids: npt.NDArray[np.int64]) -> pa.Array:
    """Return when Tweets were posted, as model.posted_at does; null if the ID carries no time."""
    moments = (ids >> 22) + round(SNOWFLAKE_EPOCH.timestamp() * 1000)
    return pa.array(moments, mask=ids < FIRST_SNOWFLAKE).cast(pa.timestamp("ms", "UTC")).cast(TIMESTAMP)


def _renamed(files: Sequence[Rows]) -> list[str]:
    """Return a line that says which columns are kept under another name, or no line if all keep theirs."""
    renamed = {found: name for rows in files for found, name in rows.renamed.items()}
    pairs = ", ".join(f"{found} as {name}" for found, name in renamed.items())
    why = "views of the lake have columns with these names, or the file has them twice"
    return [f"columns of the roster are kept under other names: {pairs}; {why}"] if renamed else []


def tell_unavailable(roster: Roster, unavailable: Collection[int]) -> None:
    """Warn of each file with so many unavailable Tweets that its IDs may be wrong."""
    for line in rounded_ids.suspects(roster.files, unavailable):
        logger.warning("%s", line)


def save_roster(lake: Lake, roster: Roster) -> None:
    """Write the roster into the lake, so that SQL can join it. A Tweet that has left the roster stays, unfollowed."""
    table = _followed(roster.table, value=True)
    known = _known(lake) if lake.storage.exists(lake.tweets) else None
    if known is not None:
        gone = known.filter(pc.invert(pc.is_in(known[TWEET_ID], table[TWEET_ID])))
        table = joined([table, _followed(gone, value=False)]).sort_by(TWEET_ID)
    buffer = io.BytesIO()
    pq.write_table(owners.told(lake, known, table), buffer, write_page_checksum=True)
    lake.storage.write_whole(lake.tweets, buffer.getvalue())


def _known(lake: Lake) -> pa.Table:
    """Return the Tweets in the lake, without the column followed. Raises LakeError if they cannot be read."""
    try:
        with lake.storage.source(lake.tweets) as file:
            known = pq.ParquetFile(file).read()
        ids = known[TWEET_ID].cast(pa.int64())
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise_not_given(error, lake.tweets)
        raise LakeError(
            f"{lake.tweets} is damaged ({detail_of(error)}), and nothing was asked: restore it from a "
            "backup of the lake. Without a backup, give it another name: the next pull writes the roster's Tweets "
            "again. Tweets that have left the roster keep their counts, but not their rows in the view tweets"
        ) from None
    known = known.set_column(known.column_names.index(TWEET_ID), TWEET_ID, ids)
    return known.rename_columns(named(known.column_names, own=(POSTED_AT, FOLLOWED)))


def _followed(table: pa.Table, *, value: bool) -> pa.Table:
    others = [name for name in table.column_names if name != FOLLOWED]
    return table.select(others).append_column(FOLLOWED, pa.repeat(pa.scalar(value), len(table)))
