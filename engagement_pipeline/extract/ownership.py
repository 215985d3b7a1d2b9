"""Whose tokens an account has, and which of its Tweets are refused: what to do after each outcome of a request.

In, of one account: a request was answered, and served a Tweet or not; it was refused, and some Tweets were named or
none; it stayed unanswered. Out: where the account stands now, and what to do next: ask for Tweets, or set them aside.
At the end a verdict. It sends nothing and keeps no files; of what landed before it is told by an iterator.

    in doubt ──── a Tweet was served, now or before ────> let in
        │
        └──── at the end: all has an outcome, some Tweets were forbidden, none was served ────> wrong tokens

A refusal may name Tweets: those are set aside, and the rest is asked for again. A request of which none was named is
halved until the culprits are alone. Once a half is answered, the refusal was about the other, which need not be asked
for whole.

Only a Tweet that was served shows that the tokens are the account's own. In doubt, what is forbidden is not set aside,
and one forbidden request alone is halved. The others are held: the standing keeps them, and nothing is to be done.
Once the account is let in, what was forbidden is set aside and what was held is halved.
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
    """A request of which some Tweets are refused, and nobody knows which; with the refusal."""

    request: Request
    refusal: RefusedError


@dataclass(frozen=True, slots=True)
class Ask:
    """A decision: send this request.

    `depth` counts the halvings that led to it. If it is the first half of a refused one, `other` is the second half,
    kept back until the first has an outcome.
    """

    request: Request
    depth: int = 0
    other: Suspects | None = None


@dataclass(frozen=True, slots=True)
class SetAside:
    """A decision: ask no more for the Tweets of this request, since the API refuses them to this account."""

    request: Request
    refusal: RefusedError


@dataclass(frozen=True, slots=True)
class WrongTokens:
    """A verdict: the tokens of an account are of another handle. With one of its refusals."""

    handle: str
    refusal: RefusedError


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one account.

    `before` tells of each answer that landed before whether it served a Tweet. It is read once the account is
    forbidden something, as far as it takes. In doubt, `forbidden` is what would be set aside, `held` what would be
    halved, and `followed` the depth of the newest forbidden request that was halved, -1 before the first.
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
    """Return where an account stands at first: in doubt, but for the bearer token, which is nobody's."""
    return Standing(handle, iter(before), let_in=not handle)


def answered(standing: Standing, asked: Ask, *, served: bool) -> Step:
    """Take an answer: it served a Tweet, or it told only which Tweets are gone, as the API tells anybody."""
    standing, released = _let_in(standing) if served else (standing, ())
    standing, further = _halve(standing, asked.other, depth=asked.depth) if asked.other else (standing, ())
    return standing, (*released, *further)


def refused(standing: Standing, asked: Ask, refusal: RefusedError) -> Step:
    """Take a refusal that is about Tweets. A half that was kept back is asked for whole: it may be all right."""
    if refusal.forbidden and not standing.let_in and any(standing.before):
        standing = replace(standing, let_in=True)
    standing, decisions = _narrow(standing, asked, refusal)
    other = (Ask(asked.other.request, asked.depth),) if asked.other else ()
    return standing, (*decisions, *other)


def unanswered(standing: Standing) -> Step:
    """Take that a request got no answer, or was never sent: its Tweets might have been served."""
    return replace(standing, unanswered=True), ()


def verdict(standing: Standing) -> WrongTokens | None:
    """Tell, once nothing is left to ask, whether the tokens are of another handle.

    An account with requests that were not answered has failed for another reason, and stays in doubt.
    """
    refusals = [*(aside.refusal for aside in standing.forbidden), *(suspects.refusal for suspects in standing.held)]
    return WrongTokens(standing.handle, refusals[0]) if refusals and not standing.unanswered else None


def _let_in(standing: Standing) -> Step:
    """Take what the account was forbidden as the Tweets' own matter, since it was served one."""
    halves = [_halved(suspects, depth=0) for suspects in standing.held]
    return replace(standing, let_in=True, forbidden=(), held=()), (*standing.forbidden, *halves)


def _narrow(standing: Standing, asked: Ask, refusal: RefusedError) -> Step:
    """Set aside the Tweets that made the API refuse a request, and ask again for the others."""
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
    """Ask for the first half of a refused request, or hold it.

    Of an account in doubt, one forbidden request of each depth is followed and the others are held: its first to be
    refused, then of each two halves the one that is refused first.
    """
    if _in_doubt(standing, suspects.refusal):
        if depth <= standing.followed:
            return replace(standing, held=(*standing.held, suspects)), ()
        standing = replace(standing, followed=depth)
    return standing, (_halved(suspects, depth=depth),)


def _halved(suspects: Suspects, *, depth: int) -> Ask:
    """Return the first half with the other kept back; of a single Tweet, that alone."""
    middle = len(suspects.request.tweet_ids) // 2
    if not middle:
        return Ask(suspects.request, depth + 1)
    first, second = (
        replace(suspects.request, tweet_ids=tweet_ids)
        for tweet_ids in (suspects.request.tweet_ids[:middle], suspects.request.tweet_ids[middle:])
    )
    return Ask(first, depth + 1, other=Suspects(second, suspects.refusal))


def _in_doubt(standing: Standing, refusal: RefusedError) -> bool:
    """Tell whether a refusal may be about the tokens rather than about the Tweets."""
    return refusal.forbidden and not standing.let_in
