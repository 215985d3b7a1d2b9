"""What was asked for and what came of it: the coverage of each day, with what a pull says of its Tweets.

In: what is pending, and the rows that were stored of it. Out: staged, the days' coverage that this changes; the sum
by Tweet; and which Tweets the pull has the newest word on.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from engagement_pipeline.core.measured import HOURS, before_posted, first_hour
from engagement_pipeline.core.rows import TIMESTAMP
from engagement_pipeline.core.tables import COVERAGE, FORBIDDEN, MISSING, PROTECTED, STORED, UNAVAILABLE
from engagement_pipeline.lake.parquet import read, write

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from engagement_pipeline.core.endpoints import Endpoint
    from engagement_pipeline.core.model import NotServed
    from engagement_pipeline.lake.landed_file import Landed
    from engagement_pipeline.lake.layout import Lake
    from engagement_pipeline.publish.left_out import AnswerSums
    from engagement_pipeline.publish.merge import Ints
    from engagement_pipeline.publish.pending import Pending
    from engagement_pipeline.publish.staging import Staged
    from engagement_pipeline.publish.workers import Workers

BEFORE_POSTED = "before it was posted"  # no hour of the day is measured
OF_THE_ANSWER = ("answer_count", "kept_count", "left_out")  # the columns that compare the rows with the newest answer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Covered:
    """What came of each Tweet that a pull asked for: stored, or set aside or unanswered, these with the reason.

    `files` are to be renamed. `newest` has COVERAGE: the last day's words on the Tweets of which no later pull has
    said anything.
    """

    files: dict[Path, Path]
    requested: int
    stored: frozenset[int]
    set_aside: dict[int, str]
    unanswered: dict[int, str]
    newest: pa.Table


class Answered(NamedTuple):
    """The Tweets of a pull that were answered for, and those of which a refusal is the newest word, both sorted."""

    tweets: Ints
    refused: Ints


class OfDay(NamedTuple):
    """What a pull gave of a day, by place in the Tweets that were answered for.

    `later` tells of which the lake has not heard since, `stored` counts their rows. `sums` is what these sum to, None
    where no newer answer can keep counts. `is_last` tells whether it is the pull's last day.
    """

    day: date
    later: npt.NDArray[np.bool_]
    stored: npt.NDArray[np.int32]
    sums: AnswerSums | None
    is_last: bool


class DayCovered(NamedTuple):
    """What came of a pull's Tweets on a day, by place in its words.

    `staged` is the new coverage, None where it is as it was. `newest` tells of which no later pull has said anything,
    `served` of which rows are stored. `reasons` has why the others are not. `words` has COVERAGE, of the last day.
    """

    staged: Path | None
    newest: npt.NDArray[np.bool_]
    served: npt.NDArray[np.bool_]
    reasons: dict[int, str]
    words: pa.Table | None


class Coverer:
    """What one worker does of the coverage: it adds to some days what a pull says of each of its Tweets."""

    def __init__(
        self,
        lake: Lake,
        words: pa.Table,
        *,
        endpoint: Endpoint,
        days: Sequence[date],
        asked: Sequence[str],
        answers: Answered,
    ) -> None:
        self._lake = lake
        self._words = words
        self._endpoint = endpoint
        self._asked = asked
        self._answers = answers
        self._ahead = ExitStack()
        self._ahead.enter_context(lake.storage.ahead(lake.coverage(endpoint, day) for day in days))

    def merge(self, told: OfDay) -> DayCovered:
        """Stage a day's coverage, if the pull changes it."""
        tweets = self._words["tweet_id"]
        old = read(self._lake, self._lake.coverage(self._endpoint, told.day), COVERAGE)
        merged = merged_coverage(old, _new_coverage(self._words, self._answers, told), asked=self._asked)
        into = None
        if not merged.equals(old):
            into = self._lake.staging / f"{told.day}.coverage.parquet"
            write(merged, into, COVERAGE)
        of_pull = merged.take(pc.index_in(tweets, merged["tweet_id"]))
        served = pc.equal(of_pull["outcome"], STORED)
        return DayCovered(
            staged=into,
            newest=pc.equal(of_pull["asked_at"], self._words["asked_at"]).to_numpy(),
            served=served.to_numpy(),
            reasons=_reasons(of_pull.filter(pc.invert(served))),
            words=of_pull if told.is_last else None,
        )

    def close(self) -> None:
        """Read nothing ahead any more."""
        self._ahead.close()


