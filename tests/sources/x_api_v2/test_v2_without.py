"""A body without some Posts is one that the API could have sent, and passes its audit."""

import json

import pytest
from bodies import TYPES, WINDOW, full
from v2_bodies import body

from engagement_pipeline.core.endpoints import ANALYTICS
from engagement_pipeline.core.erased import Erased
from engagement_pipeline.core.model import NotServed, Request
from engagement_pipeline.core.tables import UNAVAILABLE
from engagement_pipeline.sources import x_api_v2

GONE, STAYS, OTHER = (1_600_000_000_000_000_000 + number for number in (2, 3, 4))
ERASED = Erased(frozenset({GONE}))


def read(content, *tweets):
    return x_api_v2.read(
        content, Request(endpoint=ANALYTICS, handle="ann", tweet_ids=tweets, types=TYPES, window=WINDOW)
    )


def not_found(tweet, **place):
    kind = "https://api.x.com/2/problems/resource-not-found"
    return {"type": kind, "detail": f"Could not find tweet with ids: [{tweet}].", **place}


def test_its_counts_go_and_those_of_other_posts_stay_as_they_are():
    left = x_api_v2.without(body(full([GONE, STAYS], 7)), ERASED)
    assert str(GONE).encode() not in left
    assert read(left, STAYS).rows.equals(read(body(full([STAYS], 7)), STAYS).rows)


@pytest.mark.parametrize("place", [{"resource_id": str(GONE)}, {"value": str(GONE)}, {"resource_id": GONE}])
def test_what_is_said_of_it_is_not_taken_for_a_word_on_all_posts(place):
    said = [not_found(GONE, **place), not_found(OTHER, resource_id=str(OTHER))]
    left = x_api_v2.without(body(full([STAYS], 7), errors=said), ERASED)
    assert str(GONE).encode() not in left
    assert read(left, STAYS, OTHER).reasons == {
        OTHER: NotServed(UNAVAILABLE, f"Could not find tweet with ids: [{OTHER}].")
    }


def test_it_goes_from_what_is_included_and_is_masked_in_the_words_on_others():
    content = json.loads(body(full([STAYS], 7), errors=[not_found(f"{GONE}, {OTHER}", value=str(OTHER))]))
    content["includes"] = {"tweets": [{"id": str(GONE)}, {"id": str(STAYS)}]}
    left = x_api_v2.without(json.dumps(content).encode(), ERASED)
    assert json.loads(left)["includes"] == {"tweets": [{"id": str(STAYS)}]}
    assert read(left, STAYS, OTHER).said == f"Could not find tweet with ids: [[forgotten], {OTHER}]."


def test_a_post_with_an_id_as_short_as_a_count_takes_no_count_with_it():
    left = x_api_v2.without(body(full([20, 30], 20), errors=[not_found(20, value="20")]), Erased(frozenset({20})))
    assert read(left, 30).rows.equals(read(body(full([30], 20)), 30).rows)
    assert json.loads(left)["errors"] == []


@pytest.mark.parametrize("content", [b"<html>", b"", b"[" * 100_000])
def test_what_is_no_json_cannot_be_rewritten(content):
    with pytest.raises(ValueError):  # noqa: PT011 - of JSON, whatever it says
        x_api_v2.without(content, ERASED)
