"""Accounts with sources of their own: each is asked of its API alone, and nothing calls the others missing."""

from datetime import timedelta

import pytest

from engagement_pipeline import pipeline, pulling
from engagement_pipeline.cli import status
from engagement_pipeline.core.endpoints import ANALYTICS, HISTORICAL
from engagement_pipeline.core.tables import ENGAGEMENTS
from engagement_pipeline.extract import backlog
from engagement_pipeline.extract.prepare import OF_ANOTHER_SOURCE, prepare_sources
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.lake.parquet import read
from engagement_pipeline.observe import checks

STAYS, MOVED = "harborbooks", "lumenaudio"


@pytest.fixture
def tweets(world):
    """A Tweet of each of two accounts."""
    found = {handle: world.tweets(handle, 1) for handle in (STAYS, MOVED)}
    world.follow(found)
    return found


@pytest.fixture
def chosen(world, tweets):
    """One of the accounts has moved to X API v2."""
    return world.settings(source_of=f"{MOVED}=x_api_v2", types="impressions")


def prepared(chosen):
    last = chosen.last_whole_day()
    return prepare_sources(chosen, last, last)


def pulled(chosen):
    outcomes = [pipeline.run_source(chosen, each) for each in prepared(chosen)]
    assert not any(outcome.failure for outcome in outcomes)


def test_each_account_is_asked_of_its_api_alone(chosen, tweets):
    old, new = (each.plans[0] for each in prepared(chosen))
    assert (old.endpoint, [tweet.handle for tweet in old.tweets]) == (HISTORICAL, [STAYS])
    assert (new.endpoint, [tweet.handle for tweet in new.tweets]) == (ANALYTICS, [MOVED])
    assert old.left_out == {tweets[MOVED][0]: OF_ANOTHER_SOURCE}


def test_the_counts_of_each_lie_in_the_lake_of_its_source(chosen, tweets):
    pulled(chosen)
    home, day = Lake(chosen.data), chosen.last_whole_day()
    for lake, handle in zip(home.of_tweets, (STAYS, MOVED), strict=True):
        rows = read(lake, lake.rows(ENGAGEMENTS, day), ENGAGEMENTS)
        assert {*rows["tweet_id"].to_pylist()} == {*tweets[handle]}


def test_the_checks_call_no_account_missing_that_another_api_is_asked_for(chosen, world):
    pulled(chosen)
    day = chosen.last_whole_day()
    assert checks.incomplete(chosen, [day]) == []
    assert checks.incomplete(world.settings(types="impressions"), [day]) == [day]
    assert list(pipeline.report_days(chosen, [day]).reports) == [day]


def test_a_new_tweet_lacks_the_days_that_its_own_api_was_not_asked_for(chosen, world):
    pulled(chosen)
    since = chosen.current_time() + timedelta(hours=1)
    settings = world.settings(
        source_of=f"{MOVED}=x_api_v2", types="impressions", first_day=str(chosen.last_whole_day())
    )
    assert backlog.windows(settings, {}, since=since - timedelta(days=2)) == []
    world.follow({STAYS: world.tweets(STAYS, 1), MOVED: world.tweets(MOVED, 2)})
    (window,) = backlog.windows(settings, {}, since=since - timedelta(days=2))
    assert window.last == chosen.last_whole_day()


def test_each_account_is_tried_with_its_api_alone(chosen):
    found = {finding.handle: finding for finding in pulling.check_accounts(chosen) if finding.works}
    assert {STAYS, MOVED} <= found.keys()
    assert [finding.handle for finding in pulling.check_accounts(chosen)].count(MOVED) == 1


def test_the_status_tells_the_source_of_an_account(chosen):
    told = [*status.lines(status.gathered(chosen, now=chosen.current_time()))]
    assert [line.split()[-1] for line in told if line.strip().startswith((STAYS, MOVED))].count("x_api_v2") == 1
