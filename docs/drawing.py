"""Draw how the data flow, as SVG, from the endpoints, tables and views that the code has.

In: the endpoints, tables and views. Out: docs/pictures/architecture.svg. `make docs` runs this module in the clone.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from engagement_pipeline.core.endpoints import ENDPOINTS
from engagement_pipeline.core.tables import TABLES
from engagement_pipeline.query.views import all_macros, all_views

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engagement_pipeline.core.endpoints import Endpoint

DRAWING = Path("docs/pictures/architecture.svg")
LINE, COLUMN = 17, 130  # pixels between two lines of a box, and between two columns
HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1280 470" font-size="12"
 font-family="Helvetica, Arial, sans-serif">
<title>The roster and the accounts lead to requests; responses become raw, tables and views, which answer SQL.</title>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">\
<path d="M0 0 8 4 0 8z" fill="#495057"/></marker></defs>
<rect width="1280" height="470" rx="8" fill="#ffffff"/>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A box with a title and lines of text, in columns of so many lines; all other numbers are pixels."""

    x: int
    y: int
    width: int
    height: int
    title: str
    lines: Sequence[str]
    fill: str
    column: int = 99


def boxes() -> list[Box]:
    """Return the boxes, in the order in which data flow through them."""
    blue, grey, green = "#e7f0fb", "#f1f3f5", "#e6f6ec"
    asked = [_told(endpoint) for endpoint in ENDPOINTS.values()]
    views = sorted(view.name for view in (*all_views(), *all_macros()))
    marts = [*(name for name in views if "." not in name), "compat.*"]
    lake = "one folder: the lake"
    return [
        Box(x=20, y=20, width=1240, height=74, title="Dagster, or the command engagement", fill=blue, lines=STAGES),
        Box(x=20, y=150, width=170, height=76, title="roster", lines=["Tweets and handles"], fill=grey),
        Box(x=20, y=250, width=170, height=76, title="accounts.toml", lines=["keys and tokens"], fill=grey),
        Box(x=225, y=150, width=215, height=176, title="X's two APIs", lines=["", *asked], fill=grey),
        Box(x=470, y=150, width=130, height=176, title="raw", lines=RAW, fill=green),
        Box(x=645, y=150, width=130, height=300, title="tables", lines=["Parquet", "", *TABLES], fill=green),
        Box(x=820, y=150, width=270, height=300, title="views: one a table, and", lines=marts, fill=green, column=14),
        Box(x=1120, y=150, width=140, height=76, title="answers", lines=["SQL, pandas,", "Parquet readers"], fill=blue),
        Box(x=20, y=374, width=580, height=76, title=lake, lines=LAKE, fill=green),
    ]


STAGES = ["plan: the fewest requests  →  pull at the contracted rate  →  publish: the newest wins  →  check each day"]
RAW = ["every response,", "as received", "", "audited against", "the API's own", "sums"]
LAKE = [
    "Raw, tables and views are files. Every table can be made from raw again.",
    "Any number of people can read it during a pull.",
]
ARROWS = [
    ((190, 188), (222, 188)),
    ((190, 288), (222, 288)),
    ((440, 238), (467, 238)),
    ((600, 238), (642, 238)),
    ((775, 238), (817, 238)),
    ((1090, 188), (1117, 188)),
    ((330, 94), (330, 147)),
    ((535, 94), (535, 147)),
    ((710, 94), (710, 147)),
]


def svg() -> str:
    """Return the drawing."""
    arrows = [
        f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#495057" stroke-width="1.5" marker-end="url(#tip)"/>\n'
        for (x1, y1), (x2, y2) in ARROWS
    ]
    return "".join([HEAD, *map(_drawn, boxes()), *arrows, "</svg>\n"])


def _told(endpoint: Endpoint) -> str:
    days = f", {endpoint.max_days} days" if endpoint.max_days else ""
    return f"/{endpoint}: {endpoint.max_tweets} {endpoint.unit}s{days}"


def _drawn(box: Box) -> str:
    x, paint = box.x + 12, f'fill="{box.fill}" stroke="#868e96"'
    lines = [
        f'<text x="{x + COLUMN * (n // box.column)}" y="{box.y + 44 + LINE * (n % box.column)}">{escape(line)}</text>\n'
        for n, line in enumerate(box.lines)
    ]
    return "".join(
        [
            f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="6" {paint}/>\n',
            f'<text x="{x}" y="{box.y + 22}" font-weight="bold" font-size="14">{escape(box.title)}</text>\n',
            *lines,
        ]
    )


def main() -> None:
    """Write the drawing into the working directory, which is the clone."""
    DRAWING.write_text(svg(), encoding="utf-8")


if __name__ == "__main__":
    main()
