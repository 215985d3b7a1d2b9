"""missing: the Tweets that an endpoint did not serve, since when, and when it is asked again."""

from datetime import timedelta

import pytest
import traps
from bodies import WINDOW, at, begin, full, land, observed, pulled, totals
from traps import GONE, LAST, midnight

from engagement_pipeline.core.endpoints import TOTALS
from engagement_pipeline.core.model import Window
from engagement_pipeline.core.tables import ACCOUNT_REFUSED
from engagement_pipeline.lake import set_aside
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path / "lake")
    pulled(lake, full([1, 2], 9), at(1))
    publish_pulls(lake)
    return lake


def missing(lake, columns):
    found = traps.rows(lake, f"select {columns} from missing order by tweet_id, endpoint")
    return [tuple(row.values()) for row in found]


def test_a_tweet_that_is_served_is_not_there(lake):
    assert missing(lake, "tweet_id") == []


def test_a_deleted_tweet_is_there_with_the_days_that_are_held_and_the_next_try(trapped):
    columns = "tweet_id, endpoint, handle, reason, asked_at, next_try, days_held"
    asked_at = midnight(LAST) + timedelta(hours=2)
    due = asked_at + set_aside.REST[set_aside.UNAVAILABLE]
    assert missing(trapped, columns) == [(GONE, "historical", "bob", "unavailable", asked_at, due, 37)]


@pytest.mark.parametrize(
    ("refusal", "handle", "rest"),
    [
        ("400: Tweet ID(s) are unavailable", "ann", set_aside.REST[set_aside.PROTECTED]),
        ("403: Forbidden to access tweets: 2", "ann", None),
    ],
)
def test_a_refused_tweet_is_tried_again_when_the_pull_would(lake, refusal, handle, rest):
    land(begin(lake, at(2)), {}, tweets=[2], refusal=refusal, handle=handle)
    publish_pulls(lake)
    assert missing(lake, "tweet_id, text, next_try") == [(2, refusal, rest and at(2) + rest)]


def test_it_is_missing_since_the_first_request_after_it_was_last_served(lake):
    for hour, day in zip((2, 3), WINDOW.days(), strict=True):
        pull = begin(lake, at(hour), window=Window(day, day))
        land(pull, {}, tweets=[2], refusal=traps.SAID, unanswered=ACCOUNT_REFUSED)
        publish_pulls(lake)
    assert missing(lake, "tweet_id, reason, since, asked_at, next_try, days_held") == [
        (2, ACCOUNT_REFUSED, at(2), at(3), None, 2)
    ]


def test_what_is_served_again_leaves(lake):
    pulled(lake, {}, at(2), tweets=[2], unavailable_tweet_ids=["2"])
    publish_pulls(lake)
    assert missing(lake, "tweet_id") == [(2,)]
    pulled(lake, full([2], 1), at(3))
    publish_pulls(lake)
    assert missing(lake, "tweet_id") == []


def test_each_endpoint_has_a_row_of_its_own(lake):
    observed(lake, TOTALS, totals({}), at(2), tweets=[3], unavailable_tweet_ids=["3"])
    pulled(lake, {}, at(3), tweets=[3], unavailable_tweet_ids=["3"])
    publish_pulls(lake)
    assert missing(lake, "tweet_id, endpoint, days_held") == [(3, "historical", 0), (3, "totals", 0)]
