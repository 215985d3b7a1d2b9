"""What a later pull changed is kept: old and new, when each was pulled, and the table as it was."""

from datetime import date, timedelta

import pytest
from bodies import TYPES, WINDOW, at, begin, full, land, pulled
from tables import counts

from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.query import catalog

pytestmark = pytest.mark.marts

FIRST, SECOND = WINDOW.days()
IMPRESSIONS = ("impressions",)


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


def published(lake, cells, now, **further):
    """Pull some cells and publish them; return the publication."""
    pulled(lake, cells, now, **further)
    (publication,) = publish_pulls(lake)
    return publication


def revised(lake, columns="*"):
    query = f"select {columns} from revisions order by new_pulled_at, tweet_id, engagement_type, day, hour"
    return [tuple(row.values()) for row in catalog.query(lake, query).to_pylist()]


def as_of(lake, moment):
    """Return the tidy table as it was at a moment."""
    table = catalog.query(lake, f"select * from engagements_as_of(timestamptz '{moment.isoformat()}')")
    rows = [tuple(row.values()) for row in table.to_pylist()]
    assert len({row[:4] for row in rows}) == len(rows)
    return {row[:4]: row[4] for row in rows}


def test_a_first_answer_revises_nothing(lake):
    assert published(lake, full([1, 2], 5), at(1)).revised == 0
    assert revised(lake) == []


def test_a_changed_count_is_kept_with_the_times_of_both_pulls(lake):
    published(lake, full([1], 5, hours=(0,)), at(1))
    changed = full([1], 5, hours=(0,)) | {(1, "impressions", SECOND, 0): 8}
    assert published(lake, changed, at(2)).revised == 1
    assert revised(lake) == [(1, "impressions", SECOND, 0, 5, 8, at(1), at(2), at(2).date())]


def test_a_count_that_is_added_to_a_tweet_s_day_has_no_old_one(lake):
    published(lake, full([1], 5, hours=(0,)), at(1))
    published(lake, full([1], 5, hours=(0, 1)), at(2))
    assert set(revised(lake, "hour, old, new, old_pulled_at")) == {(1, None, 5, at(1))}


def test_a_tweet_whose_day_is_new_revises_nothing(lake):
    published(lake, full([1], 5), at(1))
    assert published(lake, full([1, 2], 5), at(2)).revised == 0


def test_a_pull_that_changes_nothing_writes_no_row_again(lake):
    """The coverage alone says that it was pulled again."""
    published(lake, full([1, 2], 5), at(1))
    before = {path: path.stat().st_ino for path in lake.root.glob("[ed]*/*/*.parquet")}
    publication = published(lake, full([1, 2], 5), at(2))
    assert (publication.days_written, publication.revised) == ((), 0)
    assert {path: path.stat().st_ino for path in lake.root.glob("[ed]*/*/*.parquet")} == before
    assert catalog.query(lake, "select distinct pulled_at from coverage")["pulled_at"].to_pylist() == [at(2)]


def test_only_the_days_that_change_are_written(lake):
    published(lake, full([1, 2], 5), at(1))
    publication = published(lake, full([1, 2], 5) | {(2, "impressions", SECOND, 0): 6}, at(2))
    assert publication.days_written == (SECOND,)


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_change_late_in_a_day_leaves_its_beginning_as_it_was(lake, monkeypatch, size):
    """What was passed over as unchanged is copied, whatever the size of chunks and row groups."""
    monkeypatch.setattr("engagement_pipeline.publish.pending.CHUNK_TWEETS", size)
    monkeypatch.setattr("engagement_pipeline.publish.day_file.ROW_GROUP", 7)
    tweets = range(1, 20)
    published(lake, full(tweets, 5), at(1))
    changed = full(tweets, 5) | {(17, "impressions", FIRST, 0): 6}
    published(lake, changed, at(2))
    assert counts(lake) == changed
    assert revised(lake, "tweet_id, old, new") == [(17, 5, 6)]
    sums = "select tweet_id, engagement_type, day, sum(count)::bigint as count from engagements group by all"
    assert catalog.query(lake, f"from daily except ({sums})").num_rows == 0
    assert catalog.query(lake, f"({sums}) except from daily").num_rows == 0
    assert catalog.query(lake, "from daily").num_rows == len(tweets) * len(TYPES) * 2


