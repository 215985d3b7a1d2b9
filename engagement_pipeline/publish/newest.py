"""What the landed responses of a pull say of each Tweet: the newest answer, or the refusal.

In: a Pull. Out: the Tweets that were answered for, in order. A range of Tweets at a time: the responses that say what
is newest of them, each opened by whoever reads it.

A response is opened when the first of its Tweets is, and closed after the last. Where the Tweets of many handles
interleave, more than MOST_ROWS would be held, and those that were not used for longest are opened again.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engagement_pipeline import sources
from engagement_pipeline.core.errors import ResponseError
from engagement_pipeline.lake.landed_file import damaged
from engagement_pipeline.lake.looking import Looks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from engagement_pipeline.core.model import Flat, NotServed, Request
    from engagement_pipeline.lake.forgotten import Forgotten
    from engagement_pipeline.lake.landed_file import Landed
    from engagement_pipeline.lake.raw import Pull
    from engagement_pipeline.lake.storages import Storage
    from engagement_pipeline.publish.merge import Ints

T = TypeVar("T")
MOST_ROWS = 7_000_000  # of responses that are kept open: 30 to 70 MB, 24 full responses of /historical
HOURS_OF_THE_PRESENT = 29  # the most that an answer has without a window


class Part(NamedTuple, Generic[T]):
    """A response that is `opened`, and the Tweets of a range of which it is the newest answer, in order.

    `whole` tells that it answers for no other Tweet of the range.
    """

    landed: Landed
    opened: T
    tweets: Ints
    whole: bool


class NewestAnswers:
    """The responses of one pull, by Tweet.

    `tweets` are the IDs that were answered for, sorted; `refused` are those of which a refusal is the newest word, or
    that no answer came for. An answer counts against whatever a try without one said of its Tweets in the same pull.
    Forgotten Tweets are left out.
    """

    def __init__(self, pull: Pull, forgotten: Forgotten) -> None:
        self._answers: dict[int, Landed] = {}  # by Tweet; the newest
        self._refusals: dict[int, Landed] = {}
        for landed in sorted(pull.landed(), key=lambda landed: landed.asked_at):
            of_kind = self._refusals if landed.refusal else self._answers
            of_kind.update(dict.fromkeys(landed.request.tweet_ids, landed))
        for landed in sorted(pull.unanswered(), key=lambda landed: landed.asked_at):
            for tweet in landed.request.tweet_ids:
                known = self._refusals.get(tweet)
                if tweet not in self._answers and (known is None or known.asked_at <= landed.asked_at):
                    self._refusals[tweet] = landed
        for tweet in forgotten.among(self._answers.keys() | self._refusals.keys()):  # raw may be of a backup
            self._answers.pop(tweet, None)
            self._refusals.pop(tweet, None)
        self.tweets: Ints = np.array(sorted(self._answers), np.int64)
        self.refused = frozenset(tweet for tweet in self._refusals if self.newest(tweet).refusal)

    @property
    def all_tweets(self) -> Ints:
        """The IDs that were answered for or refused, sorted."""
        return np.array(sorted(self._answers.keys() | self._refusals.keys()), np.int64)

    def newest(self, tweet: int) -> Landed:
        """Return the newest word of the API about a Tweet."""
        words = filter(None, (self._answers.get(tweet), self._refusals.get(tweet)))
        return max(words, key=lambda landed: landed.asked_at)

    def answer(self, tweet: int) -> Landed | None:
        """Return the newest response that answers for a Tweet, served or not; None where it was only refused."""
        return self._answers.get(tweet)

    def answered_at(self) -> list[datetime]:
        """Return when each of `tweets` was asked for, by the request whose answer is the newest."""
        return [self._answers[tweet].asked_at for tweet in self.tweets.tolist()]

    def in_order(self) -> list[Landed]:
        """Return the responses with the newest answers, each where the first of its Tweets is."""
        return [*dict.fromkeys(self._answers[tweet] for tweet in self.tweets.tolist())]

    def wanted(self, low: int, high: int) -> dict[Landed, list[int]]:
        """Return the responses with the newest answers for the Tweets behind `low`, up to `high` and with it."""
        first, last = np.searchsorted(self.tweets, (low, high), "right")
        wanted: dict[Landed, list[int]] = {}
        for tweet in self.tweets[first:last].tolist():
            wanted.setdefault(self._answers[tweet], []).append(tweet)
        return wanted


class Opened(Generic[T]):
    """The responses of which some Tweets were worked through, and others are still to come, as `opening` gives them."""

    def __init__(self, answers: NewestAnswers, opening: Callable[[Landed], T]) -> None:
        self._answers = answers
        self._opening = opening
        self._open: dict[Landed, T] = {}  # in the order in which they were used

    def parts(self, low: int, high: int) -> tuple[list[Part[T]], list[T]]:
        """Return what is newest of the Tweets behind `low`, up to `high` and with it; and what to close after that."""
        parts = []
        for landed, tweets in self._answers.wanted(low, high).items():
            opened = self._open.pop(landed, None) or self._opening(landed)
            self._open[landed] = opened
            whole = len(tweets) == sum(low < tweet <= high for tweet in landed.request.tweet_ids)
            parts.append(Part(landed, opened, np.array(tweets, np.int64), whole))
        kept = self._most_kept([landed for landed in self._open if max(landed.request.tweet_ids) > high])
        spent = [opened for landed, opened in self._open.items() if landed not in kept]
        self._open = {landed: self._open[landed] for landed in kept}
        return parts, spent

    def _most_kept(self, open_ones: list[Landed]) -> list[Landed]:
        """Return the last of some responses, with no more than MOST_ROWS in all."""
        rows, place = 0, len(open_ones)
        while place and (rows := rows + _most_rows(open_ones[place - 1].request)) <= MOST_ROWS:
            place -= 1
        return open_ones[place:]


def _most_rows(request: Request) -> int:
    """Return how many rows the answer to a request has at most."""
    hours = 24 * len([*request.window.days()]) if request.window else HOURS_OF_THE_PRESENT
    return len(request.tweet_ids) * len(request.types) * hours


def reasons_of(tweets: Ints, not_served: Mapping[int, NotServed]) -> dict[int, NotServed]:
    """Return why a response does not serve some of these Tweets."""
    return {tweet: not_served[tweet] for tweet in tweets.tolist() if tweet in not_served}


class Reader:
    """Who reads responses, got ahead in the order in which they are `coming`, with notes for who has the lock next.

    They lie in the `storage` of their pull. A rebuild publishes them into a lake that has another.
    """

    def __init__(self, storage: Storage, coming: Sequence[Landed], lock: str) -> None:
        self._open = ExitStack()
        self._looks = self._open.enter_context(closing(Looks(storage, coming, lock)))
        self._open.enter_context(storage.ahead(landed.path for landed in coming))

    def read(self, landed: Landed) -> Flat:
        """Read a response; LakeError where it is damaged."""
        try:
            with self._looks.at(landed):
                return sources.read(landed.body(), landed.request)
        except ResponseError as error:
            raise damaged(landed.path, str(error)) from None

    def close(self) -> None:
        """Leave no note, and get nothing ahead any more."""
        self._open.close()


def between(rows: pa.Table, low: int, high: int) -> pa.Table:
    """Return the rows of the Tweets behind `low`, up to `high` and with it, of rows sorted by Tweet."""
    first, last = np.searchsorted(rows["tweet_id"].to_numpy(), (low, high), "right")
    return rows.slice(first, last - first)


def of_tweets(rows: pa.Table, tweets: pa.Array | pa.ChunkedArray) -> pa.Table:
    """Return the rows of some Tweets, in the order in which they are."""
    return rows.filter(pc.is_in(rows["tweet_id"], tweets))
