"""Accounts with sources of their own: each is asked of its API alone, and nothing calls the others missing."""

from datetime import timedelta

import pytest
from oauth2_page import app_alone, let_in

from engagement_pipeline import pipeline, pulling
from engagement_pipeline.cli import status
from engagement_pipeline.core.endpoints import ANALYTICS, HISTORICAL, RECENT, TOTALS
from engagement_pipeline.core.tables import ENGAGEMENTS
from engagement_pipeline.extract import backlog
from engagement_pipeline.extract.plan_text import plan_lines
from engagement_pipeline.extract.prepare import OF_ANOTHER_SOURCE, prepare, prepare_sources
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.lake.parquet import read
from engagement_pipeline.observe import accounted
from engagement_pipeline.transport import accounts

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


@pytest.mark.parametrize("endpoint", [TOTALS, RECENT])
def test_what_x_api_v2_does_not_tell_is_asked_for_all_accounts_and_the_plan_says_so(chosen, endpoint):
    planned = prepare(chosen, endpoint=endpoint)
    assert [tweet.handle for tweet in planned.plans[0].tweets] == [STAYS, MOVED]
    told = f"  of these, 1 Tweet {OF_ANOTHER_SOURCE}: it has no /{endpoint}"
    assert [line for line in plan_lines(planned) if "of these" in line] == [told]


def test_an_account_that_moved_with_oauth_2_alone_is_left_out_of_it_and_fails_no_run(chosen, world):
    world.accounts.write_text(world.accounts.read_text().partition(f"\n[accounts.{MOVED}]")[0])
    let_in(world, MOVED)
    assert not accounts.load(world.accounts).by_handle[MOVED].access_token
    planned = prepare(chosen, endpoint=TOTALS)
    assert [tweet.handle for tweet in planned.plans[0].tweets] == [STAYS]
    assert [*planned.plans[0].left_out.values()] == [OF_ANOTHER_SOURCE]
    assert pipeline.run(chosen, planned).failure is None


def test_a_run_for_the_last_hours_has_nothing_to_do_where_x_api_v2_is_asked_by_oauth_2_alone(world, tweets):
    app_alone(world.accounts)
    for handle in tweets:
        let_in(world, handle)
    chosen = world.settings(source="x_api_v2", types="impressions")
    assert pipeline.run(chosen, prepare(chosen, endpoint=RECENT)).failure is None
    assert world.emulator.requests == []


def test_the_counts_of_each_lie_in_the_lake_of_its_source(chosen, tweets):
    pulled(chosen)
    home, day = Lake(chosen.data), chosen.last_whole_day()
    for lake, handle in zip(home.of_tweets, (STAYS, MOVED), strict=True):
        rows = read(lake, lake.rows(ENGAGEMENTS, day), ENGAGEMENTS)
        assert {*rows["tweet_id"].to_pylist()} == {*tweets[handle]}


def test_the_checks_call_no_account_missing_that_another_api_is_asked_for(chosen, world):
    pulled(chosen)
    day = chosen.last_whole_day()
    assert accounted.incomplete(chosen, [day]) == []
    assert accounted.incomplete(world.settings(types="impressions"), [day]) == [day]
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
