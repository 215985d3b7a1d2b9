"""Two sources, each with a lake of its own: what one pull of both brings, and what goes wrong with one alone."""

import os
from concurrent.futures import ThreadPoolExecutor

import forks
import pytest
from kills import DIE_AT_FILE

from engagement_pipeline import forgetting, pipeline, pulling
from engagement_pipeline.core.endpoints import ANALYTICS, HISTORICAL
from engagement_pipeline.core.erased import Erased
from engagement_pipeline.core.errors import PullError
from engagement_pipeline.core.tables import ENGAGEMENTS
from engagement_pipeline.explain import Cell, explain
from engagement_pipeline.extract.prepare import prepare, prepare_sources
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.lake.parquet import read
from engagement_pipeline.observe import status
from engagement_pipeline.publish.erasure_search import search
from engagement_pipeline.query import catalog

TYPES = "impressions,favorites,bookmarks,video_views"


@pytest.fixture
def chosen(world):
    """Both sources, and few types of two Tweets and one that is gone."""
    gone = world.tweets("harborbooks", 1, state="deleted")
    world.follow({"harborbooks": [*world.tweets("harborbooks", 2), *gone]})
    return world.settings(source="both", types=TYPES)


def pulled(chosen, *, days=2):
    last = chosen.last_whole_day()
    prepared = prepare_sources(chosen, last.replace(day=last.day - days + 1), last)
    return [pipeline.run_source(chosen, each) for each in prepared]


def cells(lake, day):
    rows = read(lake, lake.rows(ENGAGEMENTS, day), ENGAGEMENTS).to_pylist()
    return {(row["tweet_id"], row["engagement_type"], row["hour"]): row["count"] for row in rows}


def test_each_source_fills_a_lake_of_its_own_with_the_same_counts(chosen):
    assert not any(outcome.failure for outcome in pulled(chosen))
    home, day = Lake(chosen.data), chosen.last_whole_day()
    old, new = (cells(lake, day) for lake in home.of_each_source)
    shared = {"impressions", "favorites"}
    assert {key: count for key, count in old.items() if key[1] in shared} == {
        key: count for key, count in new.items() if key[1] in shared
    }
    assert {key[1] for key in old} - shared == {"video_views"}
    assert {key[1] for key in new} - shared == {"bookmarks"}


def test_a_tweet_that_is_gone_is_set_aside_by_each_source(chosen):
    outcomes = pulled(chosen)
    for outcome, endpoint in zip(outcomes, (HISTORICAL, ANALYTICS), strict=True):
        (publication,) = outcome.publications
        assert publication.pull.endpoint is endpoint
        assert (publication.requested, len(publication.stored), len(publication.set_aside)) == (3, 2, 1)


def test_what_one_source_fails_with_does_not_stop_the_other(chosen, world):
    world.emulator.v2.faults.set(client_not_enrolled=True)
    first, second = pulled(chosen)
    assert first.failure is None
    assert 'set source to "engagement"' in str(second.failure)
    last = chosen.last_whole_day()
    with pytest.raises(PullError, match="Enterprise"):
        pulling.pull_sources(chosen, prepare_sources(chosen, last, last))


def test_both_lakes_are_made_anew_from_raw_and_are_whole(chosen):
    pulled(chosen)
    home, day = Lake(chosen.data), chosen.last_whole_day()
    before = [cells(lake, day) for lake in home.of_each_source]
    for lake in home.of_each_source:
        lake.rows(ENGAGEMENTS, day).unlink()
    found = [(finding.kind, finding.fix) for finding in pipeline.examine(chosen, quick=False).findings]
    assert found == [("missing_rows", f"engagement rebuild --table engagements --from {day} --to {day}")] * 2
    assert {each.endpoint for each in pipeline.rebuild(chosen)} == {HISTORICAL, ANALYTICS}
    assert [cells(lake, day) for lake in home.of_each_source] == before
    assert pipeline.examine(chosen, quick=False).findings == ()


def test_x_api_v2_alone_needs_nothing_of_the_engagement_api(chosen, world):
    alone = world.settings(source="x_api_v2", api_url="http://127.0.0.1:9", types=TYPES)
    (outcome,) = pulled(alone)
    assert outcome.failure is None
    assert all(finding.works for finding in pulling.check_accounts(alone) if finding.works is not None)
    assert list(pipeline.report_days(alone, [alone.last_whole_day()]).reports) == [alone.last_whole_day()]


