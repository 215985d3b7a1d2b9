"""Decide after each outcome of a request: has the account its own tokens, which Tweets are refused, what comes next.

In, for one account: the outcome of a request. It was answered, and served a Tweet or not. It was refused, and named
some Tweets or none. Or it got no answer. Out: the account's new standing, and what to do next: ask for Tweets, or set
them aside. At the end: a verdict. This module sends nothing and keeps no files. An iterator tells what landed before.

    in doubt ──── a Tweet was served, now or before ────> let in
        │
        └──── at the end: all has an outcome, some Tweets were forbidden, none was served ────> wrong tokens

A refusal may name Tweets: they are set aside, and the others are asked for again. If a refusal names none, the request
is halved until the refused Tweets are alone. If the first half is answered, the refusal was about the second half, so
that half is halved at once.

Only a Tweet that was served shows that the tokens are the account's own. While the account is in doubt, no forbidden
Tweet is set aside, and only one forbidden request is halved. The standing holds the others until later. Once the
account is let in, the forbidden Tweets are set aside and the held requests are halved.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from engagement_pipeline.core.errors import RefusedError
    from engagement_pipeline.core.model import Request


@dataclass(frozen=True, slots=True)
class Suspects:
    """A request with some refused Tweets, and the refusal, which does not say which they are."""

    request: Request
    refusal: RefusedError


@dataclass(frozen=True, slots=True)
class Ask:
    """A decision: send this request.

    `depth` counts the halvings that led to it. If it is the first half of a refused request, `other` is the second
    half, which waits until the first has an outcome.
    """

    request: Request
    depth: int = 0
    other: Suspects | None = None


@dataclass(frozen=True, slots=True)
class SetAside:
    """A decision: stop asking for the Tweets of this request, because the API refuses them to this account."""

    request: Request
    refusal: RefusedError


@dataclass(frozen=True, slots=True)
class WrongTokens:
    """A verdict: the account has the tokens of another handle. `refusal` is one that shows it."""

    handle: str
    refusal: RefusedError


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known about one account.

    `before` says of each earlier answer whether it served a Tweet. It is read only if the account is forbidden
    something, and only until one did. While the account is in doubt, `forbidden` holds what would be set aside, and
    `held` what would be halved. `followed` is the depth of the newest forbidden request that was halved, -1 before the
    first.
    """

    handle: str
    before: Iterator[bool]
    let_in: bool
    forbidden: tuple[SetAside, ...] = ()
    held: tuple[Suspects, ...] = ()
    followed: int = -1
    unanswered: bool = False


Decision = Ask | SetAside
Step = tuple[Standing, tuple[Decision, ...]]


def at_first(handle: str, *, before: Iterable[bool] = ()) -> Standing:
    """Return an account's first standing: in doubt. The bearer token belongs to no handle, so it is let in."""
    return Standing(handle, iter(before), let_in=not handle)


def answered(standing: Standing, asked: Ask, *, served: bool) -> Step:
    """Take an answer: it served a Tweet, or it only named Tweets that are gone, which the API tells anybody."""
    standing, released = _let_in(standing) if served else (standing, ())
    standing, further = _halve(standing, asked.other, depth=asked.depth) if asked.other else (standing, ())
    return standing, (*released, *further)


def refused(standing: Standing, asked: Ask, refusal: RefusedError) -> Step:
    """Take a refusal that is about Tweets. A second half that waited is asked for whole: it may hold no refused one."""
    if refusal.forbidden and not standing.let_in and any(standing.before):
        standing = replace(standing, let_in=True)
    standing, decisions = _narrow(standing, asked, refusal)
    other = (Ask(asked.other.request, asked.depth),) if asked.other else ()
    return standing, (*decisions, *other)


def unanswered(standing: Standing) -> Step:
    """Note that a request got no answer or was never sent: its Tweets might have been served."""
    return replace(standing, unanswered=True), ()


def verdict(standing: Standing) -> WrongTokens | None:
    """Say, once nothing is left to ask, whether the tokens belong to another handle.

    An account with unanswered requests has failed for another reason, and stays in doubt.
    """
    refusals = [*(aside.refusal for aside in standing.forbidden), *(suspects.refusal for suspects in standing.held)]
    return WrongTokens(standing.handle, refusals[0]) if refusals and not standing.unanswered else None


def _let_in(standing: Standing) -> Step:
    """Let the account in. It was served a Tweet, so its refusals are about the Tweets and not about the tokens."""
    halves = [_halved(suspects, depth=0) for suspects in standing.held]
    return replace(standing, let_in=True, forbidden=(), held=()), (*standing.forbidden, *halves)


def _narrow(standing: Standing, asked: Ask, refusal: RefusedError) -> Step:
    """Set aside the refused Tweets of a request, and ask again for the others."""
    tweet_ids = asked.request.tweet_ids
    culprits = tweet_ids if len(tweet_ids) == 1 else tuple(one for one in tweet_ids if one in refusal.tweet_ids)
    if not culprits:
        return _halve(standing, Suspects(asked.request, refusal), depth=asked.depth)
    aside = SetAside(replace(asked.request, tweet_ids=culprits), refusal)
    innocent = tuple(one for one in tweet_ids if one not in culprits)
    again = (Ask(replace(asked.request, tweet_ids=innocent), asked.depth),) if innocent else ()
    if _in_doubt(standing, refusal):
        return replace(standing, forbidden=(*standing.forbidden, aside)), again
    return standing, (aside, *again)


def _halve(standing: Standing, suspects: Suspects, *, depth: int) -> Step:
    """Ask for the first half of a refused request, or hold the request.

    While an account is in doubt, one forbidden request at each depth is halved, and the others are held. It is the
    first that is refused; then, of its two halves, the one that is refused first.
    """
    if _in_doubt(standing, suspects.refusal):
        if depth <= standing.followed:
            return replace(standing, held=(*standing.held, suspects)), ()
        standing = replace(standing, followed=depth)
    return standing, (_halved(suspects, depth=depth),)


def _halved(suspects: Suspects, *, depth: int) -> Ask:
    """Return the first half, with the second half to wait. A request for a single Tweet is returned whole."""
    middle = len(suspects.request.tweet_ids) // 2
    if not middle:
        return Ask(suspects.request, depth + 1)
    first, second = (
        replace(suspects.request, tweet_ids=tweet_ids)
        for tweet_ids in (suspects.request.tweet_ids[:middle], suspects.request.tweet_ids[middle:])
    )
    return Ask(first, depth + 1, other=Suspects(second, suspects.refusal))


def _in_doubt(standing: Standing, refusal: RefusedError) -> bool:
    """Tell whether a refusal may be about the tokens, and not about the Tweets."""
    return refusal.forbidden and not standing.let_in