@contextmanager
def staging(lake: Lake, pending: Pending, staged: Staged, workers: Workers) -> Iterator[Callable[[], Covered]]:
    """Have each day's coverage staged that a pull changes, after its rows; what this yields waits for it."""
    pull = pending.pull
    words = _words(pending, staged.not_served)
    answers = Answered(pending.tweets, np.array(sorted(pending.answers.refused), np.int64))
    number = max(1, min(workers.number(pending.most_rows), len(pending.days)))
    make = partial(Coverer, lake, words, endpoint=pull.endpoint, asked=pull.types, answers=answers)
    with workers.each([partial(make, days=pending.days[place::number]) for place in range(number)]) as members:
        asked = [
            member.ask(
                Coverer.merge,
                OfDay(
                    day,
                    pending.later[:, place],
                    staged.stored[:, place],
                    staged.sums.get(place),
                    place == len(pending.days) - 1,
                ),
            )
            for (place, day), member in zip(enumerate(pending.days), cycle(members), strict=False)
        ]
        yield lambda: _covered(lake, pending, words, [answer.result() for answer in asked])


def _covered(lake: Lake, pending: Pending, words: pa.Table, days: Sequence[DayCovered]) -> Covered:
    """Put together what came of the days."""
    reasons: dict[int, str] = {}
    for covered in days:
        for tweet, reason in covered.reasons.items():
            reasons[tweet] = max(reason, reasons.get(tweet, ""))
    served = np.logical_or.reduce([covered.served for covered in days])
    newest = np.logical_and.reduce([covered.newest for covered in days])
    stored = frozenset(words["tweet_id"].filter(pa.array(served)).to_pylist())
    not_stored = {tweet: reason for tweet, reason in reasons.items() if tweet not in stored}
    unanswered = {tweet: why for tweet, why in not_stored.items() if pending.answers.newest(tweet).unanswered}
    of_last = days[-1].words
    assert of_last is not None
    targets = zip(days, pending.days, strict=True)
    return Covered(
        files={each.staged: lake.coverage(pending.pull.endpoint, day) for each, day in targets if each.staged},
        requested=len(words),
        stored=stored,
        set_aside={tweet: why for tweet, why in not_stored.items() if tweet not in unanswered},
        unanswered=unanswered,
        newest=of_last.filter(pa.array(newest)),  # who was refused is so on each day
    )


def _reasons(not_served: pa.Table) -> dict[int, str]:
    """Return why each Tweet was not served, in the API's words where they say more than the outcome."""
    words = not_served.select(["tweet_id", "outcome", "text"]).to_pylist()
    return {
        word["tweet_id"]: word["outcome"] if word["outcome"] == UNAVAILABLE else word["text"] or word["outcome"]
        for word in words
    }


def _words(pending: Pending, not_served: Mapping[int, NotServed]) -> pa.Table:
    """Return what a pull says of each Tweet that it asked for, whatever the day."""
    answers = pending.answers
    rows = []
    for tweet in answers.all_tweets.tolist():
        newest, answer, why = answers.newest(tweet), answers.answer(tweet), not_served.get(tweet)
        rows.append(
            {
                "tweet_id": tweet,
                "asked_at": newest.asked_at,
                "outcome": _refused(newest) or (why.outcome if why else None),
                "text": newest.refusal or (why and why.text) or None,
                "pulled_at": answer and answer.asked_at,
                "source": answer and f"{pending.pull.name}/{answer.path.name}",
            }
        )
    names = ("tweet_id", "asked_at", "outcome", "text", "pulled_at", "source")
    return pa.Table.from_pylist(
        rows, schema=pa.schema([COVERAGE.schema.field(name).with_nullable(True) for name in names])
    )


def _refused(word: Landed) -> str | None:
    """Return what a refusal says of its Tweets, or why no answer came for them; None of an answer."""
    if word.unanswered or not word.refusal:
        return word.unanswered or None
    return FORBIDDEN if word.refusal.startswith("403") else PROTECTED


