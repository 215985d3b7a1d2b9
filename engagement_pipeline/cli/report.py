"""The command that writes a report of a handle's month.

In: options. Out: one HTML file, and a line that says where it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engagement_pipeline.cli.failures import on_terminal
from engagement_pipeline.core import settings
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.lake.storage import LocalStorage

if TYPE_CHECKING:
    import argparse

EXTRA = "in a clone of the project, pip install '.[report]'"


def run(options: argparse.Namespace) -> None:
    """Write a report."""
    try:
        from engagement_pipeline.report.page import nothing, page  # noqa: PLC0415 - an extra, and slow to import
    except ModuleNotFoundError as error:
        raise InputError(f"{error.name} is not installed, and a report needs it: {EXTRA}") from None
    from engagement_pipeline.report.figures import Month, figures  # noqa: PLC0415 - imports Arrow

    found = figures(Lake(settings.load(config=options.config).data), options.handle, Month(first=options.month))
    output = options.output or Path(f"{options.handle}-{options.month:%Y-%m}.html")
    LocalStorage(output.parent).write_whole(output, page(found).encode())
    told = nothing(found) or f"{found.complete} of {len(found.month.days)} days are complete"
    print(on_terminal(f"{output}: {told}"))
