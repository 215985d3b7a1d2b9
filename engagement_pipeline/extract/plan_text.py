"""Write a plan in words, for a person.

In: Prepared. Out: lines of text. The command line prints them before a pull, and Dagster's runs log them.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from engagement_pipeline.core import spend
from engagement_pipeline.core.metrics import METRICS
from engagement_pipeline.core.words import counted
from engagement_pipeline.extract.prepare import OF_ANOTHER_SOURCE
from engagement_pipeline.transport.rate_limit import in_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engagement_pipeline.extract.prepare import Prepared


def plan_lines(prepared: Prepared) -> list[str]:
    """Return each plan's requests by account, the Tweets left out and why, and the time at the contract's rate."""
    lines: list[str] = []
    for planned in prepared.plans:
        tweets = Counter(tweet.handle for tweet in planned.tweets)
        requests = Counter(request.handle for request in planned.requests)
        when = f"{planned.window}: " if planned.window else ""
        lines.append(f"{when}{counted(len(planned.requests), 'request')} to /{planned.endpoint}")
        for handle in sorted(requests):
            who = handle or "(of others)"
            asked = f"{counted(requests[handle], 'request'):>14} for {counted(tweets[handle], planned.endpoint.unit)}"
            lines.append(f"  {who:<16} {asked}")
        if planned.alone:
            lines.append(
                f"  of these, {len(planned.alone):,} for a single {planned.endpoint.unit} each that was protected "
                "and is due again"
            )
        if moved := len(prepared.moved.intersection(planned.tweets)):
            asked_here = f"  of these, {counted(moved, planned.endpoint.unit)} {OF_ANOTHER_SOURCE}"
            lines.append(f"{asked_here}: it has no /{planned.endpoint}")
        lines += [
            f"  left out: {counted(number, planned.endpoint.unit)} {reason}"
            for reason, number in sorted(Counter(planned.left_out.values()).items())
        ]
    seconds = timedelta(seconds=round(prepared.seconds))
    return [
        *lines,
        *(f"left out: type {name}, which {_served_by(name)}" for name in prepared.types_left_out),
        f"in all {counted(prepared.requests, 'request')}: {seconds} (h:mm:ss) at {prepared.rate:,} requests "
        + in_words(prepared.terms.seconds)
        + (" for each account" if prepared.terms.per_account else ""),
    ]


def spend_lines(prepared: Sequence[Prepared]) -> list[str]:
    """Return what this month has used, what a pull of all these plans adds, and what is left then.

    The plans have all requests, as if nothing had landed yet; tries that fail come on top.
    """
    asked = [request for each in prepared for planned in each.plans for request in planned.requests]
    first = prepared[0]
    adds = spend.needs(asked, first.used, day=first.day)
    return spend.lines(first.limits, first.used, adds, what="this pull")


def _served_by(engagement_type: str) -> str:
    """Return in words which endpoints serve a type."""
    (endpoints,) = (metric.endpoints for metric in METRICS if metric.name == engagement_type)
    *others, last = (f"/{endpoint}" for endpoint in endpoints)
    names = f"{', '.join(others)} and {last}" if others else last
    return f"{names} alone {'serve' if others else 'serves'}"