def _new_coverage(words: pa.Table, answers: Answered, told: OfDay) -> pa.Table:
    """Return what a pull says of each Tweet on one day that the lake has not heard of since."""
    tweets = words["tweet_id"].to_numpy()
    at = np.searchsorted(tweets, answers.tweets)
    heard = np.isin(tweets, answers.refused)
    heard[at] |= told.later
    rows = np.zeros(len(tweets), np.int32)
    rows[at] = told.stored
    some = pa.array(rows > 0)
    early = pa.array(before_posted(tweets, first_hour(told.day) + HOURS - 1))
    nothing = pa.scalar(None)
    columns = {
        "tweet_id": words["tweet_id"],
        "day": pa.repeat(pa.scalar(told.day, pa.date32()), len(tweets)),
        "asked_at": words["asked_at"],
        "outcome": pc.coalesce(words["outcome"], pc.if_else(some, STORED, pc.if_else(early, BEFORE_POSTED, MISSING))),
        "text": words["text"],
        "first_pulled_at": pa.nulls(len(tweets), TIMESTAMP),
        "pulled_at": pc.if_else(some, words["pulled_at"], nothing.cast(TIMESTAMP)),
        "rows": pa.array(rows),
        "source": pc.if_else(some, words["source"], nothing.cast(pa.string())),
        **_sums(told.sums, at, served=pc.or_(some, pc.is_null(words["outcome"])).to_numpy()),
    }
    return pa.table(columns).cast(COVERAGE.schema).filter(pa.array(heard))


def _sums(sums: AnswerSums | None, at: npt.NDArray[np.intp], *, served: npt.NDArray[np.bool_]) -> dict[str, pa.Array]:
    """Return what the answers of one day sum to, of the Tweets that they `served`, where newer ones can keep counts."""
    fields = [COVERAGE.schema.field(name) for name in OF_THE_ANSWER]
    if sums is None:
        return {field.name: pa.nulls(len(served), field.type) for field in fields}
    known = np.zeros(len(served), np.bool_)
    known[at] = served[at]
    counts = np.zeros((2, len(served)), np.int64)
    counts[:, at] = sums.answer, sums.kept
    types = {int(at[tweet]): names for tweet, names in sums.left_out.items() if known[at[tweet]]}
    left_out = pa.nulls(len(served), fields[-1].type)  # of most days
    if types:
        left_out = pa.array([types.get(tweet) for tweet in range(len(served))], fields[-1].type)
    values = (*(pa.array(each, mask=~known) for each in counts), left_out)
    return {field.name: value for field, value in zip(fields, values, strict=True)}


def merged_coverage(old: pa.Table, new: pa.Table, *, asked: Collection[str]) -> pa.Table:
    """Return what is known of a day's Tweets with what a pull says of them, which `asked` for these types.

    What a later request says replaces what an earlier one said; stored rows stay until later rows come.
    """
    tweets = pa.array(np.union1d(old["tweet_id"].to_numpy(), new["tweet_id"].to_numpy()))
    old, new = (table.take(pc.index_in(tweets, table["tweet_id"])) for table in (old, new))  # null where it has none
    later, stores = (_at_least(new[name], old[name]) for name in ("asked_at", "pulled_at"))
    first = new["pulled_at"], old["first_pulled_at"]
    answers = pc.and_(pc.or_(later, stores), pc.is_valid(new["answer_count"]))
    columns = {
        "tweet_id": tweets,
        "day": pc.coalesce(new["day"], old["day"]),
        **{name: pc.if_else(later, new[name], old[name]) for name in ("asked_at", "outcome", "text")},
        "first_pulled_at": pc.min_element_wise(*(times.cast(pa.int64()) for times in first)).cast(TIMESTAMP),
        "pulled_at": pc.if_else(stores, new["pulled_at"], old["pulled_at"]),
        "rows": pc.if_else(stores, new["rows"], old["rows"].fill_null(0)),
        "source": pc.if_else(stores, new["source"], old["source"]),
        **{name: pc.if_else(answers, new[name], old[name]) for name in ("answer_count", "kept_count")},
        "left_out": pc.if_else(answers, _left_out(old["left_out"], new["left_out"], asked), old["left_out"]),
    }
    return pa.table(columns, schema=COVERAGE.schema)


def _left_out(old: pa.ChunkedArray, new: pa.ChunkedArray, asked: Collection[str]) -> pa.ChunkedArray:
    """Return the types that newer answers left out, with those left out before that they were not `asked` for."""
    if old.null_count == len(old):
        return new
    stays = ([name for name in names or () if name not in asked] for names in old.to_pylist())
    both = (sorted({*names, *(more or ())}) for names, more in zip(stays, new.to_pylist(), strict=True))
    return pa.chunked_array([pa.array([names or None for names in both], new.type)])


def _at_least(some: pa.ChunkedArray, others: pa.ChunkedArray) -> pa.ChunkedArray:
    """Tell where times are not before others; any is after none."""
    return pc.coalesce(pc.greater_equal(some, others), pc.is_valid(some))
