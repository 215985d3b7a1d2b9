"""What the landed responses of a pull say of each Tweet: the newest answer, or the refusal.

In: a Pull. Out: the Tweets that were answered for, in order. A range of Tweets at a time: their rows, and what the
API said about those that it would not serve.

A response is read when the first of its Tweets is, and forgotten after the last. Where the Tweets of many handles
interleave, more than MOST_ROWS would be held, and those that were not used for longest are read again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engagement_pipeline import sources
from engagement_pipeline.core.errors import ResponseError
from engagement_pipeline.lake.layout import LAKE_LOCK
from engagement_pipeline.lake.looking import looking
from engagement_pipeline.lake.raw import damaged

if TYPE_CHECKING:
    from datetime import datetime

    from engagement_pipeline.core.model import Flat, NotServed
    from engagement_pipeline.lake.forgotten import Forgotten
    from engagement_pipeline.lake.raw import Landed, Pull
    from engagement_pipeline.publish.merge import Ints

MOST_ROWS = 7_000_000  # of flattened responses that are kept: 150 MB, 24 full responses of /historical


class Part(NamedTuple):
    """What one response gives of a range of Tweets: rows, sorted by their key, and why it does not serve some."""

    landed: Landed
    rows: pa.Table
    not_served: dict[int, NotServed]


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
        self._flat: dict[Landed, Flat] = {}  # in the order in which they were used

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

    def parts(self, low: int, high: int) -> list[Part]:
        """Return what is newest of the Tweets behind `low`, up to `high` and with it, by response."""
        first, last = np.searchsorted(self.tweets, (low, high), "right")
        wanted: dict[Landed, list[int]] = {}
        for tweet in self.tweets[first:last].tolist():
            wanted.setdefault(self._answers[tweet], []).append(tweet)
        parts = []
        for landed, tweets in wanted.items():
            flat = self._flattened(landed)
            rows = between(flat.rows, low, high)
            if len(tweets) < sum(low < tweet <= high for tweet in landed.request.tweet_ids):
                rows = of_tweets(rows, pa.array(tweets, pa.int64()))  # for the others there is a newer answer
            reasons = flat.not_served
            parts.append(Part(landed, rows, {tweet: reasons[tweet] for tweet in tweets if tweet in reasons}))
        kept = [landed for landed in self._flat if max(landed.request.tweet_ids) > high]
        self._flat = {landed: self._flat[landed] for landed in self._most_open(kept)}
        return parts

    def _most_open(self, kept: list[Landed]) -> list[Landed]:
        """Return the last of some responses, with no more than MOST_ROWS in all."""
        rows, place = 0, len(kept)
        while place and (rows := rows + len(self._flat[kept[place - 1]].rows)) <= MOST_ROWS:
            place -= 1
        return kept[place:]

    def _flattened(self, landed: Landed) -> Flat:
        flat = self._flat.pop(landed, None) or self._read(landed)
        self._flat[landed] = flat
        return flat

    def _read(self, landed: Landed) -> Flat:
        try:
            with looking(landed, LAKE_LOCK):
                return sources.read(landed.body(), landed.request)
        except ResponseError as error:
            raise damaged(landed.path, str(error)) from None


def between(rows: pa.Table, low: int, high: int) -> pa.Table:
    """Return the rows of the Tweets behind `low`, up to `high` and with it, of rows sorted by Tweet."""
    first, last = np.searchsorted(rows["tweet_id"].to_numpy(), (low, high), "right")
    return rows.slice(first, last - first)


def of_tweets(rows: pa.Table, tweets: pa.Array | pa.ChunkedArray) -> pa.Table:
    """Return the rows of some Tweets, in the order in which they are."""
    return rows.filter(pc.is_in(rows["tweet_id"], tweets))