def test_an_unfinished_pull_that_goes_on_adds_to_what_it_revised(lake):
    published(lake, full([1, 2], 5, hours=(0,), types=IMPRESSIONS), at(1))
    pull = begin(lake, at(2))
    land(pull, full([1], 6, hours=(0,), types=IMPRESSIONS))
    publish_pulls(lake)
    land(pull, full([2], 7, hours=(0,), types=IMPRESSIONS), asked_at=at(3))
    publish_pulls(lake)
    assert revised(lake, "tweet_id, old, new, new_pulled_at") == [
        row for tweet, new, hour in ((1, 6, 2), (2, 7, 3)) for row in [(tweet, 5, new, at(hour))] * 2
    ]
    assert len(list(lake.root.glob("revisions/*/*.parquet"))) == 1


def test_the_table_can_be_asked_as_of_any_time(lake):
    """Values that rise and fall, a Tweet that comes later, hours that come later."""
    states = [
        full([1, 2], 5, hours=(0,)),
        full([1, 2], 8, hours=(0,)) | full([3], 1),
        full([1], 3, hours=(0, 1)),
    ]
    for hour, cells in enumerate(states, start=1):
        published(lake, cells, at(hour))
    assert as_of(lake, at(0)) == {}
    assert as_of(lake, at(1)) == states[0]
    assert as_of(lake, at(1, 30)) == states[0]
    assert as_of(lake, at(2)) == states[1]
    assert as_of(lake, at(9)) == states[1] | states[2] == counts(lake)


def test_settling_tells_the_share_of_the_present_value_by_age(lake):
    """A day's metric that is 50 after a day, 80 after two, 90 after seven and 100 in the end."""
    over = SECOND + timedelta(days=1)
    one_day = {"window": type(WINDOW)(SECOND, SECOND), "types": IMPRESSIONS}
    for age, total in ((0, 50), (1.5, 80), (6, 90), (20, 100), (29, 100)):
        now = at(0) + (over - at(0).date()) + timedelta(days=age)
        published(lake, {(1, "impressions", SECOND, 0): total}, now, **one_day)
    query = "select age, count, present, share, tweets, present_age from settling order by age"
    assert [tuple(row.values()) for row in catalog.query(lake, query).to_pylist()] == [
        (1, 50, 100, 0.5, 1, 29),
        (2, 80, 100, 0.8, 1, 29),
        (7, 90, 100, 0.9, 1, 29),
        (28, 100, 100, 1.0, 1, 29),
    ]


def test_settling_leaves_out_a_tweet_that_was_not_pulled_again_since(lake):
    """What it was then is all that is known of it: as its own final value, it would look settled."""
    midnight = at(0) + (SECOND + timedelta(days=1) - at(0).date())
    one_day = {"window": type(WINDOW)(SECOND, SECOND), "types": IMPRESSIONS}
    first = {(tweet, "impressions", SECOND, 0): 10 for tweet in (1, 2)}
    published(lake, first, midnight, **one_day)
    published(lake, {(1, "impressions", SECOND, 0): 40}, midnight + timedelta(days=3), **one_day)
    query = "select age, tweets, count, present, share, present_age from settling order by age"
    assert [tuple(row.values()) for row in catalog.query(lake, query).to_pylist()] == [
        (1, 1, 10, 40, 0.25, 3),
        (2, 1, 10, 40, 0.25, 3),
    ]


def test_settling_leaves_out_tweets_that_had_not_been_pulled_by_then(lake):
    """A day that was backfilled late has no early value, which is not one of zero."""
    late = at(0) + (date(2026, 1, 12) - at(0).date())
    one_day = {"window": type(WINDOW)(SECOND, SECOND), "types": IMPRESSIONS}
    published(lake, {(1, "impressions", SECOND, 0): 10}, late - timedelta(days=9), **one_day)
    published(lake, {(1, "impressions", SECOND, 0): 10, (2, "impressions", SECOND, 0): 90}, late, **one_day)
    query = "select age, tweets, present, share from settling order by age"
    assert [tuple(row.values()) for row in catalog.query(lake, query).to_pylist()] == [
        (1, 1, 10, 1.0),
        (2, 1, 10, 1.0),
        (7, 1, 10, 1.0),
    ]
