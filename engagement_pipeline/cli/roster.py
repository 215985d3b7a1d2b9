"""The commands that write the roster.

In: options. Out: one library call each, then text.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from engagement_pipeline.cli import output, pulls
from engagement_pipeline.core import settings
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.extract import roster_import, roster_sync
from engagement_pipeline.lake import forgotten
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.transport import accounts

if TYPE_CHECKING:
    import argparse


def take_in(options: argparse.Namespace) -> None:
    """Take in the Tweets of a file."""
    chosen = settings.load(config=options.config)
    known = accounts.load(chosen.accounts)
    gone = forgotten.load(Lake(chosen.data))
    output.show_merged(roster_import.from_file(options.file, known, pattern=chosen.tweets, gone=gone))


def sync(options: argparse.Namespace) -> None:
    """Tell what the timelines cost, ask, and read them."""
    chosen = pulls.patient(options)
    known = accounts.load(chosen.accounts)
    planned = roster_sync.estimates(chosen, known, options.handles)
    output.show_estimates(planned, price=None if chosen.price_per_read else roster_sync.READ_PRICE)
    output.show_spend(roster_sync.spend_lines(chosen, planned))
    if not (options.yes or _agreed()):
        print("nothing is read")
        return
    synced = roster_sync.sync(chosen, known, planned, over_budget=options.over_budget)
    for merged in synced.merged:
        output.show_merged(merged)
    pulls.tell_news(chosen)
    if synced.failure:
        raise synced.failure


def _agreed() -> bool:
    """Ask whether to go on; raises InputError where nobody can answer."""
    if not sys.stdin.isatty():
        raise InputError(
            "engagement roster sync asks before it reads, and its input is no terminal: look at the reads above, and "
            "add --yes"
        )
    try:
        return output.ask("Read them? [y/N]").strip().lower() in {"y", "yes"}
    except EOFError:
        return False
