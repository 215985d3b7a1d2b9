"""No pull, check or sync goes over what the month may use, and none loses what came."""

from datetime import date

import pytest

from engagement_pipeline import pipeline, pulling
from engagement_pipeline.core.endpoints import TOTALS
from engagement_pipeline.core.errors import OverBudgetError, PullError
from engagement_pipeline.core.model import Window
from engagement_pipeline.extract import roster_sync
from engagement_pipeline.extract.prepare import prepare, prepare_sources
from engagement_pipeline.lake import request_log
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.lake.set_aside import load as set_aside
from engagement_pipeline.publish import retention
from engagement_pipeline.query import catalog
from engagement_pipeline.transport import accounts, patience

WINDOW = Window(date(2026, 1, 30), date(2026, 1, 31))
HANDLES = 3  # of the world, each with one request


def pull(settings, *, over_budget=False):
    prepared = prepare(settings, WINDOW.first, WINDOW.last, over_budget=over_budget)
    return pipeline.run(settings, prepared)


def refusal(outcome):
    (failure,) = outcome.failure.failures
    assert isinstance(failure, OverBudgetError)
    return str(failure)


def used(settings):
    return request_log.used(Lake(settings.data).of_each_source, settings.current_time().date())


def test_a_pull_that_needs_more_than_is_left_sends_nothing(world):
    told = refusal(pull(world.settings(requests_per_month="2")))
    assert told.startswith("this pull needs 3 requests, and 2 of this month's 2 are left (requests_per_month)")
    assert not world.emulator.requests


def test_a_pull_that_needs_what_is_left_is_sent(world):
    assert not pull(world.settings(requests_per_month="3", handles_per_month="3")).failure
    assert len(world.emulator.requests) == HANDLES


def test_a_pull_that_is_told_to_goes_over_the_limits(world):
    assert not pull(world.settings(requests_per_month="1", handles_per_month="1"), over_budget=True).failure
    assert len(world.emulator.requests) == HANDLES


def test_handles_that_were_asked_for_before_may_be_asked_again(world):
    settings = world.settings(handles_per_month="3")
    for _ in range(2):
        assert not pull(settings).failure
    assert "needs 3 handles" in refusal(pull(world.settings(handles_per_month="2", data=str(world.root / "new"))))


def test_retries_never_go_over_a_limit_and_what_came_is_kept(world, monkeypatch):
    monkeypatch.setattr(patience, "PAUSES", (0.01,))
    world.emulator.faults.set(status_503=0.5)
    outcome = pull(world.settings(requests_per_month="4", tries="50", patience_minutes="1"))
    assert len(world.emulator.requests) <= 4
    stored = {tweet for publication in outcome.publications for tweet in publication.stored}
    answered = {tweet for asked in world.emulator.requests if asked.status == 200 for tweet in asked.tweet_ids}
    assert stored == answered


def test_tweets_that_a_limit_left_unanswered_are_in_the_coverage_with_the_reason(world):
    world.emulator.faults.set(wrong_sums=1)
    settings = world.settings(requests_per_month="4")
    pull(settings)
    told = catalog.query(Lake(settings.data), "select distinct outcome, text from coverage").to_pylist()
    assert {row["outcome"] for row in told} == {"no answer"}
    assert any("of this month's 4 requests are left (requests_per_month)" in row["text"] for row in told)


def test_a_limit_that_is_used_up_stops_the_later_windows_too(world):
    world.follow({"harborbooks": world.tweets("harborbooks", 2)})
    world.emulator.faults.set(wrong_sums=1)
    settings = world.settings(requests_per_month="2")
    outcome = pipeline.run(settings, prepare(settings, date(2025, 12, 20), WINDOW.last))
    assert "0 of this month's 2 requests are left" in refusal(outcome)
    assert len(world.emulator.requests) == 2
    told = catalog.query(Lake(settings.data), "select day, text from coverage").to_pylist()
    assert {date(2025, 12, 20), WINDOW.last} <= {row["day"] for row in told}
    assert all("(requests_per_month)" in row["text"] for row in told)


