"""Whether each account may ask, with one cheap request each.

In: a Client, the accounts and the roster. Out: a Finding for each account, and one for the bearer token where the
roster holds Tweets of others. Whose the tokens are is told by a Tweet: the API answers its owner alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engagement_pipeline.errors import ApiError, RefusedError, ResponseError
from engagement_pipeline.flatten import flatten
from engagement_pipeline.metrics import RECENT, TOTALS
from engagement_pipeline.plan import plan

if TYPE_CHECKING:
    from collections.abc import Collection

    from engagement_pipeline.accounts import Accounts
    from engagement_pipeline.client import Client
    from engagement_pipeline.plan import Request
    from engagement_pipeline.roster import Roster

USER_ID = re.compile(r"(\d+)-")  # with which an access token begins


@dataclass(frozen=True, slots=True)
class Finding:
    """What one request told of an account; `handle` is empty for the bearer token."""

    handle: str
    works: bool
    text: str


def check(client: Client, accounts: Accounts, roster: Roster, *, types: Collection[str]) -> list[Finding]:
    """Ask /28hr once for each account, and /totals for the bearer token."""
    newest = {tweet.handle: tweet for tweet in roster.tweets}  # sorted by ID, so by time
    findings = []
    for handle in [*accounts.by_handle, *([""] if "" in newest else [])]:
        if handle not in newest:
            findings.append(Finding(handle, works=False, text="not tried: the roster holds no Tweet of this handle"))
            continue
        (request,) = plan([newest[handle]], RECENT if handle else TOTALS, types=types).requests
        findings.append(Finding(handle, *_tried(client, request, _owner(accounts, handle))))
    return findings


def _owner(accounts: Accounts, handle: str) -> str:
    """Return in words whose the tokens are."""
    user = USER_ID.match(accounts.by_handle[handle].access_token) if handle else None
    return f"user id {user[1]}" if user else "their user"


def _tried(client: Client, request: Request, owner: str) -> tuple[bool, str]:
    """Return whether the account works, and what its answer tells."""
    tweet = request.tweet_ids[0]
    try:
        unavailable = flatten(client.ask(request).body, request).unavailable
    except RefusedError as error:
        said = "; ".join(error.texts)
        return (
            False,
            f"the tokens are of {owner}, who may not see Tweet {tweet} ({said}): mend the tokens or the roster",
        )
    except (ApiError, ResponseError) as error:
        return False, str(error)
    works = f"works, {len(request.types)} types of /{request.endpoint}"
    if not request.handle:
        return True, works
    if unavailable:
        return True, f"{works}; Tweet {tweet} is unavailable, so it is not known whether the tokens are its owner's"
    return True, f"{works}; the tokens are of {owner}, who owns Tweet {tweet}"
