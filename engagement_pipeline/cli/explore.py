"""The command that serves the explorer.

In: options. Out: a page on this machine until Ctrl-C, opened in a browser where there is one to see.
"""

from __future__ import annotations

import os
import sys
import webbrowser
from typing import TYPE_CHECKING

from engagement_pipeline.cli.failures import end_output, on_terminal
from engagement_pipeline.core import settings
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.lake.layout import Lake

if TYPE_CHECKING:
    import argparse

EXTRA = "in a clone of the project, pip install '.[explore]'"
SCREENS = ("DISPLAY", "WAYLAND_DISPLAY")  # without which Linux has only browsers that would take the terminal


def run(options: argparse.Namespace) -> None:
    """Serve the explorer."""
    try:
        from engagement_pipeline.explore import aside  # noqa: PLC0415 - an extra, and slow to import
        from engagement_pipeline.explore.server import serve  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise InputError(f"{error.name} is not installed, and the explorer needs it: {EXTRA}") from None
    lake = Lake(settings.load(config=options.config).data)
    lake.open(create=False)

    def ready(url: str) -> None:
        print(on_terminal(f"the explorer of {lake.root}: {url} ; Ctrl-C ends it"), flush=True)
        if options.browser and (not sys.platform.startswith("linux") or any(map(os.environ.get, SCREENS))):
            webbrowser.open(url)

    serve(lake, port=options.port, ready=ready)
    if aside.goes_on():  # a query, which DuckDB would complain of at a usual end
        end_output()
        os._exit(0)
