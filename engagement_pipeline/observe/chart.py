"""A day's counts by hour, and a month's by day, as SVG, so small that a page shows it in place.

In: the counts of two days, or of a month. Out: text. Pure.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

STEP, HEIGHT, GAP = 9, 36, 8  # of an hour, of each curve, and of the axis below it; few digits make it small
WIDTH = 480  # in pixels; the height follows
LABELLED = 6  # a tick every so many hours
COLOURS = ("%2347c", "%23d70")  # visible on a white page and on a black one; %23 is the # of an address
GREY = "%23999"


def day(curves: Sequence[tuple[Sequence[int], Sequence[int]]]) -> str:
    """Draw curves one below the other, each from zero to its largest count, as the address of a picture.

    A curve is the counts of each hour, filled, and those of the day before, a line behind. That has no line if it has
    no counts. A count below zero is drawn as zero. Every character of the text may stand in a link of Markdown.
    """
    parts = [_curve(*each, colour, place) for place, (each, colour) in enumerate(zip(curves, COLOURS, strict=True))]
    wide, high = STEP * (max(len(today) for today, _ in curves) - 1), (HEIGHT + GAP) * len(curves)
    return _address("".join(parts), wide, high)


def month(counts: Sequence[int | None], *, whole: Sequence[bool]) -> str:
    """Draw a count a day as bars from zero to the largest, as the address of a picture.

    A bar is pale if its day is not whole. A day without a count has no bar, and one below zero has none either.
    """
    most = max([1, *filter(None, counts)])
    bars = {
        kind: "".join(
            f"M{STEP * place + STEP // 2},{HEIGHT}v-{round(count / most * HEIGHT)}"
            for place, (count, complete) in enumerate(zip(counts, whole, strict=True))
            if count and count > 0 and complete == kind
        )
        for kind in (True, False)
    }
    wide, stroke = STEP * len(counts), f"stroke='{COLOURS[0]}' stroke-width='{STEP - 2}'"
    base = f"<path stroke='{GREY}' d='M0,{HEIGHT + 1}h{wide}'/>"
    drawn = f"<path {stroke} d='{bars[True]}'/><path {stroke} stroke-opacity='.4' d='{bars[False]}'/>{base}"
    return _address(drawn, wide, HEIGHT + 2)


def _address(drawn: str, wide: int, high: int) -> str:
    """Return a picture of this size as an address, with what is drawn in it."""
    size = f"width='{WIDTH}' viewBox='0 0 {wide} {high}'"
    svg = f"<svg xmlns='http://www.w3.org/2000/svg' {size} fill='none'>{drawn}</svg>"
    return "data:image/svg+xml," + svg.replace(" ", "%20")


def _curve(today: Sequence[int], before: Sequence[int], colour: str, place: int) -> str:
    """Draw two days of the curve at a place, above an axis with ticks."""
    base, most = place * (HEIGHT + GAP) + HEIGHT, max([1, *today, *before])
    wide = STEP * (len(today) - 1)
    ticks = f"M0,{base}v5" + f"m{STEP * LABELLED}-5v5" * ((len(today) - 1) // LABELLED)
    line = f"<path stroke='{GREY}' d='{_line(before, most, base) * any(before)}M0,{base}h{wide}{ticks}'/>"
    return f"{line}<path fill='{colour}' fill-opacity='.6' d='{_line(today, most, base)}V{base}H0'/>"


def _line(counts: Sequence[int], most: int, base: int) -> str:
    """Return the path of a line; each step says how far it goes, which takes fewer characters than where."""
    heights = [round(max(0, count) / most * HEIGHT) for count in counts]
    steps = ",".join(f"{STEP},{before - after}" for before, after in pairwise(heights))
    return f"M0,{base - heights[0]}l{steps}".replace(",-", "-")
