"""IDs that were a number somewhere on their way, and lost their last digits there.

In: the IDs of a file. Out: which look rounded, and how surely. The API calls such an ID unavailable, as it does a
deleted Tweet's. Some IDs end in zeros by themselves, so what counts is how many more do than chance has it. Most
true IDs are multiples of 4096, since their sequence number is 0: of those, one in 5 ends in 0, one in 25 in 00.
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
SPREADSHEET_DIGITS, FLOAT_DIGITS = 15, 17  # the digits of a number that a spreadsheet keeps, and that JavaScript shows
EXACT = 2**53  # up to here a float holds each whole number
SEQUENCE = 2**12  # the sequence number of an ID: its last bits
LIKELY, SURE = log(1e-2), log(1e-5)  # of the chance that so many look rounded and none is
NEARLY_ALL = 0.9  # of the IDs of a file
FEW = 5  # Tweets; that fewer were deleted, all of a file, is nothing strange
CURE = "export the IDs again with the column tweet_id as text, and import it as text into a spreadsheet"


@dataclass(frozen=True, slots=True)
class Rounded:
    """The places of IDs that look rounded, of all that a float would have rounded; `by` is what rounds so.

    `chance` is the logarithm of the chance that none is; `surely` where nearly all look so and it is too small.
    """

    places: npt.NDArray[np.intp]
    of: int
    by: str
    chance: float
    surely: bool

    def __str__(self) -> str:
        return f"{len(self.places):,} of {self.of:,} IDs look rounded, {self.by}"


def look(ids: npt.NDArray[np.int64]) -> Rounded | None:
    """Return which of a file's IDs look rounded, None where no more do than chance has it."""
    digits = np.searchsorted(POWERS, ids, side="right")
    found = [
        _rounded(*_short(ids, digits, SPREADSHEET_DIGITS), by="as by a spreadsheet, which keeps 15 digits"),
        _rounded(*_short(ids, digits, FLOAT_DIGITS), by="as by JavaScript or another reader of floats"),
        _rounded(*_binary(ids), by="as by a reader of floats"),
    ]
    likely = [each for each in found if each]
    return min(likely, key=lambda each: (not each.surely, each.chance), default=None)


def suspects(files: Mapping[Path, npt.NDArray[np.int64]], unavailable: Collection[int]) -> list[str]:
    """Return a line for each file of the roster that has so many unavailable Tweets that its IDs may be wrong."""
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
    """Return which IDs are longer than the digits kept, which of them end in zeros after those, and how many should."""
    zeros = np.maximum(digits - kept, 0)
    longer = zeros > 0
    return longer, longer & (ids % POWERS[zeros] == 0), float((longer * 5.0**-zeros).sum())


def _binary(ids: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], float]:
    """Return the same of IDs that a float holds as they are though their sequence number is not 0."""
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
    """Return the logarithm of what the chance of so many is at most, where so many are expected (Chernoff)."""
    return number - expected + number * log(expected / number) if number > expected else 0.0