def test_windows_are_as_long_as_the_setting_allows(chosen, world):
    short = world.settings(source="x_api_v2", x_window_days="1")
    last = short.last_whole_day()
    plans = prepare(short, last.replace(day=last.day - 2), last, endpoint=ANALYTICS).plans
    assert [planned.window.first for planned in plans] == [last.replace(day=last.day - back) for back in (2, 1, 0)]


def test_a_window_that_the_api_refuses_as_too_long_is_shorter_from_then_on(chosen, world):
    alone = world.settings(source="x_api_v2", types="impressions")
    world.emulator.v2.faults.set(longest_window_days=1)
    (refused,) = pulled(alone)
    assert "this is remembered, and the next pull asks for 1 days a request" in str(refused.failure)
    (outcome,) = pulled(alone)
    assert outcome.failure is None
    assert [len(publication.stored) for publication in outcome.publications] == [2, 2]


def test_an_account_with_the_tokens_of_another_handle_is_named(chosen, world):
    """It is asked for again once its tokens change."""
    world.follow({"lumenaudio": world.tweets("harborbooks", 2), "harborbooks": world.tweets("harborbooks", 3)[:1]})
    alone = world.settings(source="x_api_v2", types=TYPES)
    (outcome,) = pulled(alone, days=1)
    assert "account lumenaudio: the API forbids its Tweets and serves none" in str(outcome.failure)
    assert "harborbooks" not in str(outcome.failure).partition(" (")[0]
    last = alone.last_whole_day()
    left_out = prepare(alone, last, last, endpoint=ANALYTICS).plans[0].left_out
    assert {*left_out.values()} == {"forbidden to lumenaudio, asked for again once its tokens change"}


def test_the_same_pull_with_the_right_tokens_asks_again_for_what_was_forbidden_to_those_of_another(chosen, world):
    tweets = world.tweets("harborbooks", 2)
    world.follow({"lumenaudio": tweets})
    alone = world.settings(source="x_api_v2", types=TYPES)
    assert "its tokens may be another handle's" in str(pulled(alone, days=1)[0].failure)
    text = world.accounts.read_text()
    theirs = text.partition("[accounts.harborbooks]")[2].partition("[")[0]
    ours = text.partition("[accounts.lumenaudio]")[2].partition("[")[0]
    world.accounts.write_text(text.replace(ours, theirs))
    (outcome,) = pulled(alone, days=1)
    assert outcome.failure is None
    assert [{*publication.stored} for publication in outcome.publications] == [{*tweets}]
    assert len(world.emulator.v2.requests) == 2


def test_the_status_tells_of_both(chosen):
    pulled(chosen, days=1)
    standing = status.of_lake(Lake(chosen.data), now=chosen.current_time())
    assert [pull.endpoint for pull in standing.pulls] == ["historical", "analytics"]
    assert (standing.used.requests, standing.set_aside) == (2, {"unavailable": 1})


def test_an_account_has_its_rate_for_itself(chosen, world):
    world.follow({handle: world.tweets(handle, 1) for handle in ("harborbooks", "lumenaudio")})
    rate = world.settings(x_requests_per_15_minutes="300")
    last = rate.last_whole_day()
    prepared = prepare(rate, last, last, endpoint=ANALYTICS)
    assert (prepared.requests, prepared.seconds) == (2, 3.0)


@pytest.mark.parametrize(("engagement_type", "endpoint"), [("impressions", HISTORICAL), ("bookmarks", ANALYTICS)])
def test_a_count_is_explained_by_the_response_of_the_source_that_is_shown(chosen, engagement_type, endpoint):
    pulled(chosen, days=1)
    day, home = chosen.last_whole_day(), Lake(chosen.data)
    sql = (
        f"select tweet_id, \"count\" from engagements where engagement_type = '{engagement_type}' and hour = 3 limit 1"
    )
    (row,) = catalog.query(home, sql).to_pylist()
    found = explain(home, Cell(tweet_id=row["tweet_id"], engagement_type=engagement_type, day=day, hour=3))
    assert (found.count, found.origin.text) == (row["count"], str(row["count"]))
    assert found.origin.landed.request.endpoint is endpoint


