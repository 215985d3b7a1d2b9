"""Rows as people read them: a grid, or a column a line where a terminal would wrap the grid's lines.

In: the names of columns, which of them hold numbers, and rows. Out: text on standard output. It needs neither Arrow nor
a library for terminals, so a short answer does not wait for them.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from engagement_pipeline.cli.failures import on_terminal
from engagement_pipeline.core.redaction import printable, redacted
from engagement_pipeline.core.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOWN_ROWS = 50  # the other formats print all
SHOWN_RECORDS = 10  # of them, where each takes a line for each of its columns
ALL_ROWS = "--format csv, json or parquet give all"
TWEET_IDS = ("tweet_id", "tweet_ids")  # the ends of the names of columns that hold them
SAFE_INTEGER = 2**53  # JavaScript rounds larger whole numbers
BETWEEN = "   "  # two columns
PLAIN_TERMINALS = {"dumb", "unknown"}  # which show no bold letters


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The first rows of an answer, and how many the whole has; `numbers` tells which columns hold numbers."""

    names: Sequence[str]
    numbers: Sequence[bool]
    first: Sequence[Sequence[Any]]
    total: int


def show(rows: Rows, *, title: str | None = None) -> None:
    """Print the first rows, and how many more there are."""
    if title:
        _say(title)
    names = [*map(printable, rows.names)]
    cells = [[*map(_cell, rows.names, row)] for row in rows.first[:SHOWN_ROWS]]
    widths = [max(map(_width, column)) for column in zip(names, *cells, strict=True)]
    terminal = sys.stdout.isatty()
    if cells and terminal and sum(widths) + len(BETWEEN) * len(widths) > shutil.get_terminal_size().columns:
        _show_records(names, cells[:SHOWN_RECORDS], rows.total)
        return
    bold = terminal and os.environ.get("TERM", "") not in PLAIN_TERMINALS
    print()
    print(_line(names, widths, rows.numbers, "\033[1m{}\033[0m" if bold else "{}"))
    print(f" {_stroke() * (sum(widths) + len(BETWEEN) * (len(widths) - 1))}")
    for row in cells:
        print(_line(row, widths, rows.numbers))
    print()
    if rows.total > len(cells):
        _say(f"the first {len(cells)} of {rows.total:,} rows; {ALL_ROWS}")


def _line(cells: Sequence[str], widths: Sequence[int], numbers: Sequence[bool], form: str = "{}") -> str:
    """Return a line of the grid: numbers end where their column ends."""
    padded = []
    for cell, width, number in zip(cells, widths, numbers, strict=True):
        blanks = " " * (width - _width(cell))
        padded.append(blanks + form.format(cell) if number else form.format(cell) + blanks)
    return f" {BETWEEN.join(padded)}".rstrip()


def _stroke() -> str:
    """Return a piece of a line, as the encoding of the output has it."""
    return "─" if (sys.stdout.encoding or "").lower().startswith("utf") else "-"


def _show_records(names: Sequence[str], rows: Sequence[Sequence[str]], total: int) -> None:
    """Print each row as a block of lines with a column each."""
    wide = max(map(len, names))
    for number, cells in enumerate(rows, 1):
        _say(f"row {number}")
        for name, cell in zip(names, cells, strict=True):
            _say(f"  {name:<{wide}}  {cell}")
    told = f"{counted(total, 'row')}, wider than this terminal"
    if total > len(rows):
        told = f"the first {len(rows)} of {told}"
    _say(f"{told}; {ALL_ROWS}")


def _say(text: str) -> None:
    print(on_terminal(redacted(text)))


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415 - for the signs that take two, or none

    return cell_len(text)


def _cell(name: str, value: Any) -> str:  # noqa: ANN401 - a value of any SQL type
    if value is None:
        return "NULL"
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool) and not is_id(name, value):
        return f"{value:,}"
    return printable(str(value))


def is_id(name: str, value: float | Decimal) -> bool:
    """Tell whether a number is a Tweet's ID, by its column's name or because nothing that is counted is as large."""
    return any(id_name in name for id_name in TWEET_IDS) or (isinstance(value, int) and abs(value) > SAFE_INTEGER)
