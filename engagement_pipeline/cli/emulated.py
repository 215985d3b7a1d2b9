"""The commands that need no credentials: the emulator, and what runs on it.

In: arguments. Out: one call each.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engagement_pipeline.cli import arguments, demo
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.emulator import serve

if TYPE_CHECKING:
    import argparse


def add_commands(commands: arguments.Commands) -> None:
    """Add them."""
    _emulator_command(commands)
    _demo_commands(commands)


def _emulator_command(commands: arguments.Commands) -> None:
    """Add the emulator."""
    sub = arguments.add_command(
        commands,
        "emulator",
        _emulator,
        "serve the Engagement API on this machine, for demos and tests",
        reads_settings=False,
    )
    sub.add_argument("--port", type=int, required=True, help="port to listen on; 0 picks a free one")
    for name, what in (("--accounts", "credentials that it accepts"), ("--tweets", "roster of its world")):
        text = f"write the {what} to this file; overwrite only its own"
        sub.add_argument(name, type=Path, metavar="FILE", help=text)
    sub.add_argument("--now", type=arguments.moment, metavar="TIME", help="fix its clock, for example to 2026-02-01")
    sub.add_argument("--seed", type=int, default=1, help="number of its world (default: 1)")
    sub.add_argument(
        "--requests-per-minute", type=arguments.positive, default=300, metavar="N", help="its rate (default: 300)"
    )
    sub.add_argument(
        "--latency", type=float, default=0.0, metavar="SECONDS", help="wait before each answer (default: 0)"
    )
    sub.add_argument(
        "--settle-hours", type=int, default=0, metavar="N", help="counts grow until an hour is this old (default: 0)"
    )
    sub.add_argument(
        "--max-age-days",
        type=arguments.positive,
        metavar="N",
        help="how far back /historical goes; by default to 2014-09-01",
    )
    sub.add_argument("--require-gzip", action="store_true", help="refuse a request that does not accept gzip")


def _demo_commands(commands: arguments.Commands) -> None:
    """Add the commands that run on the emulator."""
    sub = arguments.add_command(
        commands,
        "demo",
        _demo,
        "run the whole job on the emulator: no network, no credentials",
        reads_settings=False,
    )
    sub.add_argument(
        "--data", type=Path, metavar="DIR", default=Path("data/demo"), help="its lake (default: data/demo)"
    )
    text = "start Dagster on the emulator; Ctrl-C ends both"
    sub = arguments.add_command(commands, "up", _up, text, reads_settings=False)
    sub.add_argument("--data", type=Path, metavar="DIR", default=Path("data/up"), help="its lake (default: data/up)")
    sub.add_argument("--port", type=arguments.positive, default=3000, help="port of the Dagster UI (default: 3000)")


def _emulator(options: argparse.Namespace) -> None:
    try:
        serve(
            port=options.port,
            accounts=options.accounts,
            tweets=options.tweets,
            now=options.now,
            seed=options.seed,
            requests_per_minute=options.requests_per_minute,
            latency=options.latency,
            settle_hours=options.settle_hours,
            max_age_days=options.max_age_days,
            require_gzip=options.require_gzip,
            ready=lambda url: print(f"the Engagement API, emulated, at {url}; Ctrl-C ends it", flush=True),
        )
    except (ValueError, FileExistsError) as error:
        raise InputError(str(error)) from None


def _demo(options: argparse.Namespace) -> None:
    demo.run(options.data)


def _up(options: argparse.Namespace) -> None:
    demo.up(options.data, port=options.port)
