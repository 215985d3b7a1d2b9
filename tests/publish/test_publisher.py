"""Publishing /historical: the newest answer wins for each cell, and what it does not name stays."""

import random
from datetime import date

import pyarrow.parquet as pq
import pytest
from bodies import TYPES, WINDOW, at, begin, full, land, pulled, revisions
from tables import counts, coverage, outcomes, parquet_files, tables

from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.model import Plan, Window
from engagement_pipeline.core.tables import COVERAGE, ENGAGEMENTS
from engagement_pipeline.lake import raw, set_aside
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import of_plans, publish_pulls

FIRST, SECOND = WINDOW.days()
LAST_DAY = Window(SECOND, SECOND)


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


def test_a_pull_becomes_a_file_a_day_with_its_rows_sorted(lake):
    pulled(lake, full([3, 1, 2], 5), at(1))
    publish_pulls(lake)
    for day in WINDOW.days():
        table = pq.read_table(lake.rows(HISTORICAL.table, day), partitioning=None)
        keys = list(
            zip(*(table[name].to_pylist() for name in ("tweet_id", "engagement_type", "date", "hour")), strict=True)
        )
        assert keys == sorted(keys)
        assert {key[2] for key in keys} == {day}
        assert table.schema.equals(ENGAGEMENTS.file_schema)
    assert counts(lake) == full([1, 2, 3], 5)


def test_a_day_s_file_names_the_pull_it_holds(lake):
    pull = pulled(lake, full([1], 5), at(1))
    publish_pulls(lake)
    metadata = pq.read_metadata(lake.rows(HISTORICAL.table, FIRST)).metadata[b"engagement_pipeline"]
    assert str(pull.path.relative_to(lake.root)) in metadata.decode()


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
def test_the_newest_answer_wins_in_whatever_order_pulls_are_publish(lake, order):
    for hour in order:
        pulled(lake, full([1, 2], hour), at(hour))
        publish_pulls(lake)
    assert counts(lake) == full([1, 2], 3)
    assert {row[0].hour for row in coverage(lake, "pulled_at")} == {3}


def test_the_newest_of_two_answers_in_one_pull_wins(lake):
    pull = begin(lake, at(1))
    land(pull, full([1, 2], 9), asked_at=at(3))
    land(pull, full([2], 8), asked_at=at(2))  # the older one is the later in the order of the file names
    publish_pulls(lake)
    assert counts(lake) == full([1, 2], 9)


def test_a_pull_of_some_tweets_keeps_the_rows_of_the_others(lake):
    pulled(lake, full([1, 2, 3], 1), at(1))
    publish_pulls(lake)
    pulled(lake, full([2], 5), at(2))
    publish_pulls(lake)
    assert counts(lake) == full([1, 3], 1) | full([2], 5)


@pytest.mark.parametrize(("began", "told"), [(at(1), [WINDOW]), (at(3), [WINDOW, LAST_DAY])], ids=["before", "since"])
def test_a_pull_of_a_window_s_last_days_is_of_its_plan_where_it_was_begun_since(lake, began, told):
    whole = begin(lake, at(2))
    land(whole, {}, tweets=[1], unanswered="request refused", refusal="400: too old")
    pulled(lake, full([1], 1, window=LAST_DAY), began, window=LAST_DAY)
    planned = Plan(endpoint=HISTORICAL, window=WINDOW, types=TYPES, requests=())
    assert sorted(each.pull.window for each in of_plans([planned], publish_pulls(lake))) == told


def test_a_pull_of_the_last_days_of_a_window_that_was_answered_is_not_of_its_plan(lake):
    pulled(lake, full([1], 1), at(2))
    pulled(lake, full([1], 1, window=LAST_DAY), at(3), window=LAST_DAY)
    planned = Plan(endpoint=HISTORICAL, window=WINDOW, types=TYPES, requests=())
    assert [each.pull.window for each in of_plans([planned], publish_pulls(lake))] == [WINDOW]


