"""The commands that need no credentials: the emulator, and what runs on it.

In: arguments. Out: one call each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engagement_pipeline.cli import demo as job
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.emulator import Emulator, serve

if TYPE_CHECKING:
    import argparse


def emulator(options: argparse.Namespace) -> None:
    """Serve the emulator until Ctrl-C."""
    try:
        made = Emulator(
            port=options.port,
            now=options.now,
            seed=options.seed,
            requests_per_minute=options.requests_per_minute,
            requests_per_15_minutes=options.requests_per_15_minutes,
            latency=options.latency,
            settle_hours=options.settle_hours,
            max_age_days=options.max_age_days,
            require_gzip=options.require_gzip,
        )
        serve(
            made,
            accounts=options.accounts,
            tweets=options.tweets,
            ready=lambda url: print(served(url, has_keys=bool(options.accounts)), flush=True),
        )
    except (ValueError, OSError) as error:  # an impossible number, a port that is taken, a file of somebody else
        raise InputError(str(error)) from None


def served(url: str, *, has_keys: bool) -> str:
    """Return what is said once it answers; a client without keys is refused, so it says who has them."""
    told = f"the Engagement API and X API v2, emulated, at {url}; Ctrl-C ends it"
    keys = "it accepts keys of its own alone: --accounts FILE writes them to a file, and --tweets FILE its Tweets"
    return told if has_keys else f"{told}\n{keys}"


def demo(options: argparse.Namespace) -> None:
    """Run the whole job on the emulator."""
    job.run(options.data)


def up(options: argparse.Namespace) -> None:
    """Start Dagster on the emulator."""
    job.up(options.data, port=options.port)
