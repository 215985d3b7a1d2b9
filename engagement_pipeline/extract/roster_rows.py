"""Judge the rows of a roster's file one by one: which can be used, and what is wrong with the others.

In: the Rows of a file, and the handles of the accounts. Out: Good rows, with exact IDs and normalised handles; and Bad
rows, with a text that names the place and the fix.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from engagement_pipeline.core.handles import normalised, parse_handle
from engagement_pipeline.core.model import Tweet
from engagement_pipeline.core.nearest import nearest
from engagement_pipeline.core.tweet_ids import parse_tweet_id
from engagement_pipeline.extract import rounded_ids
from engagement_pipeline.extract.roster_columns import HANDLE, TWEET_ID

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    import numpy.typing as npt

    from engagement_pipeline.extract.roster_files import Rows

logger = logging.getLogger(__name__)
FLOAT = re.compile(r"\d+(\.\d*)?([eE]\+?\d+)?", re.ASCII)  # an ID that was a float once
SHOWN_ROWS = 10  # bad rows of one kind; if there are more, they are one line


@dataclass(frozen=True, slots=True)
class Bad:
    """A row that cannot be used. Rows of one `kind` become one line of text if they are many, or if `together`.

    `tweet` is its Tweet if only the handle is unknown.
    """

    place: str
    text: str
    kind: str
    together: bool = False
    tweet: Tweet | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Good:
    """The rows of a file that can be used: their places in the file, their IDs and their handles."""

    source: Rows
    rows: npt.NDArray[np.int64]
    ids: npt.NDArray[np.int64]
    owners: Sequence[str | None]

    def without(self, places: npt.NDArray[np.intp]) -> Good:
        """Return all rows except those at `places` among them."""
        kept = np.setdiff1d(np.arange(len(self.ids)), places)
        owners = [self.owners[place] for place in kept]
        return Good(source=self.source, rows=self.rows[kept], ids=self.ids[kept], owners=owners)

    def table(self) -> pa.Table:
        """Return the rows, tweet_id and handle first."""
        further = self.source.table.drop_columns([TWEET_ID, HANDLE]).take(pa.array(self.rows))
        columns = {TWEET_ID: pa.array(self.ids), HANDLE: pa.array(self.owners, pa.string())}
        return pa.table(columns | dict(zip(further.column_names, further.columns, strict=True)))


def judged(source: Rows, handles: Collection[str]) -> tuple[Good, list[Bad]]:
    """Return a file's good rows and its bad ones."""
    rows, ids, owners, bad = [], [], [], []
    known: dict[str, tuple[str | None, str]] = {}  # by the handle as it is written
    columns = (source.table[name].to_pylist() for name in (TWEET_ID, HANDLE))
    for row, (value, written) in enumerate(zip(*columns, strict=True)):
        handle = "" if written is None else str(written)
        if handle not in known:
            known[handle] = _owner(handle, handles)
        owner, stranger = known[handle]
        kind, text = ("misshapen", source.misshapen[row]) if row in source.misshapen else _wrong(value)
        if kind:
            bad.append(Bad(source.place(row), text, f"{source.path} {kind}"))
        elif stranger:
            tweet = Tweet(int(value), owner or "")
            bad.append(Bad(source.place(row), stranger, f"handle {owner}", together=True, tweet=tweet))
        else:
            rows.append(row)
            ids.append(int(value))
            owners.append(owner)
    return Good(source=source, rows=np.array(rows, np.int64), ids=np.array(ids, np.int64), owners=owners), bad


def exact(good: Good) -> tuple[Good, list[Bad]]:
    """Separate the rows that surely have a rounded ID, as bad rows. If some only may have one, log that."""
    found = rounded_ids.look(good.ids)
    if not found:
        return good, []
    told = f"{found}, and name other Tweets or none: {rounded_ids.CURE}"
    if not found.surely:
        logger.warning("%s: %s", good.source.path, told)
        return good, []
    rounded = (good.source.place(row) for row in good.rows[found.places])
    return good.without(found.places), [Bad(row, told, f"{good.source.path} rounded", together=True) for row in rounded]


def lines(bad: Iterable[Bad]) -> list[str]:
    """Return a line for each bad row, or one line for a kind with many rows, in the order of their first rows."""
    kinds: dict[str, list[Bad]] = {}
    for row in bad:
        kinds.setdefault(row.kind, []).append(row)
    told = []
    for rows in kinds.values():
        first, number = rows[0], len(rows)
        if number > SHOWN_ROWS or (number > 1 and first.together):
            told.append(f"{first.place} and {number - 1:,} more such rows: {first.text}")
        else:
            told += [f"{row.place} {row.text}" for row in rows]
    return told


def _wrong(value: object) -> tuple[str, str]:
    """Return the kind of what is wrong with a tweet_id, and a text about it; both are empty if nothing is wrong."""
    if isinstance(value, float):
        return "float", f"tweet_id {value!r} is a floating-point number, which cannot hold an ID: write it as text"
    text = "" if value is None else str(value).strip()
    if not text:
        return "missing", "tweet_id is missing"
    try:
        parse_tweet_id(text)
    except ValueError:
        cure = f": {rounded_ids.CURE}" if FLOAT.fullmatch(text) and not text.isdecimal() else ""
        return "number", f"tweet_id {text!r} is not a 64-bit whole number{cure}"
    return "", ""


def _owner(handle: str, handles: Collection[str]) -> tuple[str | None, str]:
    """Return a handle as we compare it, and what is wrong with it.

    The handle is None if the row names nobody; the text is empty if nothing is wrong. A typo is an error, and never
    makes an owned Tweet a Tweet of others.
    """
    text = handle.strip()
    name = normalised(text)
    if not text or name in handles:
        return name or None, ""
    near = nearest(name, handles)
    advice = [f"did you mean {near}?"] if near else []
    try:
        advice.append(f"engagement authorize {parse_handle(name)} adds it")
    except ValueError:
        advice.append("a handle has letters, digits and _ only")
    return name, f"handle {text!r} is not in the accounts file: {' '.join(advice)}"
