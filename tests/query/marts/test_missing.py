"""missing: the Tweets that an endpoint did not serve, since when, and when it is asked again."""

from datetime import timedelta

import pytest
import traps
import v2_bodies
from bodies import WINDOW, at, begin, full, land, observed, pulled, totals
from histories import LATER
from traps import GONE, LAST, midnight

from engagement_pipeline.core.endpoints import TOTALS
from engagement_pipeline.core.model import Window
from engagement_pipeline.core.tables import ACCOUNT_REFUSED
from engagement_pipeline.lake import set_aside
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish import erasure_due
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


HOURS = timedelta(hours=24)


def unavailable(lake, hour, *tweets, window=WINDOW):
    pulled(lake, {}, at(hour), tweets=tweets, window=window, unavailable_tweet_ids=[*map(str, tweets)])
    publish_pulls(lake)


def test_a_deleted_tweet_must_be_gone_24_hours_after_the_first_answer_that_said_so(lake):
    unavailable(lake, 3, 2)
    unavailable(lake, 5, 2, window=LATER)
    assert missing(lake, "tweet_id, forget_by") == [(2, at(3) + HOURS)]


def test_what_failed_before_it_was_called_unavailable_does_not_start_the_clock(lake):
    land(begin(lake, at(2)), {}, tweets=[2], refusal=traps.SAID, unanswered=ACCOUNT_REFUSED)
    publish_pulls(lake)
    assert missing(lake, "since, forget_by") == [(at(2), None)]
    unavailable(lake, 3, 2, window=LATER)
    assert missing(lake, "since, forget_by") == [(at(2), at(3) + HOURS)]


def test_one_that_was_served_since_by_any_endpoint_need_not_go(lake):
    observed(lake, TOTALS, totals({}), at(3), tweets=[2], unavailable_tweet_ids=["2"])
    publish_pulls(lake)
    assert missing(lake, "endpoint, forget_by") == [("totals", at(3) + HOURS)]
    pulled(lake, full([2], 1), at(4))
    publish_pulls(lake)
    assert missing(lake, "endpoint, forget_by") == [("totals", None)]


def test_each_endpoint_has_the_same_clock(lake):
    observed(lake, TOTALS, totals({}), at(3), tweets=[2], unavailable_tweet_ids=["2"])
    unavailable(lake, 4, 2)
    assert missing(lake, "endpoint, forget_by") == [("historical", at(3) + HOURS), ("totals", at(3) + HOURS)]


def test_a_protected_or_forbidden_tweet_need_not_go(lake):
    land(begin(lake, at(2)), {}, tweets=[1], refusal="400: Tweet ID(s) are unavailable", handle="ann")
    land(begin(lake, at(3)), {}, tweets=[2], refusal="403: Forbidden to access tweets: 2", handle="ann")
    publish_pulls(lake)
    assert missing(lake, "tweet_id, forget_by") == [(1, None), (2, None)]


def test_the_setting_forgets_a_tweet_at_that_moment_and_with_two_sources_too(lake):
    said = [{"type": "https://api.x.com/2/problems/resource-not-found", "resource_id": "2"}]
    v2_bodies.pulled(lake, full([1], 1), at(5), tweets=[1, 2], errors=said)
    (found,) = missing(lake, "tweet_id, forget_by")
    assert found == (2, at(5) + HOURS)
    assert erasure_due.due(lake, days=1, now=found[1]) == [2]
    assert erasure_due.due(lake, days=1, now=found[1] - timedelta(seconds=1)) == []
