"""Find rounded IDs: some program read them as numbers, and they lost their last digits.

In: the IDs of a file. Out: which look rounded, and how surely. The API calls a rounded ID unavailable, like the ID of a
deleted Tweet. Some true IDs end in zeros, so a file is suspect only if more of its IDs do than chance explains. Most
true IDs are multiples of 4096, because their sequence number is 0. One in 5 of these ends in 0, one in 25 in 00.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    import numpy.typing as npt

POWERS = 10 ** np.arange(19, dtype=np.int64)
SPREADSHEET_DIGITS, FLOAT_DIGITS = 15, 17  # how many digits of a number a spreadsheet keeps, and JavaScript shows
EXACT = 2**53  # up to here a float holds each whole number
SEQUENCE = 2**12  # the sequence number of an ID: its last bits
LIKELY, SURE = log(1e-2), log(1e-5)  # the chance that so many look rounded and none is
NEARLY_ALL = 0.9  # of the IDs of a file
FEW = 5  # Tweets; in a smaller file, it is not strange that all are deleted
CURE = "export the IDs again with the column tweet_id as text, and import it as text into a spreadsheet"


@dataclass(frozen=True, slots=True)
class Rounded:
    """The places of the IDs that look rounded, and `of` how many that could be; `by` says what rounds in this way.

    `chance` is the logarithm of the chance that none is rounded. `surely` is true if nearly all look rounded and that
    chance is too small.
    """

    places: npt.NDArray[np.intp]
    of: int
    by: str
    chance: float
    surely: bool

    def __str__(self) -> str:
        return f"{len(self.places):,} of {self.of:,} IDs look rounded, {self.by}"


def look(ids: npt.NDArray[np.int64]) -> Rounded | None:
    """Return which of a file's IDs look rounded, None if no more do than chance explains."""
    digits = np.searchsorted(POWERS, ids, side="right")
    found = [
        _rounded(*_short(ids, digits, SPREADSHEET_DIGITS), by="as by a spreadsheet, which keeps 15 digits"),
        _rounded(*_short(ids, digits, FLOAT_DIGITS), by="as by JavaScript or another reader of floats"),
        _rounded(*_binary(ids), by="as by a reader of floats"),
    ]
    likely = [each for each in found if each]
    return min(likely, key=lambda each: (not each.surely, each.chance), default=None)


def suspects(files: Mapping[Path, npt.NDArray[np.int64]], unavailable: Collection[int]) -> list[str]:
    """Return a line for each file of the roster with so many unavailable Tweets that its IDs may be wrong."""
    lines = []
    gone = np.fromiter(unavailable, np.int64)
    for path, ids in files.items():
        here = ids[np.isin(ids, gone)]
        rounded = look(here)
        if rounded or (len(here) >= FEW and len(here) >= NEARLY_ALL * len(ids)):
            why = f"of these {rounded}" if rounded else "so many are seldom deleted: their IDs may have been rounded"
            lines.append(
                f"{path}: {len(here):,} of its {len(ids):,} Tweets are unavailable, and {why}; compare one with its "
                f"Tweet's address, and where they differ, {CURE}"
            )
    return lines


def _short(
    ids: npt.NDArray[np.int64], digits: npt.NDArray[np.intp], kept: int
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], float]:
    """Return which IDs have more digits than are kept, which of these end in zeros from there, and how many should."""
    zeros = np.maximum(digits - kept, 0)
    longer = zeros > 0
    return longer, longer & (ids % POWERS[zeros] == 0), float((longer * 5.0**-zeros).sum())


def _binary(ids: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], float]:
    """Return the same for IDs that a float holds exactly although their sequence number is not 0."""
    step = np.spacing(ids.astype(np.float64)).astype(np.int64)
    longer = ids > EXACT
    exact = longer & (ids % np.maximum(step, 1) == 0) & (ids % SEQUENCE != 0)
    return longer, exact, float((longer / np.maximum(step, 1)).sum())


def _rounded(longer: npt.NDArray[np.bool_], mask: npt.NDArray[np.bool_], expected: float, *, by: str) -> Rounded | None:
    number, of = int(mask.sum()), int(longer.sum())
    chance = _chance(number, expected)
    surely = number >= NEARLY_ALL * of and chance < SURE
    return Rounded(np.flatnonzero(mask), of=of, by=by, chance=chance, surely=surely) if chance <= LIKELY else None


def _chance(number: int, expected: float) -> float:
    """Return the logarithm of the largest possible chance of so many if `expected` are expected (Chernoff's bound)."""
    return number - expected + number * log(expected / number) if number > expected else 0.0
