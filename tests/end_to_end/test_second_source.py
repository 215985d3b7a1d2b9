"""A second vendor API needs a source, an endpoint and a table, and nothing else of the pipeline changes for it."""

import json

import likes_api
import pytest
from scripted_api import Answer, ScriptedApi
from truth import NOW

from engagement_pipeline import pipeline
from engagement_pipeline.core.endpoints import ENDPOINTS
from engagement_pipeline.core.tables import TABLES
from engagement_pipeline.extract.prepare import prepare
from engagement_pipeline.lake import raw
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish import erasure
from engagement_pipeline.publish.rebuild import rebuild_table
from engagement_pipeline.query import catalog
from engagement_pipeline.sources import SOURCES

LIKES = {11: 5, 12: 0, 13: 7}
SQL = "select tweet_id, count from likes order by tweet_id"


def answer(*tweets):
    return Answer(body=json.dumps([{"id": tweet, "likes": LIKES[tweet]} for tweet in tweets]).encode())


@pytest.fixture
def lake(world, monkeypatch):
    """A lake into which the likes of three Tweets, and of a fourth that is gone, were pulled and published."""
    monkeypatch.setitem(SOURCES, "likes", likes_api)
    monkeypatch.setitem(ENDPOINTS, "likes", likes_api.ENDPOINT)
    monkeypatch.setitem(TABLES, "likes", likes_api.TABLE)
    world.follow({"harborbooks": [*LIKES, 14]})
    with ScriptedApi(answer(11, 12), answer(13)) as api:
        settings = world.settings(api_url=api.url, requests_per_minute="1000000", types="favorites")
        outcome = pipeline.run(settings, prepare(settings, endpoint=likes_api.ENDPOINT))
    assert outcome.failure is None
    assert sorted(request.url.partition("?")[2] for request in api.received) == ["ids=11,12", "ids=13,14"]
    assert {request.method for request in api.received} == {"GET"}
    return Lake(world.lake)


def rows(lake):
    return {row["tweet_id"]: row["count"] for row in catalog.query(lake, SQL).to_pylist()}


def test_its_rows_land_in_its_table(lake):
    assert rows(lake) == LIKES


def test_what_it_did_not_serve_is_in_the_coverage(lake):
    sql = "select outcome from coverage where endpoint = 'likes' and table_name = 'likes' and tweet_id = 14"
    assert catalog.query(lake, sql).to_pylist() == [{"outcome": "unavailable"}]


def test_its_table_is_made_anew_from_raw(lake):
    (path,) = lake.root.glob(likes_api.TABLE.glob)
    path.unlink()
    rebuild_table(lake, likes_api.ENDPOINT)
    assert rows(lake) == LIKES


def test_a_tweet_is_forgotten_and_its_table_made_anew_does_not_have_it(lake):
    receipt = erasure.forget(lake, [11], now=NOW)
    assert receipt.unread == ()
    rebuild_table(lake, likes_api.ENDPOINT)
    assert rows(lake) == {12: 0, 13: 7}
    (pull,) = raw.all_pulls(lake, likes_api.ENDPOINT)
    assert [landed.body() for landed in pull.landed() if 12 in landed.request.tweet_ids] == [
        b'[{"id": 12, "likes": 0}]'
    ]
