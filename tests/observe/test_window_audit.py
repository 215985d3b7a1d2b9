"""Whether the hours of X API v2 sum up to its own totals: what is compared, and in which words it is told."""

from datetime import timedelta

import pytest
import v2_bodies
from bodies import WINDOW, at, full

from engagement_pipeline.core.endpoints import ANALYTICS_TOTALS
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.observe.window_audit import NOTHING, window_audit
from engagement_pipeline.query import catalog

pytestmark = pytest.mark.marts
HOURS = 2 * 2  # of a Tweet and type in `full`: two hours of two days
SETTLED, YOUNG = at(1), at(1) - timedelta(days=29)  # the window ended a month before, or an hour


def audited(home, total, *, now=SETTLED, tweets=(1, 2)):
    """Pull hours of 5 each, and then a total of impressions for each Tweet."""
    v2_bodies.pulled(home, full(tweets, 5, types=("impressions",)), now)
    cells = {(tweet, "impressions", WINDOW.first, 0): total for tweet in tweets}
    v2_bodies.pulled(home, cells, now + timedelta(minutes=1), endpoint=ANALYTICS_TOTALS)


@pytest.fixture
def home(tmp_path):
    return Lake(tmp_path / "lake")


def test_sums_that_agree_pass(home):
    audited(home, 5 * HOURS)
    verdict = window_audit(home)
    assert (verdict.passed, verdict.words) == (True, "the hours of X API v2 sum up to its own totals in 2 of 2 sums")


def test_a_settled_difference_fails_and_is_told_by_type(home):
    audited(home, 5 * HOURS + 3)
    verdict = window_audit(home)
    assert not verdict.passed
    assert verdict.words == (
        "the hours of X API v2 sum up to its own totals in 0 of 2 sums; it differs: impressions by up to 3"
    )
    assert verdict.numbers == {"sums": 2, "sums_that_differ": 2, "settled_sums_that_differ": 2}


def test_a_young_difference_is_told_and_passes(home):
    audited(home, 5 * HOURS + 3, now=YOUNG)
    verdict = window_audit(home)
    assert (verdict.passed, verdict.numbers["sums_that_differ"]) == (True, 2)


def test_hours_that_were_pulled_again_are_not_compared_with_an_older_sum(home):
    audited(home, 5 * HOURS)
    v2_bodies.pulled(home, full([1], 6, types=("impressions",)), SETTLED + timedelta(hours=1))
    found = catalog.query(home, "select tweet_id, hours_sum, total, difference, young from window_audit").to_pylist()
    assert found == [
        {"tweet_id": 2, "hours_sum": 5 * HOURS, "total": 5 * HOURS, "difference": 0, "young": False},
    ]


def test_without_sums_there_is_nothing_to_compare(home):
    home.open()
    assert window_audit(home).words == NOTHING
    v2_bodies.pulled(home, full([1], 5), SETTLED)
    assert window_audit(home).words == NOTHING
