"""Of hours before a Tweet was posted, zeros are no rows; coverage says why, and other counts are kept and told."""

import pytest
from bodies import TYPES, WINDOW, at, full, pulled
from older import tweet_posted
from tables import check_daily, counts, coverage

from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls

FIRST, SECOND = WINDOW.days()
YOUNG = tweet_posted(2026, 1, 2, 5, 59)
IMPRESSIONS = TYPES[0]


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


def publish(lake, cells):
    pulled(lake, cells, at(1), types=TYPES[:1])
    (publication,) = publish_pulls(lake)
    return publication


def test_its_zeros_are_no_rows_and_coverage_counts_what_is_stored(lake):
    publication = publish(lake, full([YOUNG], 0, types=TYPES[:1], hours=range(24)))
    assert counts(lake) == {(YOUNG, IMPRESSIONS, SECOND, hour): 0 for hour in range(5, 24)}
    assert coverage(lake) == [(YOUNG, FIRST, "before it was posted", 0), (YOUNG, SECOND, "stored", 19)]
    assert (publication.stored, publication.set_aside, publication.early) == ({YOUNG}, {}, 0)
    check_daily(lake)


def test_a_count_that_is_not_zero_is_kept_and_told(lake):
    early = (YOUNG, IMPRESSIONS, FIRST, 3)
    publication = publish(lake, full([YOUNG], 0, types=TYPES[:1], hours=range(24)) | {early: 7})
    assert counts(lake)[early] == 7
    assert publication.early == 1
    assert coverage(lake)[0] == (YOUNG, FIRST, "stored", 1)


def test_a_tweet_that_the_response_leaves_out_is_missing_and_not_early(lake):
    pulled(lake, full([1], 0), at(1), tweets=[1, YOUNG])
    (publication,) = publish_pulls(lake)
    assert publication.set_aside == {YOUNG: "missing from the response"}
