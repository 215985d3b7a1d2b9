"""Find out whether each account may ask. One cheap request is enough if the first Tweet tells.

In: a Client, the accounts, the roster and the Tweets that are set aside. Out: a Finding for each account, and one
for the bearer token if the roster holds Tweets of others.

A Tweet shows to whom the tokens belong, because the API serves it only to its owner. A Tweet that is protected, gone
or forbidden shows less, so a few others are tried then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engagement_pipeline.core.endpoints import ANALYTICS, RECENT, TOTALS
from engagement_pipeline.core.errors import ApiError, InputError, RefusedError, ResponseError
from engagement_pipeline.core.redaction import shown
from engagement_pipeline.core.tables import FORBIDDEN
from engagement_pipeline.extract.planner import plan
from engagement_pipeline.sources import source_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from engagement_pipeline.core.model import Request, Tweet, Window
    from engagement_pipeline.extract.roster import Roster
    from engagement_pipeline.transport.accounts import Accounts
    from engagement_pipeline.transport.client import Client

AUTHOR_ID = re.compile(r"author id (\d+)", re.IGNORECASE)  # some answers with 403 name the Tweet's owner so
TRIED_TWEETS = 3  # for each account, if the first ones do not tell
NO_BEARER = "not tried: X API v2 takes no bearer token for analytics"
NO_TWEET = "not tried: the roster has no Tweet of this handle"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about an account. `handle` is empty for the bearer token; `works` is None if nothing told."""

    handle: str
    works: bool | None
    text: str


@dataclass(slots=True)
class _Trial:
    """What the API answered to an account: the Tweet and types that it served, and the Tweets that it did not."""

    handle: str
    served: int | None = None
    types: str = ""
    gone: list[int] = field(default_factory=list)
    protected: list[int] = field(default_factory=list)
    forbidden: dict[int, str] = field(default_factory=dict)  # by Tweet, what the API said
    failure: str = ""
    untried: str = ""


def check_accounts(
    client: Client,
    accounts: Accounts,
    roster: Roster,
    *,
    types: Collection[str],
    aside: Collection[int] = (),
    window: Window | None = None,
) -> list[Finding]:
    """Ask /28hr once for each account, and /totals for the bearer token; ask again if a Tweet does not tell.

    If /28hr serves none of `types`, accounts are tried on /totals too. With a `window`, they are tried on /analytics of
    X API v2 instead, for its days. Tweets `aside` are tried last.
    """
    followed: dict[str, list[Tweet]] = {handle: [] for handle in accounts.by_handle}
    for tweet in sorted(roster.tweets, key=lambda tweet: (tweet.tweet_id not in aside, tweet.tweet_id), reverse=True):
        followed.setdefault(tweet.handle, []).append(tweet)  # sorted by ID, so by time
    trials = [_tried(client, handle, tweets, types, window) for handle, tweets in followed.items()]
    owners = _owners(trials, accounts)
    return [_finding(trial, _user(accounts, trial.handle), owners) for trial in trials]


def _tried(client: Client, handle: str, tweets: list[Tweet], types: Collection[str], window: Window | None) -> _Trial:
    """Try an account with one Tweet after another, until one tells."""
    trial = _Trial(handle)
    endpoint = ANALYTICS if window else RECENT if handle and set(types) & {*RECENT.types} else TOTALS
    if not tweets:
        trial.untried = NO_TWEET
    if window and not handle:
        trial.untried = NO_BEARER
        return trial
    for tweet in tweets[:TRIED_TWEETS]:
        try:
            asked = plan([tweet], endpoint, types=types, window=window).requests
        except InputError as error:
            trial.untried = f"not tried: {error}"
            break
        if not asked and not window:
            trial.untried = f"not tried: none of the setting types is public: {', '.join(TOTALS.public_types)}"
            break
        if asked and _told(client, asked[0], trial):
            break
    return trial


