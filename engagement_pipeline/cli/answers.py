"""The commands for the views over a lake: sql and catalog.

In: options. Out: one library call each, then text. A short answer of plain values is shown without Arrow, which takes
longer to import than most queries take.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from engagement_pipeline.cli import grid
from engagement_pipeline.core import settings
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog as views

if TYPE_CHECKING:
    import argparse

    import duckdb

WHOLE = {f"{sign}{size}int" for sign in ("", "u") for size in ("tiny", "small", "", "big")} | {"integer", "uinteger"}
NUMBERS = WHOLE | {"hugeint", "decimal", "double"}
PLAIN = NUMBERS | {"boolean", "date", "timestamp", "varchar"}  # the types of which DuckDB gives what Arrow does
SHORT = 10_000  # rows


def sql(options: argparse.Namespace) -> None:
    """Answer a query."""
    if options.safe_csv and options.format != "csv":
        raise InputError("--safe-csv is for --format csv: leave it out, or add that")
    lake = Lake(settings.load(config=options.config).data)
    if options.format == "table":
        grid.show(views.answer(lake, options.query, _rows, unsafe=options.unsafe))
        return
    from engagement_pipeline.cli import output  # noqa: PLC0415 - imports Arrow

    style = output.SAFE_CSV if options.safe_csv else options.format
    output.show_table(views.query(lake, options.query, unsafe=options.unsafe), style=style)


def _rows(answer: duckdb.DuckDBPyRelation | None) -> grid.Rows:
    """Return what is shown of an answer."""
    if answer is not None and PLAIN.issuperset(kinds := [kind.id for kind in answer.types]):
        rows = [*islice(answer.iter_rows(), SHORT + 1)]
        if len(rows) <= SHORT:
            return grid.Rows(
                names=answer.columns,
                numbers=[kind in NUMBERS for kind in kinds],
                first=rows[: grid.SHOWN_ROWS],
                total=len(rows),
            )
    from engagement_pipeline.cli import output  # noqa: PLC0415 - imports Arrow

    return output.as_rows(views.as_arrow(answer))


def catalog(options: argparse.Namespace) -> None:
    """Write a file of views."""
    there = Lake((options.root or settings.load(config=options.config).data).absolute())
    if options.output:
        # Of a place that is not on this machine, the lake of the settings has the same views.
        lake = there if there.storage.exists(there.root) else Lake(settings.load(config=options.config).data)
        written = views.elsewhere(lake, root=there.root, output=options.output)
    else:
        there.open(create=False)
        written = views.refresh(there)
    print(f"{written}: views over the lake in {there.root}; open it read-only")
