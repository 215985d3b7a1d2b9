"""agreement: how far two APIs agree, in words."""

from datetime import UTC, datetime

import pytest
import v2_bodies
from bodies import WINDOW, at, full, pulled

from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.observe.agreement import NOTHING, agreement
from engagement_pipeline.publish.publisher import publish_pulls

pytestmark = pytest.mark.marts

TYPES = ("favorites", "impressions")
SOON = datetime(2026, 1, 3, 1, tzinfo=UTC)  # an hour after the window, so that its second day is young


@pytest.fixture
def lake(tmp_path):
    """A lake with two days of a Tweet from the Engagement API."""
    lake = Lake(tmp_path / "lake")
    pulled(lake, full([1], 1000, types=TYPES), at(1), types=TYPES)
    publish_pulls(lake)
    return lake


def second(lake, changed, *, now=None):
    """Have X API v2 give the same counts, but for those that are `changed`."""
    v2_bodies.pulled(lake, full([1], 1000, types=TYPES) | changed, now or at(2))


def test_with_one_api_there_is_nothing_to_compare(lake):
    verdict = agreement(lake)
    assert (verdict.passed, verdict.words) == (True, NOTHING)


def test_equal_counts_agree(lake):
    second(lake, {})
    verdict = agreement(lake)
    assert (verdict.passed, verdict.words) == (True, "X API v2 agrees with the Engagement API on 100 % of 8 hours")
    assert verdict.numbers == {"hours": 8, "hours_that_differ": 0, "settled_hours_that_differ": 0}


def test_a_settled_hour_that_differs_is_told_and_does_not_pass(lake):
    second(lake, {(1, "impressions", WINDOW.first, 0): 1016})
    verdict = agreement(lake)
    assert not verdict.passed
    assert verdict.words == (
        "X API v2 agrees with the Engagement API on 87.5 % of 8 hours; "
        "impressions differ by 0.4 % in hours of a day or more"
    )


def test_young_hours_may_differ(lake):
    second(lake, {(1, "impressions", WINDOW.last, 23): 1020}, now=SOON)
    verdict = agreement(lake)
    assert verdict.passed
    assert verdict.words.endswith("; impressions differ by 2 % in hours younger than a day")


def test_only_types_of_both_are_compared(lake):
    second(lake, {(1, "bookmarks", WINDOW.first, 0): 5})
    assert agreement(lake).numbers["hours"] == 8


def test_a_damaged_file_is_named(lake):
    second(lake, {})
    lake.of("x_api_v2").rows(lake.hourly.table, WINDOW.first).write_bytes(b"no Parquet")
    verdict = agreement(lake)
    assert not verdict.passed
    assert "2026-01-01" in verdict.words
