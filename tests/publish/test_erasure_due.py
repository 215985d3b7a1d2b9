"""Tweets that have been unavailable for so many days are forgotten by a publication, if the setting says so."""

import os
from datetime import UTC, datetime, timedelta

import pytest
from bodies import WINDOW, at, full, pulled
from histories import LATER
from tables import counts

from engagement_pipeline import pipeline
from engagement_pipeline.core import settings
from engagement_pipeline.lake.layout import PULL_LOCK, Lake
from engagement_pipeline.publish import erasure_due
from engagement_pipeline.publish.publisher import publish_pulls

GONE, STAYS = 1_600_000_000_000_000_002, 1_600_000_000_000_000_003


@pytest.fixture
def lake(tmp_path):
    """A lake with counts of a Tweet that is unavailable since the second hour, as a later pull says too."""
    lake = Lake(tmp_path / "lake")
    pulled(lake, full([GONE, STAYS], 1), at(1))
    for hour, window in ((2, WINDOW), (4, LATER)):
        cells = full([STAYS], 1, window=window)
        pulled(lake, cells, at(hour), window=window, tweets=[GONE, STAYS], unavailable_tweet_ids=[str(GONE)])
    publish_pulls(lake)
    return lake


def tweets_of(lake):
    return {tweet for tweet, *_ in counts(lake)}


def publish(lake, **days):
    environment = {"ENGAGEMENT_CONFIG": os.devnull, "ENGAGEMENT_DATA": str(lake.root)}
    pipeline.publish_landed(settings.load(environment | {f"ENGAGEMENT_{name.upper()}": n for name, n in days.items()}))


@pytest.mark.parametrize(("after", "due"), [(timedelta(days=3, seconds=-1), []), (timedelta(days=3), [GONE])])
def test_its_clock_starts_with_the_first_request_that_it_was_not_served_for(lake, after, due):
    assert erasure_due.due(lake, days=3, now=at(2) + after) == due


def test_one_that_was_served_since_starts_anew(lake):
    pulled(lake, full([GONE], 1), at(5))
    pulled(lake, {}, at(6), tweets=[GONE], unavailable_tweet_ids=[str(GONE)])
    publish_pulls(lake)
    assert erasure_due.due(lake, days=1, now=at(5) + timedelta(days=1)) == []
    assert erasure_due.due(lake, days=1, now=at(6) + timedelta(days=1)) == [GONE]


def test_one_that_is_served_again_is_never_due(lake):
    pulled(lake, full([GONE], 1), at(5))
    publish_pulls(lake)
    assert erasure_due.due(lake, days=1, now=at(5) + timedelta(days=99)) == []


def test_a_publication_forgets_it_if_the_setting_says_so_and_never_by_itself(lake):
    publish(lake)
    assert tweets_of(lake) == {GONE, STAYS}
    age = datetime.now(UTC) - at(2)
    publish(lake, forget_deleted_days=str(age.days + 1))
    assert tweets_of(lake) == {GONE, STAYS}
    publish(lake, forget_deleted_days=str(age.days))
    assert tweets_of(lake) == {STAYS}


def test_a_pull_that_goes_on_is_not_waited_for(lake):
    with lake.locked(PULL_LOCK, "nobody"):
        erasure_due.forget(lake, days=1, now=at(2) + timedelta(days=99))
    assert tweets_of(lake) == {GONE, STAYS}
