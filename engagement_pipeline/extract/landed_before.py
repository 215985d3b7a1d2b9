"""What an unfinished pull has landed already, so that nothing is asked twice.

In: a Pull, and the client with the accounts of today. Out: the responses put in order, the Tweets that need no request,
and what is known of each account.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from engagement_pipeline import sources
from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.core.model import Response, Tweet
from engagement_pipeline.core.tables import FORBIDDEN
from engagement_pipeline.extract import ownership
from engagement_pipeline.extract.audit import audit, serves
from engagement_pipeline.lake.layout import PULL_LOCK
from engagement_pipeline.lake.looking import ALONE, MemoryLackError, looking

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from engagement_pipeline.core.model import Plan, Request
    from engagement_pipeline.extract.ownership import Standing
    from engagement_pipeline.lake.landed_file import Landed
    from engagement_pipeline.lake.raw import Pull
    from engagement_pipeline.transport.client import Client


def settle(pull: Pull) -> None:
    """Audit, one by one, the responses that a killed pull landed and did not read; reject what cannot be read."""
    for landed in pull.unsettled():
        try:
            with looking(landed, PULL_LOCK, how=ALONE):
                audit(pull, landed.path, landed.body(), landed.request, asked_at=landed.asked_at)
        except MemoryLackError:
            pull.give_up(landed.path, "needs more memory than there is")
        except LakeError:
            pull.give_up(landed.path, "cannot be read")


def answered(pull: Pull, client: Client) -> set[Tweet]:
    """Return the Tweets that an unfinished pull has an answer for, each with the account that asked.

    What was refused counts as long as the account still has the tokens that were refused.
    """
    return {
        Tweet(tweet_id, landed.request.handle)
        for landed in pull.landed()
        for tweet_id in {*landed.request.tweet_ids} - _due_again(landed, client)
    }


def refusals(pull: Pull, client: Client) -> list[Landed]:
    """Return the refusals of a pull to tokens that its accounts still have."""
    return [landed for landed in pull.landed() if landed.refusal and _still_holds(landed, client)]


def repeat(pull: Pull, refused: Iterable[Landed], tweets: AbstractSet[Tweet]) -> set[Tweet]:
    """Land the refusals of another window in this one too, as far as they name some of `tweets`; return those Tweets.

    The API refuses a Tweet for all days, so another request would tell nothing new.
    """
    repeated: set[Tweet] = set()
    for landed in refused:
        named = {Tweet(tweet_id, landed.request.handle) for tweet_id in landed.request.tweet_ids} & tweets - repeated
        if named:
            pull.land(
                replace(
                    landed.request,
                    endpoint=pull.endpoint,
                    tweet_ids=tuple(sorted(t.tweet_id for t in named)),
                    window=pull.window,
                ),
                Response(body=landed.body(), asked_at=landed.asked_at),
                refusal=landed.refusal,
                tokens=landed.tokens,
            )
            repeated |= named
    return repeated


def standings(plan: Plan, pull: Pull) -> dict[str, Standing]:
    """Return the first standing of each account of a plan; what landed before is read only when it is needed."""
    before: dict[str, list[Landed]] = defaultdict(list)
    for landed in pull.landed():
        if not landed.refusal:
            before[landed.request.handle].append(landed)
    handles = {request.handle for request in plan.requests}
    return {handle: ownership.at_first(handle, before=map(_served, reversed(before[handle]))) for handle in handles}


def witness(plan: Plan, pull: Pull) -> Request | None:
    """Return a request that was answered before to an account of the plan."""
    handles = {request.handle for request in plan.requests}
    answered = (landed.request for landed in pull.landed() if not landed.refusal)
    return next((request for request in answered if request.handle in handles), None)


def _still_holds(landed: Landed, client: Client) -> bool:
    return landed.tokens == client.fingerprint(landed.request.handle)


def _due_again(landed: Landed, client: Client) -> set[int]:
    """Return the Tweets of a response that were refused to tokens which the account has no more."""
    if _still_holds(landed, client):
        return set()
    if landed.refusal:
        return {*landed.request.tweet_ids}
    with looking(landed, PULL_LOCK):
        reasons = sources.read(landed.body(), landed.request).reasons
    return {tweet_id for tweet_id, reason in reasons.items() if reason.outcome == FORBIDDEN}


def _served(landed: Landed) -> bool:
    with looking(landed, PULL_LOCK):
        return serves(sources.read(landed.body(), landed.request))