def test_a_pull_that_was_stopped_by_a_limit_goes_on_where_it_stopped(world):
    """With room for what it lacks alone."""
    first = world.settings(requests_per_month="4")
    world.emulator.faults.set(revoked_handles=["harborbooks"])
    assert pull(first).failure
    world.emulator.faults.reset()
    assert used(first).requests == HANDLES
    assert not pull(first).failure
    assert len(world.emulator.requests) == HANDLES + 1


def test_a_response_that_fails_the_audit_is_asked_for_again_within_the_limit_alone(world):
    world.emulator.faults.set(wrong_sums=1)
    outcome = pull(world.settings(requests_per_month="4"))
    assert "0 of this month's 4 requests are left" in refusal(outcome)
    assert len(world.emulator.requests) == 4


def test_requests_to_both_sources_count_to_one_limit(world):
    settings = world.settings(source="both", requests_per_month="5")
    first, second = prepare_sources(settings, WINDOW.first, WINDOW.last)
    assert not pipeline.run_source(settings, first).failure
    assert "needs 3 requests, and 2 of this month's 5 are left" in refusal(pipeline.run_source(settings, second))
    assert not world.emulator.v2.requests


def test_a_post_of_the_analytics_counts_once_a_day(world):
    settings = world.settings(source="x_api_v2", posts_per_month="6")
    for _ in range(2):
        (prepared,) = prepare_sources(settings, WINDOW.first, WINDOW.last)
        assert not pipeline.run(settings, prepared).failure
    assert (used(settings).posts_read, used(settings).requests) == (6, 6)
    world.follow({"harborbooks": world.tweets("harborbooks", 3)})
    (prepared,) = prepare_sources(settings, WINDOW.first, WINDOW.last)
    assert "needs 1 Post, and 0 of this month's 6 are left" in refusal(pipeline.run(settings, prepared))


def test_a_check_of_the_accounts_keeps_to_the_limit_too(world):
    with pytest.raises(OverBudgetError):
        pulling.check_accounts(world.settings(requests_per_month="2"))
    assert len(world.emulator.requests) == 2
    assert len(pulling.check_accounts(world.settings(requests_per_month="2"), over_budget=True)) == HANDLES


def sync(settings, **options):
    known = accounts.load(settings.accounts)
    return roster_sync.sync(settings, known, roster_sync.estimates(settings, known, ()), **options)


def test_a_sync_that_may_read_more_posts_than_are_left_asks_for_nothing(world):
    with pytest.raises(OverBudgetError, match=r"^this sync of the roster needs 9,600 Posts, and 500 of this month's"):
        sync(world.settings(posts_per_month="500"))
    assert not world.emulator.v2.requests


def test_requests_of_a_sync_count_for_the_pulls_after_it(world):
    world.emulator.v2.faults.set(timeline_reach=10)
    assert not sync(world.settings(requests_per_month="5"), over_budget=True).failures
    sent = len(world.emulator.v2.requests)
    assert sent == 2 * HANDLES
    assert f"0 of this month's {sent} are left" in refusal(pull(world.settings(requests_per_month=str(sent))))


def test_what_a_month_has_used_outlives_prune_and_rebuild(world):
    settings = world.settings()
    pull(settings)
    before = used(settings)
    assert before.requests == HANDLES
    lake = Lake(settings.data)
    retention.drop(lake, retention.spent(lake, before=settings.current_time().replace(year=2030)))
    assert not list(lake.raw.glob("historical/*/*"))
    pipeline.rebuild(settings)
    assert used(settings) == before


def test_totals_of_others_count_as_requests_and_not_as_handles(world):
    foreign = [tweet.tweet_id for tweet in world.emulator.world.foreign_tweets() if tweet.state == "ok"][:2]
    world.follow({"": foreign})
    settings = world.settings(handles_per_month="1", requests_per_month="1")
    prepared = prepare(settings, endpoint=TOTALS)
    assert not pipeline.run(settings, prepared).failure
    with pytest.raises(PullError, match="requests_per_month"):
        pulling.pull(settings, prepare(settings, endpoint=TOTALS))
    assert not set_aside(Lake(settings.data))
