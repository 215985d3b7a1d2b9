"""The view problems: which days an account lacks, and why."""

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bodies import WINDOW, at, begin, full, land, pulled

from engagement_pipeline.core.tables import ACCOUNT_REFUSED, TWEETS
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.coverage import MISSING
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.query import catalog

FIRST, SECOND = WINDOW.days()
SAID = "401: Access token not found"


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path / "lake")
    pulled(lake, full([1, 2, 3], 9, hours=(0, 5)), at(1))
    publish_pulls(lake)
    owners = {1: "ann", 2: "ann", 3: "bob", 4: "ann"}
    columns = {"tweet_id": [*owners], "handle": [*owners.values()], "posted_at": [None] * 4, "followed": [True] * 4}
    table = pa.table(columns).cast(TWEETS.schema).append_column("text", pa.array(["of the roster"] * 4))
    pq.write_table(table, lake.tweets)
    return lake


def problems(lake):
    rows = catalog.query(lake, "from problems order by day, handle, reason")
    return [tuple(row.values()) for row in rows.to_pylist()]


def test_days_with_all_counts_have_no_row(lake):
    assert problems(lake) == []


def test_the_days_of_a_refused_account_are_there_with_how_many_tweets_lack_all_counts(lake):
    pull = begin(lake, at(2))
    land(pull, {}, tweets=[1, 2, 4], refusal=SAID, unanswered=ACCOUNT_REFUSED)
    publish_pulls(lake)
    assert problems(lake) == [("ann", day, ACCOUNT_REFUSED, SAID, 3, 1, at(2)) for day in (FIRST, SECOND)]


def test_counts_that_were_left_out_are_there_with_their_types(lake):
    pulled(lake, full([3], 2, hours=(0,)), at(2))
    publish_pulls(lake)
    assert problems(lake) == [
        ("bob", day, "left out", "impressions, url_clicks", 1, 0, at(2)) for day in (FIRST, SECOND)
    ]


def test_days_before_a_tweet_was_posted_lack_nothing(lake):
    tweets = pq.ParquetFile(lake.tweets).read()
    posted = pa.array([datetime(2026, 1, 2, tzinfo=UTC)] * len(tweets), TWEETS.schema.field("posted_at").type)
    pq.write_table(tweets.set_column(2, "posted_at", posted), lake.tweets)
    pulled(lake, {}, at(2), tweets=[4])
    publish_pulls(lake)
    assert problems(lake) == [("ann", SECOND, MISSING, None, 1, 1, at(2))]


def test_a_day_of_zeros_that_the_newest_answer_lacks_is_no_problem(lake):
    pulled(lake, full([4], 0), at(2))
    pulled(lake, {}, at(3), tweets=[4])
    publish_pulls(lake)
    assert problems(lake) == []


def test_a_tweet_that_the_lake_does_not_know_is_there_without_a_handle(lake):
    pulled(lake, {}, at(2), tweets=[9], unavailable_tweet_ids=["9"])
    publish_pulls(lake)
    assert problems(lake) == [(None, day, "unavailable", None, 1, 1, at(2)) for day in (FIRST, SECOND)]