def undisturbed(chosen, world):
    """Return the day's counts of X API v2, as the world has them."""
    (outcome,) = pulled(world.settings(source="x_api_v2", types=TYPES, data=f"{chosen.data}.undisturbed"), days=1)
    assert outcome.failure is None
    return cells(Lake(chosen.data.with_name(f"{chosen.data.name}.undisturbed")).of("x_api_v2"), chosen.last_whole_day())


def test_two_pulls_of_both_at_once_take_turns_and_a_removal_comes_between(chosen, world):
    """Nobody waits for another that waits for him, and whatever the order, the Tweet is gone."""
    day, home = chosen.last_whole_day(), Lake(chosen.data)
    pulled(chosen, days=1)
    before, asked = [cells(lake, day) for lake in home.of_each_source], len(world.emulator.v2.requests)
    gone = min(tweet for tweet, *_ in before[0])
    with ThreadPoolExecutor() as threads:
        pulls = [threads.submit(pulled, chosen, days=1) for _ in range(2)]
        removal = threads.submit(forgetting.forget, chosen, [gone])
        assert not any(outcome.failure for each in pulls for outcome in each.result())
        assert removal.result().receipt.unread == ()
    assert asked < len(world.emulator.v2.requests) <= asked + 2  # one may take up what the other has landed
    stays = [{cell: count for cell, count in each.items() if cell[0] != gone} for each in before]
    assert [cells(lake, day) for lake in home.of_each_source] == stays
    assert search(home, Erased(frozenset({gone}))).holding == ()
    assert pipeline.examine(chosen, quick=False).findings == ()


@pytest.mark.parametrize("dial", ["text_counts", "unknown_keys", "unknown_metrics", "null_counts", "missing_metrics"])
def test_whatever_is_unusual_in_an_answer_no_count_is_wrong(chosen, world, dial):
    true = undisturbed(chosen, world)
    world.emulator.v2.faults.set(**{dial: 1})
    (outcome,) = pulled(world.settings(source="x_api_v2", types=TYPES), days=1)
    assert outcome.failure is None
    found = cells(Lake(chosen.data).of("x_api_v2"), chosen.last_whole_day())
    assert found.items() <= true.items()
    assert (found == true) is (dial not in {"null_counts", "missing_metrics"})


def test_buckets_off_the_hour_are_kept_and_never_published(chosen, world):
    world.emulator.v2.faults.set(off_hour_buckets=1)
    (outcome,) = pulled(world.settings(source="x_api_v2", types=TYPES), days=1)
    assert "is not on the hour" in str(outcome.failure)
    lake = Lake(chosen.data).of("x_api_v2")
    assert len(lake.storage.find("raw/analytics/*/*/rejected/*")) == 3
    assert not lake.storage.exists(lake.rows(ENGAGEMENTS, chosen.last_whole_day()))


@pytest.mark.parametrize("file", ["engagements", "coverage"])
def test_a_pull_that_was_killed_while_it_was_published_asks_for_nothing_again(chosen, world, file):
    day = chosen.last_whole_day()
    true = undisturbed(chosen, world)
    command = ("pull", "--source", "x_api_v2", "--from", str(day), "--to", str(day))
    environment = os.environ | world.environment | {"ENGAGEMENT_TYPES": TYPES}
    assert forks.run(DIE_AT_FILE, f"day={day}/{file}.parquet", *command, environment=environment).code == 9
    asked = len(world.emulator.v2.requests)
    (outcome,) = pulled(world.settings(source="x_api_v2", types=TYPES), days=1)
    assert (outcome.failure, len(world.emulator.v2.requests)) == (None, asked)
    assert cells(Lake(chosen.data).of("x_api_v2"), day) == true
    assert pipeline.examine(chosen, quick=False).findings == ()


def test_a_forgotten_tweet_is_in_no_byte_of_either_lake_and_neither_pull_nor_rebuild_brings_it_back(chosen):
    pulled(chosen, days=1)
    home, day = Lake(chosen.data), chosen.last_whole_day()
    gone, stays = sorted({tweet for tweet, *_ in cells(home, day)})
    proof = forgetting.forget(chosen, [gone])
    assert (proof.searched.holding, proof.receipt.unread) == ((), ())
    for go_on in (lambda: pulled(chosen, days=1), lambda: pipeline.rebuild(chosen)):
        go_on()
        for lake in home.of_each_source:
            assert {tweet for tweet, *_ in cells(lake, day)} == {stays}
        assert search(home, Erased(frozenset({gone}))).holding == ()
    assert pipeline.examine(chosen, quick=False).findings == ()
