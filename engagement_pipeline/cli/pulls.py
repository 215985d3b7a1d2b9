"""The commands that ask the API, or tell what a pull would ask it: authorize, check, plan and pull.

In: options. Out: one library call each, then text.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from engagement_pipeline import pipeline
from engagement_pipeline.cli import output, progress
from engagement_pipeline.core import settings
from engagement_pipeline.core.endpoints import ENDPOINTS
from engagement_pipeline.core.errors import EngagementError, InputError
from engagement_pipeline.extract.prepare import Prepared, prepare
from engagement_pipeline.extract.progress import REQUESTS
from engagement_pipeline.transport import tokens

if TYPE_CHECKING:
    import argparse


def authorize(options: argparse.Namespace) -> None:
    """Let a handle give its tokens to the app."""
    chosen = settings.load(config=options.config)
    tokens.authorize(
        chosen.accounts,
        options.handle,
        auth_url=chosen.auth_url,
        timeout_seconds=chosen.timeout_seconds,
        ask_pin=lambda url: output.ask_pin(url, handle=options.handle),
    )
    print(f"the tokens of {options.handle} are in {chosen.accounts}")


def check(options: argparse.Namespace) -> None:
    """Try each account."""
    findings = pipeline.check_accounts(_settings(options))
    output.show_findings(findings)
    failed = [finding.handle for finding in findings if finding.works is False]
    if failed:
        accounts_failed = sum(map(bool, failed))
        number = sum(bool(finding.handle) for finding in findings)
        what = [f"{accounts_failed} of {number} accounts"] if accounts_failed else []
        what += ["the bearer token"] if "" in failed else []
        raise EngagementError(f"{' and '.join(what)} cannot be used for a pull: see above")


def plan(options: argparse.Namespace) -> None:
    """Show what a pull would ask."""
    chosen = _settings(options)
    output.show_plan(_prepared(options, chosen), per_minute=chosen.requests_per_minute)


def pull(options: argparse.Namespace) -> None:
    """Pull, publish, and show what came."""
    chosen = _settings(options)
    prepared = _prepared(options, chosen)
    output.show_plan(prepared, per_minute=chosen.requests_per_minute)
    with progress.bars() as bar:
        outcome = pipeline.run(chosen, prepared, pulling=bar(REQUESTS), publishing=bar("Tweets published"))
    output.show_outcome(outcome)
    is_stored = any(publication.stored for publication in outcome.publications)
    if is_stored and any(plan.window and plan.window.last >= chosen.first_day for plan in prepared.plans):
        output.show_where_days_appear()
    if outcome.failure:
        raise outcome.failure


def _prepared(options: argparse.Namespace, chosen: settings.Settings) -> Prepared:
    endpoint = ENDPOINTS[options.endpoint]
    if not endpoint.max_days and (options.first or options.last):
        raise InputError(f"/{endpoint} knows only the present: leave out --from and --to")
    last = options.last or chosen.last_whole_day()
    first = options.first or chosen.look_back_day(last)
    if endpoint.max_days and not options.first and chosen.oldest_day() <= last < chosen.first_day:
        raise InputError(
            f"{last} is before {chosen.first_day}, the setting first_day, so no look-back ends there: name the first "
            "day with --from"
        )
    return prepare(chosen, first, last, endpoint=endpoint)


def _settings(options: argparse.Namespace) -> settings.Settings:
    """Return the settings, with what the command line says of the roster, and less patience if somebody waits."""
    chosen = settings.load(config=options.config)
    minutes = chosen.patience_minutes
    if minutes is None and sys.stderr.isatty():
        minutes = min(settings.PATIENCE_AT_A_TERMINAL, chosen.patience())
    return replace(chosen, skip_bad_rows=chosen.skip_bad_rows or options.skip_bad_rows, patience_minutes=minutes)
