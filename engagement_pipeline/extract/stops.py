"""Why some plans of a pull failed, and what stops the plans that follow.

    a plan fails ──> its errors ──> remembered, if they are about windows ──> what is asked for next, and what is not

In: a plan, and what it failed with. Out: Failed, anew after each plan. What the API says of the windows that it takes
goes to the lake's memory (refused_windows.py). Days that are too old stop no plan for later days.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from engagement_pipeline.core.endpoints import HOURLY
from engagement_pipeline.core.errors import AccountError, RefusedError
from engagement_pipeline.core.model import Window
from engagement_pipeline.core.redaction import shown
from engagement_pipeline.extract import planner
from engagement_pipeline.lake import refused_windows
from engagement_pipeline.lake.refused_windows import TooOld

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from engagement_pipeline.core.endpoints import Endpoint
    from engagement_pipeline.core.errors import EngagementError, PullError
    from engagement_pipeline.core.model import Plan
    from engagement_pipeline.lake.layout import Lake


class Said(NamedTuple):
    """What the API has said of its oldest days, and the refusal in which it did."""

    too_old: TooOld
    refusal: RefusedError


@dataclass(frozen=True, slots=True)
class Failed:
    """What the plans of a pull have failed with so far.

    `causes` has each failure once: an account that fails in each window, or a text. `stopped_by` stops all that
    follows. `too_old` is what the API has said in this pull of its oldest days, by endpoint. `known` are refusals of
    days that it had refused before.
    """

    causes: Mapping[str, EngagementError] = field(default_factory=dict)
    stopped_by: EngagementError | None = None
    too_old: Mapping[Endpoint, Said] = field(default_factory=dict)
    known: tuple[EngagementError, ...] = ()

    def reason_not_to_ask(self, planned: Plan, now: datetime) -> EngagementError | None:
        """Return why a plan is not to be asked for at `now`, None if it is."""
        said = self.too_old_of(planned)
        if said and planned.window and planned.window.first < said.too_old.first_day(now):
            return said.refusal
        return self.stopped_by

    def too_old_of(self, planned: Plan) -> Said | None:
        """Return what was said of the oldest days of a plan's endpoint; sums without their hours audit nothing."""
        hourly = HOURLY.get(planned.endpoint.source, planned.endpoint)
        return self.too_old.get(planned.endpoint) or self.too_old.get(hourly)

    def failures(self, *, answered: int) -> list[EngagementError]:
        """Return the failures; what was known before is one only if no request was `answered`."""
        return [*self.causes.values()] or ([] if answered else [*{str(each): each for each in self.known}.values()])


def failed_so_far(failed: Failed, planned: Plan, error: PullError, lake: Lake) -> Failed:
    """Return what has failed once a further plan has; what the API says of windows is remembered in the lake."""
    causes, known = dict(failed.causes), failed.known
    for failure in error.failures:
        cause = failure.account if isinstance(failure, AccountError) else str(failure)
        if isinstance(failure, RefusedError) and (said := _too_old(failure, planned)):
            before = refused_windows.too_old(lake, planned.endpoint)
            failed = replace(failed, too_old={**failed.too_old, planned.endpoint: Said(said, failure)})
            if said != before:
                refused_windows.learn_too_old(lake, planned.endpoint, said)
            if before and cause not in causes:
                known = (*known, failure)
                continue
        elif not isinstance(failure, AccountError):
            failed = replace(failed, stopped_by=failure)
            if isinstance(failure, RefusedError) and failure.longest_days is not None:
                _learn_longest(failure, planned, lake)
        causes.setdefault(cause, failure)
    return replace(failed, causes=causes, known=known)


def plans_of_served_days(failed: Failed, planned: Plan, now: datetime) -> list[Plan]:
    """Return the plan for the days of a failed one that the API serves at `now`, as it has just said; if any."""
    said = failed.too_old_of(planned)
    first, window = said.too_old.first_day(now) if said else None, planned.window
    if not (first and window and planned.requests and window.first < first <= window.last):
        return []
    later = Window(first, window.last)
    return [planner.plan(planned.tweets, planned.endpoint, types=planned.types, window=later, alone=planned.alone)]


def forget_refusals(planned: Plan, lake: Lake, now: datetime) -> None:
    """Have the lake forget refusals of windows like this one, which the API has answered at `now`."""
    if not planned.window:
        return
    too_old, longest = refused_windows.too_old(lake, planned.endpoint), refused_windows.longest_days(lake, now)
    if too_old and planned.window.first < too_old.first_day(now):
        refused_windows.learn_too_old(lake, planned.endpoint, None)
    if longest and len([*planned.window.days()]) > longest:
        refused_windows.learn_longest(lake, None, at=now)


def _learn_longest(failure: RefusedError, planned: Plan, lake: Lake) -> None:
    """Remember the days that a window may have: as many as the API says if these are fewer than it had, else half."""
    said = failure.longest_days or 0
    had = len([*planned.window.days()]) if planned.window else 0
    if had > 1:
        refused_windows.learn_longest(lake, said if 0 < said < had else had // 2, at=failure.asked_at)


def _too_old(failure: RefusedError, planned: Plan) -> TooOld | None:
    """Return what a refusal says of the oldest days; None if the plan's window does not begin before them."""
    if not failure.oldest or not planned.window:
        return None
    said = TooOld(oldest=failure.oldest, at=failure.asked_at, text=shown("; ".join(failure.texts)))
    return said if planned.window.first < said.first_day(failure.asked_at) else None


def remembered_refusal(said: TooOld) -> RefusedError:
    """Return the refusal that is remembered."""
    return RefusedError(
        f"nothing was asked for days that the API {said}, or with engagement pull --ask-refused",
        account="",
        status=HTTPStatus.BAD_REQUEST,
        texts=[said.text],
        body=b"",
        asked_at=said.at,
        oldest=said.oldest,
    )
