"""Whether each account may ask, with one cheap request where the first Tweet tells.

In: a Client, the accounts, the roster and the Tweets that are set aside. Out: a Finding for each account, and one
for the bearer token where the roster holds Tweets of others. Whose the tokens are is told by a Tweet: the API
answers its owner alone. A Tweet that is protected, gone or forbidden tells less, so a few others are tried then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engagement_pipeline.core.endpoints import RECENT, TOTALS
from engagement_pipeline.core.errors import ApiError, InputError, RefusedError, ResponseError
from engagement_pipeline.core.redaction import shown
from engagement_pipeline.extract.planner import plan
from engagement_pipeline.sources import source_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from engagement_pipeline.core.model import Request, Tweet
    from engagement_pipeline.extract.roster import Roster
    from engagement_pipeline.transport.accounts import Accounts
    from engagement_pipeline.transport.client import Client

USER_ID = re.compile(r"(\d+)-")  # with which an access token begins
AUTHOR_ID = re.compile(r"author id (\d+)", re.IGNORECASE)  # of a Tweet's owner, in one spelling of a 403
TRIED_TWEETS = 3  # of an account, where the first ones do not tell
NO_TWEET = "not tried: the roster holds no Tweet of this handle to try with"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of an account: `handle` is empty for the bearer token, `works` is None where nothing told."""

    handle: str
    works: bool | None
    text: str


@dataclass(slots=True)
class _Trial:
    """What the API answered to an account: the Tweet and the types that it served, and the Tweets that tell less."""

    handle: str
    served: int | None = None
    types: str = ""
    gone: list[int] = field(default_factory=list)
    protected: list[int] = field(default_factory=list)
    forbidden: dict[int, str] = field(default_factory=dict)  # and what the API said
    failure: str = ""
    untried: str = ""


def check_accounts(
    client: Client, accounts: Accounts, roster: Roster, *, types: Collection[str], aside: Collection[int] = ()
) -> list[Finding]:
    """Ask /28hr once for each account, and /totals for the bearer token; more often where a Tweet does not tell.

    Where /28hr serves none of `types`, an account is asked for on /totals too. Tweets `aside` are tried last.
    """
    followed: dict[str, list[Tweet]] = {handle: [] for handle in accounts.by_handle}
    for tweet in sorted(roster.tweets, key=lambda tweet: (tweet.tweet_id not in aside, tweet.tweet_id), reverse=True):
        followed.setdefault(tweet.handle, []).append(tweet)  # sorted by ID, so by time
    trials = [_tried(client, handle, tweets, types) for handle, tweets in followed.items()]
    owners = _owners(trials, accounts)
    return [_finding(trial, _user(accounts, trial.handle), owners) for trial in trials]


def _tried(client: Client, handle: str, tweets: list[Tweet], types: Collection[str]) -> _Trial:
    """Try an account with one Tweet after another until one tells."""
    trial = _Trial(handle)
    endpoint = RECENT if handle and set(types) & {*RECENT.types} else TOTALS
    if not tweets:
        trial.untried = NO_TWEET
    for tweet in tweets[:TRIED_TWEETS]:
        try:
            asked = plan([tweet], endpoint, types=types).requests
        except InputError as error:
            trial.untried = f"not tried: {error}"
            break
        if not asked:
            trial.untried = f"not tried: none of the setting types is public: {', '.join(TOTALS.public_types)}"
            break
        if _told(client, asked[0], trial):
            break
    return trial


def _told(client: Client, request: Request, trial: _Trial) -> bool:
    """Ask for one Tweet and note what came; tell whether that settles it."""
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
    if flat.unavailable:
        trial.gone.append(tweet)
        return False
    trial.served = tweet
    trial.types = _types(request, {*flat.rows["engagement_type"].to_pylist()})
    return True


def _types(request: Request, came: Collection[str]) -> str:
    """Return in words which of the types that were asked for came."""
    lacking = [name for name in request.types if name not in came]
    number = f"{len(request.types) - len(lacking)} of " if lacking else ""
    noun = "type" if len(request.types) == 1 else "types"
    return f"{number}{len(request.types)} {noun} of /{request.endpoint}" + (
        f" (not {', '.join(lacking)})" if lacking else ""
    )


def _user(accounts: Accounts, handle: str) -> str:
    """Return the user ID that an account's access token begins with, empty where it tells none."""
    user = USER_ID.match(accounts.by_handle[handle].access_token) if handle else None
    return user[1] if user else ""


def _owners(trials: list[_Trial], accounts: Accounts) -> dict[str, str]:
    """Return the handles of user IDs, the surest last: as written in the accounts, as a 403 names them, as served.

    A 403 names the author of a handle's Tweet, which is another where a row of the roster is wrong.
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
    """Say what an account's trial tells; `user` is whose its tokens are, `owners` the handles of user IDs."""
    if trial.untried:
        return Finding(trial.handle, None, trial.untried)
    if trial.failure:
        return Finding(trial.handle, works=False, text=trial.failure)
    owner = f"user id {user}" if user else "their user"
    notes = _notes(trial)
    if trial.served:
        whose = [f"the tokens are of {owner}, who owns Tweet {trial.served}"] if trial.handle else []
        return Finding(trial.handle, works=True, text="; ".join([f"works, {trial.types}", *whose, *notes]))
    if trial.forbidden and trial.handle:
        another = owners.get(user, trial.handle)
        looks = f" (they look like {another}'s)" if another != trial.handle else ""
        tweet, said = next(iter(trial.forbidden.items()))
        text = f"the tokens are of {owner}{looks}, who may not see Tweet {tweet} ({shown(said)}): "
        return Finding(trial.handle, works=False, text=text + "mend the tokens or the roster")
    whose = [f"the tokens are of {owner}, but whether these Tweets are theirs is not known"] if trial.handle else []
    return Finding(trial.handle, works=True, text="; ".join(["is let in", *notes, *whose]))


def _notes(trial: _Trial) -> list[str]:
    """Return what there is to say of the Tweets that were not served."""
    found = {
        "unavailable": trial.gone,
        "protected": trial.protected,
        "forbidden to it, so mend the roster": [*trial.forbidden],
    }
    return [
        f"{'Tweet' if len(tweets) == 1 else 'Tweets'} {', '.join(map(str, tweets))} "
        f"{'is' if len(tweets) == 1 else 'are'} {what}"
        for what, tweets in found.items()
        if tweets
    ]
