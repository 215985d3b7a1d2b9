"""A small bar chart as SVG.

In: values. Out: text. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT = 480, 140
TOP, BOTTOM = 28, 18  # for the title, and for the labels under the bars
FILL = "#4f8cc9"  # visible on a white page and on a black one
FONT = 'font-family="sans-serif" font-size="11" fill="#888"'
LABELLED = 6  # a label every so many bars, to tell the hours of a day apart


def bars(values: Sequence[int], title: str) -> str:
    """Draw a bar for each value, from zero to the largest, with its number. A value below zero has no bar."""
    most = max([1, *values])
    step = WIDTH / max(1, len(values))
    room = HEIGHT - TOP - BOTTOM
    parts = []
    for place, value in enumerate(values):
        height = max(0, value) / most * room
        parts.append(
            f'<rect x="{place * step + 1:.1f}" y="{HEIGHT - BOTTOM - height:.1f}" width="{step - 2:.1f}" '
            f'height="{height:.1f}" fill="{FILL}"><title>{place}: {value:,}</title></rect>'
        )
        if place % LABELLED == 0:
            parts.append(f'<text x="{place * step + 1:.1f}" y="{HEIGHT - 4}" {FONT}>{place}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f'<text x="1" y="14" {FONT}>{escape(title)}, at most {max([0, *values]):,}</text>{"".join(parts)}</svg>'
    )
