"""What was asked for and what came of it: the coverage of each day, with what a pull says of its Tweets.

In: what is pending, and the rows that were stored of it. Out: staged, the days' coverage that this changes; the sum
by Tweet; and which Tweets the pull has the newest word on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from engagement_pipeline.core.measured import HOURS, before_posted, first_hour
from engagement_pipeline.core.rows import TIMESTAMP
from engagement_pipeline.core.tables import COVERAGE, FORBIDDEN, MISSING, PROTECTED, STORED, UNAVAILABLE
from engagement_pipeline.lake.parquet import read, write

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from engagement_pipeline.core.model import NotServed
    from engagement_pipeline.lake.layout import Lake
    from engagement_pipeline.lake.raw import Landed
    from engagement_pipeline.publish.pending import Pending
    from engagement_pipeline.publish.staging import Staged

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


def stage(lake: Lake, pending: Pending, staged: Staged) -> Covered:
    """Stage each day's coverage that a pull changes, after its rows."""
    words = _words(pending, staged.not_served)
    tweets = words["tweet_id"]
    files = {}
    stored, newest = np.zeros(len(words), np.bool_), np.ones(len(words), np.bool_)
    reasons: dict[int, str] = {}
    for place, day in enumerate(pending.days):
        target = lake.coverage(pending.pull.endpoint, day)
        old = read(lake, target, COVERAGE)
        merged = merged_coverage(old, _new_coverage(pending, words, place, staged), asked=pending.pull.types)
        if not merged.equals(old):
            into = lake.staging / f"{day}.coverage.parquet"
            write(merged, into, COVERAGE)
            files[into] = target
        of_pull = merged.take(pc.index_in(tweets, merged["tweet_id"]))
        newest &= pc.equal(of_pull["asked_at"], words["asked_at"]).to_numpy()
        served = pc.equal(of_pull["outcome"], STORED)
        stored |= served.to_numpy()
        for tweet, reason in _reasons(of_pull.filter(pc.invert(served))).items():
            reasons[tweet] = max(reason, reasons.get(tweet, ""))
    served_tweets = frozenset(tweets.filter(pa.array(stored)).to_pylist())
    unanswered = {tweet for tweet in reasons if pending.answers.newest(tweet).unanswered} - served_tweets
    return Covered(
        files=files,
        requested=len(words),
        stored=served_tweets,
        set_aside={tweet: reason for tweet, reason in reasons.items() if tweet not in served_tweets | unanswered},
        unanswered={tweet: reasons[tweet] for tweet in unanswered},
        newest=of_pull.filter(pa.array(newest)),  # of the last day; who was refused is so on each
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


def _new_coverage(pending: Pending, words: pa.Table, place: int, staged: Staged) -> pa.Table:
    """Return what a pull says of each Tweet on one day that the lake has not heard of since."""
    tweets = words["tweet_id"].to_numpy()
    at = np.searchsorted(tweets, pending.tweets)
    told = np.isin(tweets, np.array(sorted(pending.answers.refused), np.int64))
    told[at] |= pending.later[:, place]
    rows = np.zeros(len(tweets), np.int32)
    rows[at] = staged.stored[:, place]
    some = pa.array(rows > 0)
    early = pa.array(before_posted(tweets, first_hour(pending.days[place]) + HOURS - 1))
    nothing = pa.scalar(None)
    columns = {
        "tweet_id": words["tweet_id"],
        "day": pa.repeat(pa.scalar(pending.days[place], pa.date32()), len(tweets)),
        "asked_at": words["asked_at"],
        "outcome": pc.coalesce(words["outcome"], pc.if_else(some, STORED, pc.if_else(early, BEFORE_POSTED, MISSING))),
        "text": words["text"],
        "first_pulled_at": pa.nulls(len(tweets), TIMESTAMP),
        "pulled_at": pc.if_else(some, words["pulled_at"], nothing.cast(TIMESTAMP)),
        "rows": pa.array(rows),
        "source": pc.if_else(some, words["source"], nothing.cast(pa.string())),
        **_sums(staged, place, at, served=pc.or_(some, pc.is_null(words["outcome"])).to_numpy()),
    }
    return pa.table(columns).cast(COVERAGE.schema).filter(pa.array(told))


def _sums(
    staged: Staged, place: int, at: npt.NDArray[np.intp], *, served: npt.NDArray[np.bool_]
) -> dict[str, pa.Array]:
    """Return what the answers of one day sum to, of the Tweets that they `served`, where newer ones can keep counts."""
    fields = [COVERAGE.schema.field(name) for name in OF_THE_ANSWER]
    if place not in staged.sums:
        return {field.name: pa.nulls(len(served), field.type) for field in fields}
    sums = staged.sums[place]
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
