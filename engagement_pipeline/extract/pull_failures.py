"""What a pull has failed with, each failure once.

In: what came of its requests. Out: the errors that the pull raises in the end. Pure.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from engagement_pipeline.core.errors import AccountError, EngagementError, OutageError, OverBudgetError
from engagement_pipeline.core.redaction import shown
from engagement_pipeline.core.words import counted
from engagement_pipeline.extract import ownership

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from engagement_pipeline.core.model import Plan
    from engagement_pipeline.extract.ownership import Standing

SHOWN_TWEETS = 3  # in an error message


def noted(failures: Sequence[EngagementError], error: EngagementError) -> list[EngagementError]:
    """Return the failures with a further one: once what every request meets, of an account, the API or the month."""
    if isinstance(error, AccountError):
        is_known = any(isinstance(known, AccountError) and known.account == error.account for known in failures)
    else:
        met_by_all = isinstance(error, OutageError | OverBudgetError)
        is_known = met_by_all and any(isinstance(known, type(error)) for known in failures)
    return [*failures] if is_known else [*failures, error]


def of_wrong_tokens(standings: Mapping[str, Standing], forbidden: Mapping[str, str]) -> list[AccountError]:
    """Return the errors of accounts with the tokens of another handle, once nothing is left to ask.

    `forbidden` has by handle what a 200 said of a Tweet that is not its own.
    """
    verdicts = [ownership.verdict(standing) for _, standing in sorted(standings.items())]
    return [
        *(_wrong_tokens(found.handle, found.refusal.texts, status=found.refusal.status) for found in verdicts if found),
        *(
            _wrong_tokens(handle, [text], status=HTTPStatus.OK)
            for handle, text in sorted(forbidden.items())
            if not (standings[handle].let_in or any(standings[handle].before))
        ),
    ]


def missed(plan: Plan, settled: AbstractSet[int]) -> list[EngagementError]:
    """Return a failure if a Tweet of the plan got neither an answer nor a refusal."""
    left = sorted({tweet_id for request in plan.requests for tweet_id in request.tweet_ids} - settled)
    first = ", ".join(map(str, left[:SHOWN_TWEETS])) + (", …" if len(left) > SHOWN_TWEETS else "")
    return [EngagementError(f"{counted(len(left), plan.endpoint.unit)} got no answer: {first}")] if left else []


def _wrong_tokens(handle: str, texts: Sequence[str], *, status: int) -> AccountError:
    message = (
        f"account {handle}: the API forbids its Tweets and serves none ({shown('; '.join(texts))}), so its tokens may "
        f"be another handle's: engagement check shows whose they are, engagement authorize {handle} gets new ones"
    )
    return AccountError(message, account=handle, status=status, texts=texts)
