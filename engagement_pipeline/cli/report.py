"""The command that writes a report of a handle's month.

In: options. Out: one HTML file, and a line that says where it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engagement_pipeline.cli.failures import on_terminal
from engagement_pipeline.core import settings
from engagement_pipeline.lake.layout import Lake

if TYPE_CHECKING:
    import argparse


def run(options: argparse.Namespace) -> None:
    """Write a report."""
    from engagement_pipeline.report import files  # noqa: PLC0415 - imports Arrow
    from engagement_pipeline.report.figures import Month  # noqa: PLC0415

    lake, month = Lake(settings.load(config=options.config).data), Month(first=options.month)
    path = options.output or Path(files.name_of(options.handle, month))
    written = files.write(lake, options.handle, month, path=path)
    print(on_terminal(f"{written.path}: {written.told}"))