def _told(client: Client, request: Request, trial: _Trial) -> bool:
    """Ask for one Tweet and note the answer; return whether the trial is over."""
    (tweet,) = request.tweet_ids
    try:
        flat = source_of(request.endpoint).read(client.ask(request).body, request)
    except RefusedError as error:
        if not error.about_tweets:
            trial.failure = str(error)
        elif error.forbidden:
            trial.forbidden[tweet] = "; ".join(error.texts)
        else:
            trial.protected.append(tweet)
        return not error.about_tweets
    except (ApiError, ResponseError) as error:
        trial.failure = str(error)
        return True
    if reason := flat.not_served.get(tweet):
        if reason.outcome == FORBIDDEN:
            trial.forbidden[tweet] = reason.text
        else:
            trial.gone.append(tweet)
        return False
    trial.served = tweet
    trial.types = _types(request, {*flat.rows["engagement_type"].to_pylist()})
    return True


def _types(request: Request, came: Collection[str]) -> str:
    """Return in words which of the requested types came."""
    lacking = [name for name in request.types if name not in came]
    number = f"{len(request.types) - len(lacking)} of " if lacking else ""
    noun = "type" if len(request.types) == 1 else "types"
    return f"{number}{len(request.types)} {noun} of /{request.endpoint}" + (
        f" (not {', '.join(lacking)})" if lacking else ""
    )


def _user(accounts: Accounts, handle: str) -> str:
    """Return the user ID of an account, empty if its token tells none, or for the bearer token."""
    return accounts.by_handle[handle].user_id if handle else ""


def _owners(trials: list[_Trial], accounts: Accounts) -> dict[str, str]:
    """Return the handle of each user ID. A surer source overrides a less sure one.

    The sources, the surest last: the accounts file, the author that a 403 names, a Tweet that was served. The author
    in a 403 is somebody else if a row of the roster is wrong.
    """
    owned = [trial for trial in trials if trial.handle]
    written = {_user(accounts, trial.handle): trial.handle for trial in owned if not trial.forbidden}
    named = {
        author: trial.handle
        for trial in owned
        for text in trial.forbidden.values()
        for author in AUTHOR_ID.findall(text)
    }
    return written | named | {_user(accounts, trial.handle): trial.handle for trial in owned if trial.served}


def _finding(trial: _Trial, user: str, owners: dict[str, str]) -> Finding:
    """Say what an account's trial shows. `user` is the user ID in its tokens, `owners` has the handle of each ID."""
    if trial.untried:
        return Finding(trial.handle, None, trial.untried)
    if trial.failure:
        return Finding(trial.handle, works=False, text=trial.failure)
    owner = f"user id {user}" if user else "their user"
    notes = _notes(trial)
    if trial.served:
        whose = [f"the tokens belong to {owner}, who owns Tweet {trial.served}"] if trial.handle else []
        return Finding(trial.handle, works=True, text="; ".join([f"works, {trial.types}", *whose, *notes]))
    if trial.forbidden and trial.handle:
        another = owners.get(user, trial.handle)
        looks = f" (they look like {another}'s)" if another != trial.handle else ""
        tweet, said = next(iter(trial.forbidden.items()))
        text = f"the tokens belong to {owner}{looks}, who may not see Tweet {tweet} ({shown(said)}): "
        return Finding(trial.handle, works=False, text=text + "correct the tokens or the roster")
    whose = [f"the tokens belong to {owner}, but nothing shows who owns these Tweets"] if trial.handle else []
    return Finding(trial.handle, works=True, text="; ".join(["is let in", *notes, *whose]))


def _notes(trial: _Trial) -> list[str]:
    """Return what there is to say about the Tweets that were not served."""
    found = {
        "unavailable": trial.gone,
        "protected": trial.protected,
        "forbidden to it, so correct the roster": [*trial.forbidden],
    }
    return [
        f"{'Tweet' if len(tweets) == 1 else 'Tweets'} {', '.join(map(str, tweets))} "
        f"{'is' if len(tweets) == 1 else 'are'} {what}"
        for what, tweets in found.items()
        if tweets
    ]
