"""completeness: which days of a handle can be trusted, and why others cannot."""

from datetime import timedelta

import pytest
import traps
from bodies import WINDOW, at, begin, full, land, pulled
from traps import DELETED, FIRST, GONE, LAST, LEFT_OUT, NEVER_ASKED, OWNERS, REVOKED, posted_at

from engagement_pipeline.core.tables import ACCOUNT_REFUSED, NO_ANSWER
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls

DAYS = [FIRST + timedelta(days=number) for number in range((LAST - FIRST).days + 1)]
KINDS = ("stored", "partial", "set_aside", "failed", "not_asked")


@pytest.fixture(scope="module")
def days(trapped):
    return {(row["handle"], row["day"]): row for row in traps.rows(trapped, "from completeness")}


def kind(tweet_id, day, stored):
    """Return what became of a Tweet's day, as the lake was built."""
    if tweet_id == NEVER_ASKED:
        return "not_asked"
    if tweet_id == GONE and day >= DELETED:
        return "set_aside"
    if OWNERS[tweet_id] == "ann" and day == REVOKED:
        return "failed"
    return "stored" if stored[tweet_id, day] else "partial"


def test_each_tweet_that_was_posted_by_then_counts_once(trapped, days):
    stored = {(r["tweet_id"], r["day"]): r["complete"] for r in traps.rows(trapped, "from tweet_daily")}
    for handle in ("ann", "bob"):
        for day in DAYS:
            alive = [t for t, owner in OWNERS.items() if owner == handle and posted_at(t).date() <= day]
            kinds = [kind(tweet_id, day, stored) for tweet_id in alive]
            row = days[handle, day]
            assert [row[name] for name in KINDS] == [kinds.count(name) for name in KINDS]
            assert row["expected"] == len(alive)
            assert row["trusted"] == (not {*kinds} & {"partial", "failed", "not_asked"})
    assert len(days) == 2 * len(DAYS)


@pytest.mark.parametrize(
    ("handle", "day", "reason"),
    [
        ("ann", FIRST, None),
        ("ann", REVOKED, f"2 account refused: {traps.SAID}"),
        ("ann", LEFT_OUT, "1 left out: url_clicks"),
        ("ann", LAST, "2 pulled before the day was over; 1 not asked for"),
        ("bob", DELETED, "1 unavailable"),
        ("bob", LAST, "2 pulled before the day was over; 1 set aside"),
    ],
)
def test_the_reason_is_in_words(days, handle, day, reason):
    assert days[handle, day]["reason"] == reason


def test_a_deleted_tweet_leaves_the_day_trusted(days):
    """The API will never serve it, so nothing that could come is missing."""
    assert days["bob", DELETED]["trusted"]


def test_a_day_that_was_asked_again_in_vain_keeps_its_counts_as_old_ones(tmp_path):
    lake = Lake(tmp_path / "lake")
    traps.save_tweets(lake, {1: "ann", 2: "ann"}, posted=lambda _: None)
    pulled(lake, full([1], 9, hours=range(24)), at(1))
    publish_pulls(lake)
    pull = begin(lake, at(2))
    land(pull, {}, tweets=[1, 2], refusal=traps.SAID, unanswered=ACCOUNT_REFUSED)
    publish_pulls(lake)
    found = traps.rows(lake, "from completeness order by day")
    assert [(row["stored"], row["old"], row["failed"], row["trusted"]) for row in found] == [(1, 1, 1, False)] * 2
    assert {row["reason"] for row in found} == {f"2 account refused: {traps.SAID}"}
    assert [row["day"] for row in found] == [*WINDOW.days()]


def test_texts_that_differ_in_ids_alone_are_one_reason(tmp_path):
    lake = Lake(tmp_path / "lake")
    traps.save_tweets(lake, {1: "ann", 2: "ann"}, posted=lambda _: None)
    pull = begin(lake, at(2))
    for tweet in (1, 2):
        land(pull, {}, tweets=[tweet], refusal=f"No post has the ID 189000000000000000{tweet}.", unanswered=NO_ANSWER)
    publish_pulls(lake)
    reasons = {row["reason"] for row in traps.rows(lake, "from completeness")}
    assert reasons == {"2 no answer: No post has the ID …."}
