"""Tweets forgotten for good: which, what of them there is, and the proof that it is gone.

In: Settings, and Tweets, a handle or a file of IDs. Out: what the lake holds of them; and once they are forgotten, a
Proof. The command `engagement forget` calls it. Files of the roster that the program has written lose them too.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING

from engagement_pipeline.core.erased import Erased
from engagement_pipeline.core.errors import InputError, RosterError
from engagement_pipeline.core.tweet_ids import parse_tweet_id
from engagement_pipeline.extract import roster_synced
from engagement_pipeline.lake import forgotten
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish import erasure
from engagement_pipeline.publish.erasure import Change
from engagement_pipeline.publish.erasure_media import of_tweets_alone
from engagement_pipeline.publish.erasure_search import search
from engagement_pipeline.query import catalog

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from engagement_pipeline.core.settings import Settings
    from engagement_pipeline.publish.erasure import Receipt
    from engagement_pipeline.publish.erasure_search import Searched

ROSTER = "roster"  # what its files of the program hold, beside the names of tables
HEADING = "tweet_id"  # the first line of a file of IDs may be this name
OF_HANDLE = """
    select tweet_id from tweets where lower(handle) = lower($handle)
    union
    select tweet_id from set_aside where lower(handle) = lower($handle)
    union
    select unnest(tweet_ids) from requests where lower(handle) = lower($handle)
    order by all
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What the lake holds of Tweets: how many by table, and how many of the Tweets were forgotten before."""

    held: dict[str, int]
    before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The receipt of what was done, and what a search of all files of the lake found afterwards."""

    receipt: Receipt
    searched: Searched


def going(settings: Settings) -> frozenset[int]:
    """Return the Tweets of a removal that was stopped; raises InputError where there is no lake."""
    return forgotten.load(_home(settings)).going


def of_handle(settings: Settings, handle: str) -> list[int]:
    """Return the Tweets that the lake knows to be of a handle, sorted; raises InputError where there is no lake."""
    home = _home(settings)
    with catalog.connect(home, marts=False) as connection:
        return [tweet_id for (tweet_id,) in connection.execute(OF_HANDLE, {"handle": handle}).fetchall()]


def of_file(path: Path) -> list[int]:
    """Return the Tweets in a file with an ID a line; raises InputError that names the line of what is none."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InputError(f"{path} cannot be read: {reason}; name a text file with a Tweet's ID a line") from None
    found = []
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or (number == 1 and text == HEADING):
            continue
        try:
            found.append(parse_tweet_id(text))
        except ValueError as error:
            raise InputError(f"{path}:{number}: {error}: write one ID a line, and nothing else") from None
    return found


def found(settings: Settings, tweets: Collection[int]) -> Holding:
    """Return what the lake holds of Tweets, and change nothing; raises InputError where there is no lake."""
    home, erased = _home(settings), Erased(frozenset(tweets))
    held = Counter(erasure.found(home, tweets))
    for path in roster_synced.files(settings.tweets):
        with suppress(RosterError):  # it is told when they are forgotten
            held[ROSTER] += roster_synced.names(path, erased)
    return Holding(held=dict(+held), before=len(forgotten.load(home).among(tweets)))


def forget(settings: Settings, tweets: Collection[int]) -> Proof:
    """Remove Tweets from the lake for good, refresh the views, and search all files for them.

    LakeError where it stops; the next publication, pull or `forget` goes on.
    """
    home = _home(settings)
    erased = Erased(of_tweets_alone(home, tweets).union(tweets))
    receipt = _without_roster(settings, erased, erasure.forget(home, tweets, now=settings.current_time()))
    catalog.refresh(home)
    return Proof(receipt=receipt, searched=search(home, erased))


def _without_roster(settings: Settings, erased: Erased, receipt: Receipt) -> Receipt:
    """Take the Tweets out of the roster's files of the program; return the receipt with these."""
    changes, unread = [*receipt.changes], [*receipt.unread]
    for path in roster_synced.files(settings.tweets):
        try:
            before, after = (sha256(content).hexdigest() for content in roster_synced.forget(path, erased))
            if after != before:
                changes.append(Change(path=str(path), before=before, after=after))
        except RosterError as error:
            unread.append(str(error))
        except OSError as error:
            unread.append(f"{path} cannot be changed: {error.strerror}; get permission to write it")
    return replace(receipt, changes=tuple(changes), unread=tuple(unread))


def _home(settings: Settings) -> Lake:
    home = Lake(settings.data)
    home.open(create=False)
    return home
