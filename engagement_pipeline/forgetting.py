"""Tweets forgotten for good: which, what of them there is, and the proof that it is gone.

In: Settings, and Tweets, a handle or a file of IDs. Out: what the lake holds of them; and once they are forgotten, a
Proof. The command `engagement forget` and the job of the same name call it.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engagement_pipeline.core.endpoints import HOURLY
from engagement_pipeline.core.erased import Erased
from engagement_pipeline.core.errors import InputError, RosterError
from engagement_pipeline.core.nearest import nearest
from engagement_pipeline.core.tweet_ids import is_tweet_id, parse_tweet_id
from engagement_pipeline.core.words import counted
from engagement_pipeline.extract import roster_synced
from engagement_pipeline.lake import forgotten, saved
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish import erasure, receipts
from engagement_pipeline.publish.erasure_media import of_tweets_alone
from engagement_pipeline.publish.erasure_search import search
from engagement_pipeline.pulling import beside_lake
from engagement_pipeline.query import catalog

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from engagement_pipeline.core.settings import Settings
    from engagement_pipeline.lake.saved import Saved
    from engagement_pipeline.publish.erasure_search import Searched
    from engagement_pipeline.publish.receipts import Receipt

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
HANDLES = "select distinct handle from tweets where handle is not null order by handle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What the lake holds of Tweets: how many by table, and how many of the Tweets were forgotten before."""

    held: dict[str, int]
    before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was done to forget some `tweets`: the receipt, and what a search of all files of the lake found afterwards.

    `reports` are those that were removed.
    """

    tweets: int
    receipt: Receipt
    searched: Searched
    reports: tuple[Saved, ...]

    @property
    def problem(self) -> str:
        """What still holds a Tweet, or may, in one line; empty if nothing does."""
        left = len(self.searched.holding) + len(self.receipt.unread)
        verb = "holds" if left == 1 else "hold"
        return (
            f"{counted(left, 'file')} still {verb} a Tweet, or cannot be read: the receipt names them; mend or "
            "remove each, then forget the Tweets again"
            if left
            else ""
        )

    @property
    def places(self) -> dict[str, tuple[int, int]]:
        """How many files were rewritten and removed, by folder of the lake; a file beside it has its own path."""
        found: dict[str, tuple[int, int]] = {}
        for change in self.receipt.changes:
            place = change.path if change.path.startswith("/") else _place(change.path)
            rewritten, removed = found.get(place, (0, 0))
            found[place] = (rewritten + bool(change.after), removed + (not change.after))
        return found


def named(
    settings: Settings, tweets: Iterable[int] = (), *, handle: str | None = None, file: Path | None = None
) -> frozenset[int]:
    """Return the Tweets that are to go: these, those of a handle, of a file, and of a removal that was stopped.

    There is none where a file names none. Raises InputError where nothing is named, where one cannot be a Tweet, and
    where there is no lake.
    """
    asked = {*tweets}
    for tweet in asked:
        if not is_tweet_id(tweet):
            raise InputError(f"{tweet} is no Tweet's ID: no ID has 64 bits; copy it again")
    asked |= forgotten.load(_home(settings)).going
    if file:
        asked.update(_of_file(file))
    if handle:
        asked.update(_of_handle(settings, handle))
    if not (asked or file):
        raise InputError("name the Tweets to forget, a handle, or a file of IDs; see engagement forget --help")
    return frozenset(asked)


def _of_handle(settings: Settings, handle: str) -> list[int]:
    with catalog.connect(_home(settings), marts=False) as connection:
        found = [tweet_id for (tweet_id,) in connection.execute(OF_HANDLE, {"handle": handle}).fetchall()]
        if found:
            return found
        handles = [name for (name,) in connection.execute(HANDLES).fetchall()]
    near = nearest(handle, handles)
    meant = f"; did you mean {near}?" if near else ": name the Tweets, or look at the handle"
    raise InputError(f"the lake knows no Tweet of {handle}{meant}")


def _of_file(path: Path) -> list[int]:
    """Return the Tweets in a file with an ID a line; raises InputError that names the line of what is none."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InputError(f"{path} cannot be read: {reason}; name a text file with a Tweet's ID a line") from None
    found = []
    for number, line in enumerate(lines, start=1):
        text = line.strip().strip('"')  # as programs write CSV
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
    """Remove Tweets, one or more, from the lake for good, refresh the views, and search all files for them.

    The receipt then says what the search has found. LakeError where it stops; the next publication, pull or `forget`
    goes on.
    """
    home = _home(settings)
    erased = Erased(of_tweets_alone(home, tweets).union(tweets))
    receipt = erasure.forget(home, tweets, now=settings.current_time(), beside=beside_lake(settings))
    catalog.refresh(home, threads=settings.most_workers())
    searched = search(home, erased)
    receipts.save(home, receipt, erased, searched=searched)
    gone = {change.path for change in receipt.changes if not change.after}
    reports = {report.path: report for report in saved.load(home) if report.path in gone}
    return Proof(tweets=len(tweets), receipt=receipt, searched=searched, reports=tuple(reports.values()))


def _place(path: str) -> str:
    """Return the folder of a table, of raw or of marts in which a file of the lake lies."""
    first, *rest = path.split("/")
    return "/".join([first, *rest[:1]]) if first in HOURLY else first


def _home(settings: Settings) -> Lake:
    home = Lake(settings.data)
    home.open(create=False)
    return home
