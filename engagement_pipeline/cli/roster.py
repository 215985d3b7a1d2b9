"""The commands that write the roster.

In: options. Out: one library call each, then text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engagement_pipeline.cli import output
from engagement_pipeline.core import settings
from engagement_pipeline.extract import roster_import
from engagement_pipeline.transport import accounts

if TYPE_CHECKING:
    import argparse


def take_in(options: argparse.Namespace) -> None:
    """Take in the Tweets of a file."""
    chosen = settings.load(config=options.config)
    known = accounts.load(chosen.accounts)
    output.show_merged(roster_import.from_file(options.file, known, pattern=chosen.tweets))
