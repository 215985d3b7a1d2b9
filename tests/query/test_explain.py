"""Each count of a lake with a past is explained by the response that gave it."""

import json

import pytest
from bodies import TYPES, at, full, pulled
from histories import FIRST, SECOND, delete
from older import tweet_posted

from engagement_pipeline.core.errors import InputError, LakeError
from engagement_pipeline.explain import Cell, explain
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.query import catalog

IMPRESSIONS = TYPES[0]
CELLS = "select tweet_id, engagement_type, day, hour, count from engagements where (tweet_id + hour) % 5 = 1"


def told(lake, tweet, day, hour, *, name=IMPRESSIONS):
    return explain(lake, Cell(tweet_id=tweet, engagement_type=name, day=day, hour=hour))


def test_a_count_is_explained_by_the_newest_answer_and_what_it_was_before(history):
    found = told(history, 1, SECOND, 0)
    assert (found.count, found.origin.text, found.origin.landed.asked_at) == (30, "30", at(3))
    assert [(was.count, was.until) for was in found.earlier] == [(10, at(3))]


def test_a_count_that_the_newest_answer_left_out_is_explained_by_the_answer_that_gave_it(history):
    found = told(history, 1, SECOND, 23)
    assert (found.count, found.origin.text, found.origin.landed.asked_at) == (10, "10", at(1))
    assert found.earlier == ()


def test_counts_of_the_whole_lake_stand_at_the_place_that_is_named(history):
    for tweet, name, day, hour, count in catalog.query(history, CELLS).to_pandas()[::5].itertuples(index=False):
        origin = told(history, tweet, day, hour, name=name).origin
        value = json.loads(origin.landed.body())
        for key in origin.place:
            value = value[key]
        assert int(value) == count


def test_the_count_before_a_cell_had_one_is_none(history):
    assert [(was.count, was.until) for was in told(history, 1, SECOND, 5).earlier] == [(None, at(3))]


def test_a_tweet_that_was_never_asked_for(history):
    found = told(history, 77, SECOND, 0)
    assert (found.count, found.origin, found.earlier) == (None, None, ())
    assert found.why == f"the Tweet was never asked for on {SECOND}: pull the day"


def test_a_tweet_that_the_api_does_not_serve_has_its_reason(history):
    assert told(history, 9, FIRST, 0).why.startswith("the newest request for the Tweet's day: unavailable")


def test_an_hour_of_which_the_answers_said_nothing(history):
    assert told(history, 1, FIRST, 7).why == (
        "the answers for the Tweet's day gave other counts, and none of this type and hour"
    )


def test_an_hour_before_the_tweet_was_posted(tmp_path):
    lake, young = Lake(tmp_path / "lake"), tweet_posted(2026, 1, 2, 5)
    pulled(lake, full([young], 0, hours=range(24)), at(1))
    publish_pulls(lake)
    assert told(lake, young, SECOND, 4).why == "the Tweet was posted at 2026-01-02 05:00 UTC, after that hour"
    assert told(lake, young, SECOND, 5).count == 0


def test_a_count_whose_response_was_removed_is_told_without_it(history):
    delete(history, "raw/historical")
    found = told(history, 1, SECOND, 0)
    assert (found.count, found.origin) == (30, None)
    assert "keep_raw_days" in found.why
    assert [was.count for was in found.earlier] == [10]


def test_a_response_that_is_damaged_is_named(history):
    path = told(history, 1, SECOND, 0).origin.landed.path
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(LakeError, match=path.name):
        told(history, 1, SECOND, 0)


def test_what_is_no_cell_is_refused(history, tmp_path):
    with pytest.raises(InputError, match="24 is not an hour of the day"):
        told(history, 1, SECOND, 24)
    with pytest.raises(InputError, match="no endpoint tells hours of 'clicks'"):
        told(history, 1, SECOND, 0, name="clicks")
    with pytest.raises(InputError, match="there is no lake"):
        told(Lake(tmp_path / "none"), 1, SECOND, 0)
