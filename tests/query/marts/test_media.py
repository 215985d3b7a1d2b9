"""The views of media: each count under its key, beside the Tweets that show it, and apart from the counts of Tweets."""

import re

import pytest
import v2_bodies
from bodies import WINDOW, at, full, pulled
from processes import CLONE

from engagement_pipeline.core.endpoints import MEDIA
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.query import catalog

ONE, TWO, GONE = 1_600_000_000_000_000_001, 1_600_000_000_000_000_002, 1_600_000_000_000_000_003  # media
DAY = WINDOW.first
PROBLEM = {"type": "https://api.x.com/2/problems/resource-not-found", "detail": "Gone.", "resource_id": f"7_{GONE}"}
TWEETS = {1: f"7_{ONE}", 2: f"3_55 7_{ONE}", 3: f"7_{TWO} 7_{GONE} no_key", 4: None}


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """Counts of two videos, of which one is in two Tweets; and of a Tweet, from the Engagement API."""
    lake = Lake(tmp_path_factory.mktemp("media") / "lake")
    pulled(lake, full([1], 5), at(1))
    publish_pulls(lake)
    cells = {(number, "watch_time_ms", DAY, hour): 3_600_000 for number in (ONE, TWO) for hour in (0, 5)}
    cells |= {(ONE, "video_views", DAY, 5): 7}
    v2_bodies.pulled(lake, cells, at(2), tweets=(ONE, TWO, GONE), errors=[PROBLEM], endpoint=MEDIA)
    v2_bodies.follow(lake, TWEETS)
    return lake


def rows(lake, sql):
    return [tuple(row.values()) for row in catalog.query(lake, sql).to_pylist()]


def test_each_count_stands_under_the_key_of_its_media(lake):
    found = rows(lake, "select media_key, media_id, metric, day, hour, count from media order by all")
    assert found[0] == (f"7_{ONE}", ONE, "video_views", DAY, 5, 7)
    assert [row[0] for row in found[1:]] == [f"7_{ONE}"] * 2 + [f"7_{TWO}"] * 2


def test_the_roster_tells_which_tweets_show_which_media(lake):
    found = rows(lake, "select tweet_id, media_id from tweet_media order by all")
    assert found == [(1, ONE), (2, 55), (2, ONE), (3, TWO), (3, GONE)]


def test_a_roster_without_media_keys_shows_no_media_and_hides_no_count(lake, tmp_path):
    other = Lake(tmp_path / "lake")
    v2_bodies.pulled(other, {(ONE, "video_views", DAY, 5): 7}, at(2), endpoint=MEDIA)
    v2_bodies.follow(other, dict.fromkeys(TWEETS), columns=())
    assert rows(other, "from tweet_media") == []
    assert rows(other, "describe tweet_media") == rows(lake, "describe tweet_media")
    assert rows(other, "select media_key, media_id, count from media") == [(None, ONE, 7)]


@pytest.mark.parametrize(
    ("keys", "found"),
    [([["7_1"], [], None, ["7_2", "7_3"]], ["7_1", "7_2", "7_3"]), ([71, 72, 73, 74], [])],
    ids=["lists", "numbers"],
)
def test_a_roster_of_one_s_own_may_have_its_keys_in_any_form(tmp_path, keys, found):
    lake = Lake(tmp_path / "lake")
    lake.open()
    v2_bodies.follow(lake, dict(zip(TWEETS, keys, strict=True)))
    assert rows(lake, "select media_key from tweet_media order by all") == [(key,) for key in found]


def test_what_was_asked_and_what_came_of_it_is_told_of_media_apart_from_tweets(lake):
    found = rows(lake, f"select media_key, outcome, text, rows from media_coverage where day = '{DAY}' order by all")
    assert found == [
        (f"7_{ONE}", "stored", None, 3),
        (f"7_{TWO}", "stored", None, 2),
        (f"7_{GONE}", "unavailable", "Gone.", 0),
    ]
    assert rows(lake, "select distinct endpoint from coverage") == [("historical",)]
    assert rows(lake, "select count(*) from set_aside") == [(0,)]
    assert rows(lake, "select distinct tweet_id from engagements") == [(1,)]


def test_the_example_of_the_docs_sums_up_the_time_watched_by_tweet(lake):
    docs = (CLONE / "docs" / "two-apis.md").read_text(encoding="utf-8")
    query = next(sql for sql in re.findall(r"```sql\n(.+?)```", docs, re.DOTALL) if "tweet_media" in sql)
    assert sorted(rows(lake, query)) == [(1, "1", 2.0), (2, "2", 2.0), (3, "3", 2.0)]


def test_the_written_catalogue_finds_the_media_that_come_later(tmp_path):
    lake = Lake(tmp_path / "lake")
    lake.open()
    catalog.refresh(lake)
    v2_bodies.pulled(lake, {(ONE, "video_views", DAY, 5): 7}, at(2), endpoint=MEDIA)
    catalog.refresh(lake)
    assert rows(lake, "select media_id, count from media") == [(ONE, 7)]
