"""The commands for the views over a lake: sql and catalog.

In: options. Out: one library call each, then text. A short answer of plain values is shown without Arrow, which takes
longer to import than most queries take.
"""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path
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
STDIN = Path("-")


def sql(options: argparse.Namespace) -> None:
    """Answer one or more statements."""
    if (options.safe_csv or options.bom) and options.format != "csv":
        raise InputError("--safe-csv and --bom are for --format csv: leave them out, or add that")
    query = _query(options.query, options.file)
    lake = Lake(settings.load(config=options.config).data)
    if options.format == "table":
        for rows in views.answers(lake, query, _rows, unsafe=options.unsafe):
            grid.show(rows)
        return
    from engagement_pipeline.cli import output  # noqa: PLC0415 - imports Arrow

    answers = views.answers(lake, query, views.as_arrow, unsafe=options.unsafe)
    if len(answers) > 1:
        raise InputError(
            f"--format {options.format} writes one answer, and the query has {len(answers)} statements: give them one "
            "by one, or leave out --format"
        )
    output.show_table(answers[0], style=options.format, safe=options.safe_csv, bom=options.bom)


def _query(text: str | None, file: Path | None) -> str:
    """Return the query of the argument, of a file, or of standard input."""
    if text is not None and file is not None:
        raise InputError("there are two queries, in --file and beside it: leave one out")
    if text is not None:
        return text
    if file is None and sys.stdin.isatty():
        raise InputError("there is no query: write it behind sql, in --file FILE, or into standard input")
    source = "standard input" if file in {None, STDIN} else str(file)
    try:
        content = sys.stdin.buffer.read() if file in {None, STDIN} else Path(str(file)).read_bytes()
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{source} is not UTF-8 text: save the query as UTF-8") from None
    except OSError as error:
        raise InputError(f"{source} cannot be read: {error.strerror}; name another file") from None


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
    chosen = settings.load(config=options.config)
    there = Lake((options.root or chosen.data).absolute())
    if options.output:
        # Of a place that is not on this machine, the lake of the settings has the same views.
        lake = there if there.storage.exists(there.root) else Lake(chosen.data)
        written = views.elsewhere(lake, root=there.root, output=options.output)
    else:
        there.open(create=False)
        written = views.write(there, threads=chosen.most_workers())
    print(f"{written}: views over the lake in {there.root}; open it read-only")
