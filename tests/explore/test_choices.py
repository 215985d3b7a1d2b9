"""What a lake can be asked for."""

from traps import FIRST, LAST

from engagement_pipeline.explore.choices import Choices, choices, zones
from engagement_pipeline.lake.layout import Lake


def test_handles_with_tweets_and_the_days_that_were_asked_for_are_offered(known):
    assert known == Choices(handles=("ann", "bob"), first=FIRST, last=LAST)


def test_an_empty_lake_offers_nothing(lake):
    assert choices(Lake(lake)) == Choices(handles=(), first=None, last=None)


def test_the_time_zones_are_those_of_duckdb():
    assert {"UTC", "Europe/Berlin", "Asia/Kolkata"} <= {*zones()}
