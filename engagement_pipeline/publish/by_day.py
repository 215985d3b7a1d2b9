"""The rows of a response, which are sorted by Tweet, sorted into its days.

In: a table of ENGAGEMENTS, sorted by its key. Out: the rows of each day, and those of several responses joined.

    Tweet by Tweet, its days ─> day by day, its Tweets ─> of one day, the Tweets of all responses

Until they are joined, a Tweet is kept once for its rows of a day, and a count in as few bytes as the largest needs. So
a row of most responses takes 4 bytes instead of 18, in memory and in the file that one worker hands to the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import pyarrow as pa

from engagement_pipeline.core.tables import EPOCH
from engagement_pipeline.publish.merge import HOURS, Ints, Rows, changes, of_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    import numpy.typing as npt

COUNTS = (np.int16, np.int32, np.int64)  # as which counts are kept, the first that holds them all


class Runs(NamedTuple):
    """Rows in runs of one Tweet and day, run after run.

    `tweets` has one for each run, and `bounds` where its rows begin, with the end of the last behind them. Of `rows`,
    there are the types, as places in TYPE_NAMES, the hours and the counts.
    """

    tweets: Ints
    bounds: npt.NDArray[np.int32]
    rows: tuple[npt.NDArray[np.integer], ...]

    def save(self, path: Path) -> None:
        """Write them into a file."""
        columns = {"tweets": pa.array(self.tweets)} | {
            name: pa.ListArray.from_arrays(self.bounds, column) for name, column in zip(NAMES, self.rows, strict=True)
        }
        batch = pa.record_batch(columns)
        with path.open("wb") as file, pa.ipc.new_file(file, batch.schema) as sink:
            sink.write_batch(batch)

    @classmethod
    def mapped(cls, path: Path) -> Self:
        """Return those in a file, which stays mapped for as long as they are used."""
        with pa.memory_map(str(path)) as file:
            tweets, *columns = pa.ipc.open_file(file).get_batch(0).columns
        rows = (column.values.to_numpy() for column in columns)
        return cls(tweets.to_numpy(), columns[0].offsets.to_numpy(), tuple(rows))


NAMES = ("types", "hours", "counts")


class ByDay(NamedTuple):
    """Runs of days that follow one another: those of the first, then those of the next; each day's end with `ends`.

    Within a day, they are in the order of their Tweets.
    """

    runs: Runs
    ends: Sequence[int]

    def of(self, place: int, low: int, high: int, wanted: Ints | None = None) -> Part:
        """Return what there is of a day of the Tweets behind `low`, up to `high` and with it, or those `wanted`."""
        begin, end = self.ends[place - 1] if place else 0, self.ends[place]
        first, last = begin + np.searchsorted(self.runs.tweets[begin:end], (low, high), "right")
        places = np.arange(first, last)
        if wanted is not None:
            places = places[np.isin(self.runs.tweets[first:last], wanted)]
        return Part(self.runs, places)


class Part(NamedTuple):
    """Some of the runs of a response, by their places."""

    runs: Runs
    places: npt.NDArray[np.intp]

    def slices(self) -> list[list[npt.NDArray[Any]]]:
        """Return the types, hours and counts of each."""
        begins, ends = (self.runs.bounds[self.places + more].tolist() for more in (0, 1))
        return [[column[begin:end] for column in self.runs.rows] for begin, end in zip(begins, ends, strict=True)]


def split_by_day(table: pa.Table, first: date, days: int) -> ByDay:
    """Sort rows of a table that is sorted by its key into so many days, the first of which is `first`.

    Rows of other days are left out.
    """
    rows = of_table(table)
    day = (table["day"].cast(pa.int32()).to_numpy() - (first - EPOCH).days).astype(np.uint16)  # large before it
    columns = (rows.types, rows.hours, _narrow(rows.counts))
    tweets, numbers = rows.by_tweet()
    if _are_whole(day, numbers, days):  # their rows move in blocks, which takes a third of the time of a sort
        blocks = (column.reshape(-1, days, HOURS).transpose(1, 0, 2).reshape(-1) for column in columns)
        bounds = np.arange(0, len(day) + 1, numbers[0] // days, dtype=np.int32)
        return ByDay(Runs(np.tile(tweets, days), bounds, tuple(blocks)), [len(tweets) * n for n in range(1, days + 1)])
    order = np.argsort(day, kind="stable")  # of 16 bits: a radix sort
    day = day[order]
    order = order[: np.searchsorted(day, days)]
    day = day[: len(order)]
    of_row = rows.tweets[order]
    at = np.flatnonzero(changes(of_row) | changes(day))
    bounds = np.append(at, len(order)).astype(np.int32)
    ends = np.searchsorted(day[at], np.arange(days), "right").tolist()
    return ByDay(Runs(of_row[at], bounds, tuple(column[order] for column in columns)), ends)


def _are_whole(day: npt.NDArray[np.uint16], numbers: Ints, days: int) -> bool:
    """Tell whether each Tweet has as many rows, and each of its types has 24 of each day, day after day."""
    if not len(numbers) or (numbers != numbers[0]).any() or numbers[0] % (days * HOURS):
        return False
    return bool((day.reshape(-1, days, HOURS) == np.arange(days, dtype=np.uint16)[:, np.newaxis]).all())


def _narrow(counts: Ints) -> npt.NDArray[np.signedinteger]:
    """Return counts in as few bytes as all of them need."""
    ends = (int(counts.min()), int(counts.max())) if len(counts) else (0, 0)
    kind = next(kind for kind in COUNTS if np.iinfo(kind).min <= ends[0] and ends[1] <= np.iinfo(kind).max)
    return counts.astype(kind)


def joined(parts: Sequence[Part]) -> Rows:
    """Return the rows of all parts, sorted; no Tweet is in two."""
    none = Rows.none()
    tweets = np.concatenate([none.tweets, *(part.runs.tweets[part.places] for part in parts)])
    order = np.argsort(tweets)
    found = [run for part in parts for run in part.slices()]
    in_order = [found[place] for place in order.tolist()]
    numbers = [len(counts) for _, _, counts in in_order]
    columns = zip(none[1:], *in_order, strict=True)
    return Rows(
        np.repeat(tweets[order], numbers), *(np.concatenate(column, dtype=column[0].dtype) for column in columns)
    )