def test_overlapping_windows_never_double(lake):
    truth = revisions(lake)
    publish_pulls(lake)
    assert counts(lake) == truth


def test_publishing_one_by_one_gives_the_same_tables_as_all_at_once(lake, tmp_path):
    truth = revisions(lake)
    other = Lake(tmp_path / "other")
    other.open()
    for pull in raw.open_pulls(lake):
        target = other.root / pull.path.relative_to(lake.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        pull.path.rename(target)
        publish_pulls(other)
        assert len(raw.open_pulls(other)) == 0
    pulls = other.raw / "historical"
    assert len(list(pulls.glob("*/*/pull.json"))) == 3
    assert counts(other) == truth


def test_publishing_twice_changes_no_byte(lake):
    pulled(lake, full([1, 2], 1), at(1))
    publish_pulls(lake)
    before = parquet_files(lake)
    assert publish_pulls(lake) == []
    assert parquet_files(lake) == before


def test_an_unfinished_pull_is_published_as_far_as_it_landed_and_again_later(lake):
    pull = begin(lake, at(1))
    land(pull, full([1], 1))
    land(pull, {}, tweets=[5], refusal="403: Forbidden to access tweets: 5")
    land(pull, full([2], 1), tweets=[2, 6], unavailable_tweet_ids=["6"])
    publish_pulls(lake)
    first = tables(lake)
    publish_pulls(lake)
    assert tables(lake) == first
    assert raw.open_pulls(lake) == [pull]
    land(pull, full([3], 1), asked_at=at(2))
    pull.marked(finished=True)
    publish_pulls(lake)
    assert counts(lake) == full([1, 2, 3], 1)
    assert publish_pulls(lake) == []


@pytest.mark.parametrize("size", [1, 2, 7])
def test_borders_of_chunks_leave_no_trace(lake, tmp_path, monkeypatch, size):
    """Handles whose IDs interleave, in requests that straddle chunks, over earlier rows."""
    order = random.Random(7)
    tweets = order.sample(range(1, 40), 14)
    other = Lake(tmp_path / "other")
    for into, chunk in ((lake, size), (other, 1000)):
        monkeypatch.setattr("engagement_pipeline.publish.pending.CHUNK_TWEETS", chunk)
        pulled(into, full([*tweets[:5], 50, 60], 1), at(1))
        publish_pulls(into)
        pull = begin(into, at(2))
        for start, handle in ((0, "ann"), (5, "bob"), (10, "cy")):
            land(pull, full(tweets[start : start + 5], 2), handle=handle)
        pull.marked(finished=True)
        publish_pulls(into)
    assert counts(lake) == full(tweets, 2) | full([50, 60], 1)
    for day in WINDOW.days():
        ours, theirs = (pq.read_table(which.rows(HISTORICAL.table, day), partitioning=None) for which in (lake, other))
        assert ours.equals(theirs)
    assert coverage(lake, "*") == coverage(other, "*")


def test_every_tweet_asked_for_is_stored_or_set_aside_with_a_reason(lake):
    pull = begin(lake, at(1))
    land(pull, full([1], 1), tweets=[1, 2, 3], unavailable_tweet_ids=["2"])
    land(pull, {}, tweets=[4], refusal="403: Forbidden to access tweets: 4")
    pull.marked(finished=True)
    (publication,) = publish_pulls(lake)
    assert publication.stored == {1}
    assert publication.set_aside == {
        2: "unavailable",
        3: "missing from the response",
        4: "403: Forbidden to access tweets: 4",
    }
    assert publication.requested == len(publication.stored) + len(publication.set_aside)
    assert coverage(lake) == [
        row
        for tweet, outcome, rows in ((1, "stored", 4), (2, "unavailable", 0), (3, "missing from the response", 0))
        for row in ((tweet, FIRST, outcome, rows), (tweet, SECOND, outcome, rows))
    ] + [(4, FIRST, "forbidden", 0), (4, SECOND, "forbidden", 0)]


def test_a_tweet_that_a_later_response_of_its_pull_serves_is_stored(lake):
    pull = begin(lake, at(1))
    land(pull, full([1], 1), tweets=[1, 2], unavailable_tweet_ids=["2"])
    land(pull, full([2], 1), asked_at=at(2))
    pull.marked(finished=True)
    (publication,) = publish_pulls(lake)
    assert (publication.stored, publication.set_aside) == ({1, 2}, {})
    assert outcomes(lake) == {(1, "stored"), (2, "stored")}


def test_coverage_says_which_response_holds_the_rows(lake):
    pull = begin(lake, at(1))
    path = land(pull, full([1], 1))
    publish_pulls(lake)
    assert coverage(lake, "distinct source, pulled_at, asked_at") == [(str(path.relative_to(lake.root)), at(1), at(1))]
    assert pq.read_schema(lake.coverage(HISTORICAL, FIRST)).remove_metadata().equals(COVERAGE.file_schema)


LATER = {
    "unavailable": ({"unavailable_tweet_ids": ["1"]}, "unavailable"),
    "forbidden": ({"refusal": "403: Forbidden to access tweets: 1"}, "forbidden"),
    "protected": ({"refusal": "400: Tweet ID(s) are unavailable"}, "protected"),
    "missing from the response": ({}, "missing from the response"),
}


@pytest.mark.parametrize(("further", "outcome"), LATER.values(), ids=LATER)
def test_a_tweet_that_cannot_be_had_any_more_keeps_its_rows(lake, further, outcome):
    pulled(lake, full([1], 7), at(1))
    publish_pulls(lake)
    pulled(lake, {}, at(2), tweets=[1], **further)
    (publication,) = publish_pulls(lake)
    assert counts(lake) == full([1], 7)
    assert coverage(lake, "outcome, rows, asked_at, pulled_at") == [(outcome, 4, at(2), at(1))] * 2
    assert (publication.stored, [*publication.set_aside]) == (frozenset(), [1])


@pytest.mark.parametrize(("further", "outcome"), LATER.values(), ids=LATER)
def test_what_was_said_before_the_stored_answer_is_ignored(lake, further, outcome):
    pulled(lake, full([1], 7), at(2))
    publish_pulls(lake)
    before = tables(lake)
    pulled(lake, {}, at(1), tweets=[1], **further)
    publish_pulls(lake)
    assert tables(lake) == before


def test_a_tweet_that_comes_back_is_stored_again(lake):
    pulled(lake, {}, at(1), tweets=[1], unavailable_tweet_ids=["1"])
    publish_pulls(lake)
    assert (counts(lake), outcomes(lake)) == ({}, {(1, "unavailable")})
    pulled(lake, full([1], 3), at(2))
    publish_pulls(lake)
    assert (counts(lake), outcomes(lake)) == (full([1], 3), {(1, "stored")})


def test_a_pull_of_which_nothing_landed_publishes_nothing(lake):
    begin(lake, at(1)).marked(finished=True)
    (publication,) = publish_pulls(lake)
    assert (publication.requested, publication.stored, publication.set_aside) == (0, frozenset(), {})
    assert parquet_files(lake) == {}


def test_progress_counts_tweets_up_to_all(lake):
    seen = []
    pulled(lake, full(range(1, 6), 1), at(1))
    publish_pulls(lake, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (5, 5)
    assert seen == sorted(seen)


@pytest.mark.parametrize(
    ("further", "outcome"), [case for name, case in LATER.items() if name != "missing from the response"]
)
def test_a_tweet_that_is_not_served_is_remembered_until_it_is(lake, further, outcome):
    tokens = "0123" if "refusal" in further else ""
    pulled(lake, full([2], 7), at(1), tweets=[2])
    pulled(lake, {}, at(2), tweets=[1], tokens=tokens, **further)
    publish_pulls(lake)
    (word,) = set_aside.load(lake).values()
    assert (word.tweet_id, word.handle, word.endpoint, word.reason) == (1, "ann", HISTORICAL.name, outcome)
    assert (word.text, word.asked_at) == (further.get("refusal"), at(2))
    assert word.tokens == tokens
    pulled(lake, full([1], 7), at(3))
    publish_pulls(lake)
    assert set_aside.load(lake) == {}


def stamps(lake):
    """Return what changes with each writing of a file, were it of the same bytes."""
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in lake.root.rglob("*.parquet")}


def test_a_file_of_which_nothing_is_new_is_not_written_again(lake):
    """The pull goes on for a Tweet that the API cannot serve, so its days change in the coverage alone."""
    pull = begin(lake, at(1))
    land(pull, full([1], 1), tweets=[1, 2], unavailable_tweet_ids=["2"])
    land(pull, {}, tweets=[3], refusal="400: Tweet ID(s) are unavailable")
    publish_pulls(lake)
    before = stamps(lake)
    worked_through = []
    publish_pulls(lake, progress=lambda *now: worked_through.append(now))
    assert (stamps(lake), worked_through) == (before, [])
    land(pull, {}, tweets=[4], asked_at=at(2), unavailable_tweet_ids=["4"])
    publish_pulls(lake)
    changed = {path.name for path, stamp in stamps(lake).items() if before.get(path) != stamp}
    assert changed == {"coverage.parquet", "set_aside.parquet"}
    assert counts(lake) == full([1], 1)


def test_a_body_that_was_not_looked_at_is_in_nobody_s_way(lake):
    """A process was killed between landing and looking: the rest is published, and the body waits."""
    pull = begin(lake, at(1))
    land(pull, full([1], 1))
    path = land(pull, full([2], 2), by_type={"impressions": "5"})
    waiting = path.rename(path.with_name(path.name + ".new"))
    publish_pulls(lake)
    assert counts(lake) == full([1], 1)
    assert waiting.exists()
    assert raw.open_pulls(lake) == [pull]


def test_a_tweet_that_was_refused_before_it_was_answered_stays_stored(lake):
    """In one pull: its tokens were mended on the way. However often it is published before it is finished."""
    pull = begin(lake, at(1))
    land(pull, {}, tweets=[1], refusal="403: Forbidden to access tweets: 1")
    publish_pulls(lake)
    assert outcomes(lake) == {(1, "forbidden")}
    land(pull, full([1], 4), asked_at=at(2))
    for _ in range(3):
        publish_pulls(lake)
        assert (counts(lake), outcomes(lake)) == (full([1], 4), {(1, "stored")})
        assert set_aside.load(lake) == {}


def test_of_a_tweet_that_is_unavailable_the_apis_words_and_the_time_are_kept(lake):
    said = {"unavailable_tweet_ids": ["9"], "errors": ["1 Tweet ID(s) are unavailable"]}
    pulled(lake, full([1], 5), at(1), tweets=[1, 9], **said)
    (publication,) = publish_pulls(lake)
    assert publication.set_aside == {9: "unavailable"}
    kept = set(coverage(lake, "tweet_id, endpoint, outcome, text, asked_at"))
    assert (9, "historical", "unavailable", "1 Tweet ID(s) are unavailable", at(1)) in kept
    assert set_aside.load(lake)[9].text == "1 Tweet ID(s) are unavailable"


def test_a_tweet_that_a_later_pull_was_served_is_not_set_aside_again_by_an_earlier_one(lake):
    """The earlier is not finished, so that it is published once more."""
    pull = begin(lake, at(1))
    land(pull, {}, tweets=[1], refusal="403: Forbidden to access tweets: 1")
    publish_pulls(lake)
    assert [*set_aside.load(lake)] == [1]
    later = Window(SECOND, date(2026, 1, 3))
    pulled(lake, full([1], 4, window=later), at(2), window=later)
    pull.marked(finished=False)
    for _ in range(2):
        publish_pulls(lake)
        assert set_aside.load(lake) == {}
