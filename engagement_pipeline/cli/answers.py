"""The commands for the views over a lake: sql and catalog.

In: options. Out: one library call each, then text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engagement_pipeline.cli import output
from engagement_pipeline.core import settings
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog as views

if TYPE_CHECKING:
    import argparse


def sql(options: argparse.Namespace) -> None:
    """Answer a query."""
    if options.safe_csv and options.format != "csv":
        raise InputError("--safe-csv is for --format csv: leave it out, or add that")
    style = output.SAFE_CSV if options.safe_csv else options.format
    output.show_table(
        views.query(Lake(settings.load(config=options.config).data), options.query, unsafe=options.unsafe),
        style=style,
    )


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
