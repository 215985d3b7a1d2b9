"""What the newest answers sum to, beside the counts that stay stored though these answers do not hold them.

In: the rows of some Tweets on one day of engagements as they are to become, and the newer rows among them. Out: sums by
Tweet, and the types of which an answer left out a count. Coverage has them, so that an older count can be told.

The audit of a response has compared its rows with the API's own sums, so the sum of an answer's rows is the API's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from engagement_pipeline.core.tables import TYPE_NAMES
from engagement_pipeline.publish.merge import keys_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engagement_pipeline.publish.merge import Ints, Rows


class AnswerSums(NamedTuple):
    """By Tweet: the sum of the newest answer's counts, the sum of the other stored counts, and types left out.

    `left_out` has the names by the Tweet's place. It has no type that was not asked for, and none with zeros alone.
    """

    answer: Ints
    kept: Ints
    left_out: dict[int, list[str]]

    @classmethod
    def none(cls, tweets: int) -> Self:
        """Return the sums of so many Tweets without a count."""
        return cls(np.zeros(tweets, np.int64), np.zeros(tweets, np.int64), {})

    def fill(self, places: slice, sums: AnswerSums) -> None:
        """Take those of the Tweets at some places."""
        self.answer[places] = sums.answer
        self.kept[places] = sums.kept
        self.left_out.update({places.start + place: names for place, names in sums.left_out.items()})


def compared(tweets: Ints, rows: Rows, fresh: Rows, *, asked: Sequence[int]) -> AnswerSums:
    """Compare the rows of a day with the `fresh` ones among them, of some Tweets in order.

    `asked` are the types that the answers were asked for, as places in TYPE_NAMES.
    """
    answer = sums_of(tweets, fresh)
    kept = np.zeros(len(tweets), np.int64) if rows is fresh else sums_of(tweets, rows) - answer
    left_out: dict[int, list[str]] = {}
    if len(rows.tweets) > len(fresh.tweets):
        stays = rows.at(rows.counts != 0)  # most are zeros
        stays = stays.at(np.isin(stays.tweets, tweets) & np.isin(stays.types, asked))
        stays = stays.at(~np.isin(keys_of(stays, tweets), keys_of(fresh, tweets), assume_unique=True))
        pairs = np.unique(np.stack([np.searchsorted(tweets, stays.tweets), stays.types]), axis=1)
        for tweet, name in pairs.T.tolist():
            left_out.setdefault(tweet, []).append(TYPE_NAMES[name])
    return AnswerSums(answer, kept, left_out)


def sums_of(tweets: Ints, rows: Rows) -> Ints:
    """Return the sum of the counts of each of some Tweets, which are in order; rows of others are left out."""
    sums = np.zeros(len(tweets), np.int64)
    found, numbers = rows.by_tweet()
    if len(found):
        of_each = np.add.reduceat(rows.counts, np.cumsum(numbers) - numbers)
        wanted = np.isin(found, tweets)
        sums[np.searchsorted(tweets, found[wanted])] = of_each[wanted]
    return sums
