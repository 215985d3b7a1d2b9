"""The Tweets that a pull asked for in vain, each with the reason, landed beside the answers.

In: the requests of a plan, which of their Tweets have an outcome, and what failed. Out: one file for each account and
reason, in the pull's folder unanswered/. The publication gives each of these Tweets a row in coverage, so that days
that nobody could read differ from days without counts.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from engagement_pipeline.core.errors import AccountError, ApiError, RefusedError
from engagement_pipeline.core.model import Response
from engagement_pipeline.core.redaction import masked, shown
from engagement_pipeline.core.tables import ACCOUNT_REFUSED, NO_ANSWER, REQUEST_REFUSED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from engagement_pipeline.core.errors import EngagementError
    from engagement_pipeline.core.model import Request
    from engagement_pipeline.lake.raw import Pull

MOST_TWEETS = 10_000  # of one file: 220 kB, since its first line is read whole
STOPPED = "the pull was stopped before it was asked for"


def land(
    pull: Pull,
    requests: Sequence[Request],
    *,
    settled: AbstractSet[int],
    given_up: Mapping[int, EngagementError],
    failures: Iterable[EngagementError],
    at: datetime,
) -> None:
    """Land the Tweets of these requests that are not `settled`.

    `given_up` has the error of a Tweet's own request. A Tweet without one has that of its account; else it was not
    asked for, because of the last failure that is not about an account. `at` is when they were given up.
    """
    accounts: dict[str, EngagementError] = {}
    stopped_by: EngagementError | None = None
    for failure in failures:
        if isinstance(failure, AccountError):
            accounts[failure.account] = failure
        else:
            stopped_by = failure
    by_reason: dict[tuple[Request, str, str], list[int]] = defaultdict(list)
    for request in requests:
        for tweet in request.tweet_ids:
            if tweet not in settled:
                error = given_up.get(tweet) or accounts.get(request.handle) or stopped_by
                by_reason[replace(request, tweet_ids=()), *_reason(error)].append(tweet)
    for (request, outcome, text), tweets in by_reason.items():
        for start in range(0, len(tweets), MOST_TWEETS):
            some = replace(request, tweet_ids=tuple(tweets[start : start + MOST_TWEETS]))
            pull.land(some, Response(body=b"", asked_at=at), refusal=text, unanswered=outcome)


def _reason(error: EngagementError | None) -> tuple[str, str]:
    """Return the outcome that an error gives to the Tweets behind it, and the API's words or ours."""
    if error is None:
        return NO_ANSWER, STOPPED
    text = str(error)
    if not isinstance(error, ApiError) or error.status in (0, HTTPStatus.OK):
        return NO_ANSWER, masked(text)
    if error.texts:
        text = f"{error.status}: {shown('; '.join(error.texts))}"
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR or error.status == HTTPStatus.TOO_MANY_REQUESTS:
        return NO_ANSWER, masked(text)
    return REQUEST_REFUSED if isinstance(error, RefusedError) else ACCOUNT_REFUSED, masked(text)
