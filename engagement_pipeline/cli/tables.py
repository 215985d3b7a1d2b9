"""The commands for the tables and the raw of a lake: rebuild, upgrade and prune.

In: options. Out: one library call each, then text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engagement_pipeline import pipeline
from engagement_pipeline.cli import output, progress
from engagement_pipeline.core import settings
from engagement_pipeline.core.errors import EngagementError
from engagement_pipeline.core.words import counted

if TYPE_CHECKING:
    import argparse


def rebuild(options: argparse.Namespace) -> None:
    """Make tables again from raw."""
    with progress.bars() as bar:
        rebuilt = pipeline.rebuild(
            settings.load(config=options.config),
            options.table,
            first=options.first,
            last=options.last,
            progress=bar("pulls replayed"),
        )
    output.show_rebuilt(rebuilt)
    lost = sum(len(day.lost) for day in rebuilt)
    if lost:
        raise EngagementError(
            f"rows of {counted(lost, 'Tweet day')} are lost, because only damaged or missing files held "
            "them: pull the days named above again"
        )


def upgrade(options: argparse.Namespace) -> None:
    """Bring a lake to the format of this program."""
    with progress.bars() as bar:
        upgraded = pipeline.upgrade(settings.load(config=options.config), progress=bar("days upgraded"))
    output.show_upgraded(upgraded)
    if upgraded.damaged:
        raise EngagementError(
            f"{counted(len(upgraded.damaged), 'file')} could not be upgraded, and stays as it is: see above"
        )


def prune(options: argparse.Namespace) -> None:
    """List what raw no longer needs, or remove it."""
    chosen = settings.load(config=options.config)
    spent = pipeline.spent(chosen)
    output.show_spent(spent, days=chosen.keep_raw_days)
    if options.yes:
        pipeline.drop(chosen, spent)
        print("removed; the tables are unchanged")
    elif spent:
        print("nothing is removed: engagement prune --yes removes them")
