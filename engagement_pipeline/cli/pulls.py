"""The commands that ask the API, or tell what a pull would ask it: authorize, check, plan and pull.

In: options. Out: one library call each, then text.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from engagement_pipeline import pipeline, pulling
from engagement_pipeline.cli import output, progress
from engagement_pipeline.core import setting_values, settings
from engagement_pipeline.core.endpoints import ENDPOINTS, MEDIA
from engagement_pipeline.core.errors import EngagementError, InputError, PullError
from engagement_pipeline.extract.prepare import Prepared, prepare
from engagement_pipeline.extract.progress import REQUESTS
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.observe import news, spending
from engagement_pipeline.transport import authorizing, tokens

if TYPE_CHECKING:
    import argparse

    from engagement_pipeline.core.endpoints import Endpoint

logger = logging.getLogger(__name__)


def authorize(options: argparse.Namespace) -> None:
    """Let a handle give its tokens to the app."""
    chosen = settings.load(config=options.config)
    if options.oauth2:
        authorizing.authorize(
            chosen.accounts,
            options.handle,
            x_api_url=chosen.x_api_url,
            timeout_seconds=chosen.timeout_seconds,
            ask_code=lambda url: output.ask_code(url, handle=options.handle),
        )
    else:
        tokens.authorize(
            chosen.accounts,
            options.handle,
            auth_url=chosen.auth_url,
            timeout_seconds=chosen.timeout_seconds,
            ask_pin=lambda url: output.ask_pin(url, handle=options.handle),
        )
    print(f"the {'OAuth 2 ' * options.oauth2}tokens of {options.handle} are in {chosen.accounts}")


def check(options: argparse.Namespace) -> None:
    """Try each account."""
    findings = pulling.check_accounts(_settings(options), over_budget=options.over_budget)
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
    output.show_plan(_prepared(options, chosen))


def pull(options: argparse.Namespace) -> None:
    """Pull, publish, and show what came."""
    chosen = _settings(options)
    prepared = _prepared(options, chosen, over_budget=options.over_budget)
    output.show_plan(prepared)
    failures: list[EngagementError] = []
    is_stored = False
    run = pipeline.run_source if len(prepared) > 1 else pipeline.run
    for each in prepared:
        with progress.bars() as bar:
            outcome = run(chosen, each, pulling=bar(REQUESTS), publishing=bar("Tweets published"))
        output.show_outcome(outcome)
        is_stored |= any(publication.stored for publication in outcome.publications)
        failures += outcome.failure.failures if outcome.failure else ()
    tell_news(chosen)
    if is_stored and any(p.window and p.window.last >= chosen.first_day for each in prepared for p in each.plans):
        output.show_where_days_appear()
    for line in spending.nearing(chosen, day=chosen.current_time().date()).values():
        logger.warning("%s", line)
    if failures:
        raise PullError(failures)


def tell_news(chosen: settings.Settings) -> None:
    """Show what the APIs have sent that is not documented, once."""
    home = Lake(chosen.data)
    untold = news.untold(home)
    output.show_news(news.words(untold))
    news.told(home, untold, at=chosen.current_time())


def _prepared(options: argparse.Namespace, chosen: settings.Settings, *, over_budget: bool = False) -> list[Prepared]:
    """Return what to ask each source."""
    if options.source:
        chosen = replace(chosen, source=options.source)
    if options.source or options.endpoint:  # what is named is asked for all accounts
        chosen = replace(chosen, source_of=None)
    named = ENDPOINTS[options.endpoint] if options.endpoint else None
    of_source = "x_api_v2" if named is MEDIA else named and named.source
    if named and options.source and options.source not in (setting_values.BOTH, of_source):
        raise InputError(f"/{named} is of {of_source}, not of {options.source}: leave out --source or --endpoint")
    endpoints = [named] if named else chosen.hourly
    return [_prepared_for(endpoint, options, chosen, over_budget=over_budget) for endpoint in endpoints]


def _prepared_for(
    endpoint: Endpoint, options: argparse.Namespace, chosen: settings.Settings, *, over_budget: bool
) -> Prepared:
    if not endpoint.max_days and (options.first or options.last):
        raise InputError(f"/{endpoint} knows only the present: leave out --from and --to")
    last = options.last or chosen.last_whole_day()
    first = options.first or chosen.look_back_day(last)
    if endpoint.max_days and not options.first and chosen.oldest_day() <= last < chosen.first_day:
        raise InputError(
            f"{last} is before {chosen.first_day}, the setting first_day, so no look-back ends there: name the first "
            "day with --from"
        )
    return prepare(chosen, first, last, endpoint=endpoint, over_budget=over_budget, ask_refused=options.ask_refused)


def _settings(options: argparse.Namespace) -> settings.Settings:
    """Return the settings, with what the command line says of the roster."""
    chosen = patient(options)
    return replace(chosen, skip_bad_rows=chosen.skip_bad_rows or options.skip_bad_rows)


def patient(options: argparse.Namespace) -> settings.Settings:
    """Return the settings, with less patience for an API that is down if somebody waits."""
    chosen = settings.load(config=options.config)
    minutes = chosen.patience_minutes
    if minutes is None and sys.stderr.isatty():
        minutes = min(settings.PATIENCE_AT_A_TERMINAL, chosen.patience())
    return replace(chosen, patience_minutes=minutes)
