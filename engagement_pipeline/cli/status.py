"""The command `engagement status`: the accounts, the roster, the lake and the next runs, on one screen.

In: arguments. Out: at most SCREEN lines of text, or JSON. A part that cannot be read is told in a line of its own, and
the others are shown. Nothing is written, and nothing is asked of the API, but for what --vendor asks.
"""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from engagement_pipeline.core import settings, spend
from engagement_pipeline.core.errors import EngagementError, refused_by_system
from engagement_pipeline.core.redaction import printable, redacted
from engagement_pipeline.core.spend import Limits, Needs
from engagement_pipeline.core.words import counted, first_few
from engagement_pipeline.extract import roster, vendor_usage
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.observe import next_runs, status
from engagement_pipeline.transport import accounts

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from engagement_pipeline.core.settings import Settings
    from engagement_pipeline.core.spend import Share, Used
    from engagement_pipeline.observe.next_runs import NextRun
    from engagement_pipeline.observe.status import Held, PullState, Standing
    from engagement_pipeline.sources.x_api_v2.usage import Usage

SCREEN, WIDTH = 40, 80  # lines that the whole takes at most, and their columns where no path or name is long
VENDOR = "X counts"
SHOWN_HANDLES, SHOWN_PULLS, SHOWN_GAPS, SHOWN_RUNS = 9, 8, 2, 4
SHOWN_OAUTH2 = 2
MEGABYTE, GIGABYTE = 1e6, 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What the command shows; `problems` says by part why it is not known.

    `followed` has the Tweets of the roster by handle, 0 for a handle without any; those of others are under an empty
    handle. `unknown` are those of handles that the accounts file lacks. `oauth2` are the handles with OAuth 2 tokens,
    and those of `oauth2_alone` have no others. `source_of` is the setting. `standing` is None before the first pull.
    `limits` are those of a month, and `vendor` what X counts, if it was asked.
    """

    data: str
    accounts: tuple[str, ...] = ()
    oauth2: tuple[str, ...] = ()
    oauth2_alone: tuple[str, ...] = ()
    followed: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)
    source_of: dict[str, str] = field(default_factory=dict)
    bad_rows: int = 0
    standing: Standing | None = None
    limits: Limits = field(default_factory=Limits)
    vendor: Usage | None = None
    next_runs: tuple[NextRun, ...] = ()
    problems: dict[str, str] = field(default_factory=dict)


def run(options: argparse.Namespace) -> None:
    """Show the screen."""
    chosen = settings.load(config=options.config)
    found = gathered(chosen, now=chosen.current_time(), asks_vendor=options.vendor)
    if options.json:
        print(as_json(found))
    else:
        for line in lines(found):
            print(printable(redacted(line)))


def gathered(chosen: Settings, *, now: datetime, asks_vendor: bool = False) -> Status:
    """Look at each part; what cannot be read is a problem of that part alone."""
    problems: dict[str, str] = {}

    def part(name: str, look: Callable[[], Any]) -> Any:  # noqa: ANN401 - what the part is
        try:
            return look()
        except EngagementError as error:
            problems[name] = str(error)
        except OSError as error:
            problems[name] = refused_by_system(error)
        return None

    known = part("accounts", lambda: accounts.glance(chosen.accounts))
    by_handle = dict(sorted(known.by_handle.items())) if known else {}
    handles = tuple(by_handle) if known else None
    followed = (
        part("roster", lambda: roster.load(chosen.tweets, handles=by_handle, skip_bad_rows=True)) if by_handle else None
    )
    vendor = part(VENDOR, lambda: vendor_usage.ask(chosen)) if asks_vendor else None
    standing = part("lake", lambda: status.of_lake(Lake(chosen.data), now=now))
    if standing and standing.problem:
        problems["set aside"] = standing.problem
    return Status(
        data=str(chosen.data),
        accounts=handles or (),
        oauth2=tuple(handle for handle, account in by_handle.items() if account.oauth2),
        oauth2_alone=tuple(handle for handle, account in by_handle.items() if not account.access_token),
        followed=_followed(handles, followed),
        unknown=dict(Counter(tweet.handle for tweet in followed.unknown)) if followed else {},
        source_of=dict(chosen.source_of or ()),
        bad_rows=len(followed.bad_rows) if followed else 0,
        standing=standing,
        limits=chosen.limits,
        vendor=vendor,
        next_runs=part("next run", lambda: next_runs.ask(chosen.dagster_url)) or (),
        problems=problems,
    )


def _followed(handles: tuple[str, ...] | None, found: roster.Roster | None) -> dict[str, int]:
    """Return the Tweets by handle, most first."""
    numbers = Counter(tweet.handle for tweet in found.tweets) if found else Counter()
    return dict(Counter({**dict.fromkeys(handles or (), 0), **numbers}).most_common()) if found else {}


def as_json(found: Status) -> str:
    """Return the whole as JSON: days and moments as ISO text, sizes in bytes."""
    fields = asdict(found)
    if found.standing:
        used = found.standing.used
        fields["standing"]["used"] = {
            "requests": used.requests,
            "answered": used.answered,
            "handles": sorted(used.handles),
            "posts_read": used.posts_read,
        }
    return json.dumps(fields, indent=1, default=lambda value: value.isoformat())


def lines(found: Status) -> Iterator[str]:
    """Yield the lines of the screen."""
    yield f"lake         {found.data}"
    yield from _lake_lines(found)
    yield from _account_lines(found)
    if found.standing:
        yield from _pull_lines(found.standing.pulls)
        yield from _standing_lines(found.standing)
        yield from _month_lines(found.limits, found.standing.used)
    if found.vendor:
        yield from _vendor_lines(found.vendor)
    yield from _run_lines(found)
    for name in ("lake", "roster", "set aside", VENDOR):
        if name in found.problems:
            yield f"{name:<12} {found.problems[name]}"


def _lake_lines(found: Status) -> Iterator[str]:
    if found.standing:
        held = found.standing.held
        yield f"  days       {_days(held)}"
        if held.gaps:
            missing = [f"{first} to {last}" if first != last else str(first) for first, last in held.gaps]
            yield f"  missing    {first_few(missing, SHOWN_GAPS)}"
        if held.damaged:
            yield f"  damaged    {counted(held.damaged, 'day')}: engagement doctor says what to run"
        room = "" if held.free is None else f"; {held.free / GIGABYTE:,.1f} GB are free"
        yield f"  size       {held.size / MEGABYTE:,.1f} MB, {held.raw_size / MEGABYTE:,.1f} MB of it responses{room}"
    elif "lake" not in found.problems:
        yield "  days       none: the first engagement pull makes the lake"


def _days(held: Held) -> str:
    if not held.days:
        return "none of /historical"
    gaps = counted(len(held.gaps), "gap") if held.gaps else "no gap"
    return f"{counted(held.days, 'day')}, {held.first} to {held.last}, {gaps}; {counted(held.rows, 'row')}"


def _account_lines(found: Status) -> Iterator[str]:
    if "accounts" in found.problems:
        yield f"accounts     {found.problems['accounts']}"
        return
    yield f"accounts     {counted(len(found.accounts), 'handle')}, {counted(sum(found.followed.values()), 'Tweet')}"
    shown = [*found.followed.items()][:SHOWN_HANDLES]
    for handle, number in shown:
        source = f"  {found.source_of[handle]}" if handle in found.source_of else ""
        yield f"  {handle or '(of others)':<16} {counted(number, 'Tweet'):>14}{source}"
    rest = [*found.followed.values()][SHOWN_HANDLES:]
    if rest:
        yield f"  and {counted(len(rest), 'handle')} more with {counted(sum(rest), 'Tweet')}"
    if found.oauth2:
        alone = f"; nothing for the Engagement API: {_some(found.oauth2_alone)}" if found.oauth2_alone else ""
        yield f"  OAuth 2 for X API v2: {_some(found.oauth2)}{alone}"
    if found.unknown:
        handle = min(found.unknown)
        left = counted(sum(found.unknown.values()), "Tweet")
        yield f"  left out: {left} of handles without tokens: engagement authorize {handle}"
    elif found.bad_rows:
        yield f"  left out: {counted(found.bad_rows, 'kind')} of bad rows in the roster, as told above"


def _some(handles: tuple[str, ...]) -> str:
    rest = len(handles) - SHOWN_OAUTH2
    return ", ".join(handles[:SHOWN_OAUTH2]) + (f" and {rest:,} more" if rest > 0 else "")


def _pull_lines(pulls: tuple[PullState, ...]) -> Iterator[str]:
    width = max((len(pull.endpoint) for pull in pulls), default=0)
    yield f"{'last pulls':<{width + 3}} {'days':<24} {'began (UTC)':<16} answers" if pulls else "last pulls   none"
    open_first = sorted(pulls, key=lambda pull: (pull.outcome == "published", pull.began_at))
    for pull in sorted(open_first[-SHOWN_PULLS:], key=lambda pull: pull.began_at):
        days = f"{pull.first} to {pull.last}" if pull.first != pull.last else str(pull.first)
        began = f"{pull.began_at:%Y-%m-%d %H:%M}"
        yield f"  /{pull.endpoint:<{width}} {days:<24} {began} {pull.responses:>7,} {pull.outcome}"
    left = sum(pull.outcome in {"stopped", "not published"} for pull in pulls)
    if left:
        verb = "is" if left == 1 else "are"
        yield f"  {counted(left, 'pull')} {verb} not in the tables: engagement doctor says what to run"


def _standing_lines(standing: Standing) -> Iterator[str]:
    number = sum(standing.set_aside.values())
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in standing.set_aside.items())
    yield f"set aside    {counted(number, 'Tweet')}" + (f": {reasons}" if reasons else "")
    for place, words in enumerate(standing.refused):
        head = "" if place else "left out"
        yield from textwrap.wrap(words, WIDTH, initial_indent=f"{head:<13}", subsequent_indent=" " * 13)
    if standing.to_forget:
        late = f", {standing.overdue:,} overdue" if standing.overdue else ""
        yield f"to forget    {counted(standing.to_forget, 'Tweet')}{late}: forget_by in the view missing"


def _month_lines(limits: Limits, used: Used) -> Iterator[str]:
    """Yield what this month has used of its limits, on lines that a screen is wide enough for."""
    requests, handles, posts = spend.shares(limits, used, Needs())
    told = [f"{_of_limit(requests)}, {used.answered:,} answered", f"{_of_limit(handles)} queried"]
    if posts.used or posts.limit:
        price = limits.price_per_read
        told.append(f"{_of_limit(posts)} read" + ("" if price is None else f", {posts.used * price:,.2f}"))
    indent = " " * len("this month   ")
    yield from textwrap.wrap("; ".join(told), WIDTH, initial_indent="this month   ", subsequent_indent=indent)


def _of_limit(share: Share) -> str:
    if share.limit is None:
        return counted(share.used, share.noun)
    return f"{share.used:,} of {counted(share.limit, share.noun)} ({share.percent})"


def _vendor_lines(vendor: Usage) -> Iterator[str]:
    yield f"X counts     {counted(vendor.this_month, 'Post')} read this month"
    yield (f"             {vendor.vendors_month:,} of {vendor.cap:,} in a month that begins on day {vendor.reset_day}")


def _run_lines(found: Status) -> Iterator[str]:
    if problem := found.problems.get("next run"):
        yield f"next run     {problem}"
    elif not found.next_runs:
        yield "next run     none: no schedule is on in Dagster"
    for place, run in enumerate(found.next_runs[:SHOWN_RUNS]):
        yield f"{'' if place else 'next run':<12} {run.at:%Y-%m-%d %H:%M} UTC, {run.schedule}"
