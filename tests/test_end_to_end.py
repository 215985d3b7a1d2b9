"""The whole way from the emulated API to the tables, cell by cell against the world that the API shows."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta

import numpy as np

from engagement_pipeline import catalog, client, pipeline, plan
from engagement_pipeline import pull as puller
from engagement_pipeline.emulator import HANDLES
from engagement_pipeline.lake import Lake
from engagement_pipeline.metrics import HISTORICAL, types_of

FIRST, LAST = date(2026, 1, 4), date(2026, 1, 31)  # the last 28 whole days
ALL_TYPES = types_of(HISTORICAL)
TWO_TYPES = ("impressions", "url_clicks")
HOURS_OF = "select tweet_id, engagement_type, epoch(day)::bigint // 3600 + hour as hour, count from engagements"
PATIENCE_SECONDS = 60.0  # for another process; only a broken one uses it up


def follow(world, numbers, *, states=("ok",)):
    """Follow the newest Tweets of each handle, born within the 28 days too; return their IDs by state."""
    born = [tweet for tweet in world.emulator.world.tweets() if tweet.created.date() <= LAST]
    chosen = {
        handle.name: [t for t in reversed(born) if t.handle == handle.name and t.state in states][:number]
        for handle, number in zip(HANDLES, numbers, strict=True)
    }
    world.follow({name: [tweet.tweet_id for tweet in tweets] for name, tweets in chosen.items()})
    return {
        state: sorted(t.tweet_id for tweets in chosen.values() for t in tweets if t.state == state) for state in states
    }


def stored(world, tweets, *, types, first, days):
    """Return the table as [tweet, type, hour], -1 where there is no row."""
    begin = int(datetime(first.year, first.month, first.day, tzinfo=UTC).timestamp()) // 3600
    table = catalog.query(Lake(world.lake), HOURS_OF)
    grid = np.full((len(tweets), len(types), days * 24), -1, np.int64)
    place = (
        np.searchsorted(tweets, table["tweet_id"].to_numpy()),
        np.searchsorted(types, table["engagement_type"].to_pylist()),
        table["hour"].to_numpy() - begin,
    )
    grid[place] = table["count"].to_numpy()
    assert (grid >= 0).sum() == table.num_rows  # no cell twice
    return grid


def assert_true(world, tweets, *, types=ALL_TYPES, first=FIRST, days=28, zeros_may_lack=False):
    """Compare every cell with the world's."""
    table = stored(world, tweets, types=types, first=first, days=days)
    truth = world.emulator.world.counts(
        tweets, types, datetime(first.year, first.month, first.day, tzinfo=UTC), days * 24
    )
    if zeros_may_lack:
        truth[(table < 0) & (truth == 0)] = -1
    assert np.array_equal(table, truth)


def run(settings, first=FIRST, last=LAST):
    prepared = pipeline.prepare(settings, first, last)
    return prepared, *pipeline.run(settings, prepared)


def test_every_cell_of_28_days_is_the_world_s(world):
    followed = follow(world, (30, 20, 10), states=("ok", "deleted"))
    prepared, reports, (publication,) = run(world.settings())
    assert_true(world, followed["ok"])
    assert len(world.emulator.requests) == prepared.requests == reports[0].requests == 4
    assert publication.stored == set(followed["ok"])
    assert publication.set_aside == dict.fromkeys(followed["deleted"], "unavailable")
    assert publication.requested == 60


def test_the_same_pull_again_changes_nothing_in_the_tables(world):
    followed = follow(world, (5, 3, 2))
    settings = world.settings()
    run(settings)
    before = stored(world, followed["ok"], types=ALL_TYPES, first=FIRST, days=28)
    run(settings)
    assert np.array_equal(stored(world, followed["ok"], types=ALL_TYPES, first=FIRST, days=28), before)
    assert len(world.emulator.requests) == 6


def test_a_count_that_was_revised_is_the_new_one(world):
    """Half-settled counts first, the final ones a pull later."""
    followed = follow(world, (3, 2, 1))
    settings = world.settings(types=" ".join(TWO_TYPES))
    world.emulator.world.settle_hours = 5000
    run(settings)
    young = stored(world, followed["ok"], types=TWO_TYPES, first=FIRST, days=28)
    world.emulator.world.settle_hours = 0
    run(settings)
    assert_true(world, followed["ok"], types=TWO_TYPES)
    assert young.sum() < stored(world, followed["ok"], types=TWO_TYPES, first=FIRST, days=28).sum()


def test_a_backfill_of_several_windows_is_whole(world):
    followed = follow(world, (3, 2, 1))
    prepared, reports, _ = run(world.settings(types=" ".join(TWO_TYPES)), FIRST - timedelta(days=30))
    assert [len(list(planned.window.days())) for planned in prepared.windows] == [28, 28, 2]
    assert len(world.emulator.requests) == prepared.requests == sum(report.requests for report in reports)
    table = stored(world, followed["ok"], types=TWO_TYPES, first=FIRST - timedelta(days=30), days=58)
    truth = world.emulator.world.counts(followed["ok"], TWO_TYPES, datetime(2025, 12, 5, tzinfo=UTC), 58 * 24)
    truth[(table < 0) & (truth == 0)] = -1  # before a Tweet was posted it was not asked for
    assert np.array_equal(table, truth)


def test_old_tweets_have_no_video_views_and_everything_else(world):
    """Past 1,800 days their zeros are not measured, so they are not stored."""
    old = [t.tweet_id for t in world.emulator.world.tweets() if t.handle == "harborbooks" and t.state == "ok"][:3]
    world.follow({"harborbooks": old})
    run(world.settings())
    table = stored(world, old, types=ALL_TYPES, first=FIRST, days=28)
    video = ALL_TYPES.index("video_views")
    assert (table[:, video] == -1).all()
    assert (np.delete(table, video, axis=1) >= 0).all()


FAULTS = {
    "status_503": 0.06,
    "html_error": 0.05,
    "truncated_gzip": 0.06,
    "broken_json": 0.05,
    "reset": 0.06,
    "wrong_sums": 0.08,
    "unknown_types": 0.04,
    "missing_hours": 0.1,
    "unknown_keys": 0.1,
    "numbers": 0.1,
}


def test_with_a_third_of_the_answers_faulty_every_cell_is_the_world_s(world, monkeypatch):
    """Small requests, so that there are many; a test of patience would only be slower, so pauses are tiny."""
    monkeypatch.setattr(client, "FIRST_PAUSE", 1e-6)
    monkeypatch.setattr(plan, "MAX_TWEETS", 2)
    monkeypatch.setattr(puller, "BODIES_TRIED", 10)
    followed = follow(world, (30, 20, 10))
    world.emulator.faults.set(**FAULTS)
    prepared, _, (publication,) = run(world.settings(tries="20", requests_per_minute="100000"))
    assert len(world.emulator.requests) > prepared.requests == 30
    assert publication.stored == set(followed["ok"])
    assert_true(world, followed["ok"], zeros_may_lack=True)


def landed(world):
    return list(world.lake.glob("raw/historical/*/*/*.json.zst"))


def test_a_pull_that_was_killed_goes_on_without_asking_twice(world):
    """Each fourth request is held back, so the pull is killed when all others have landed, however fast it is."""
    followed = follow(world, (200, 100, 25))
    settings = world.settings(types=" ".join(TWO_TYPES))
    prepared = pipeline.prepare(settings, FIRST, LAST)
    world.emulator.faults.set(slow=4, slow_seconds=3600)
    expected = prepared.requests - prepared.requests // 4
    environment = os.environ | world.environment | {"ENGAGEMENT_TYPES": " ".join(TWO_TYPES)}
    command = [sys.executable, "-m", "engagement_pipeline", "pull", "--from", str(FIRST), "--to", str(LAST)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(landed(world)) < expected and process.poll() is None and time.monotonic() < deadline:
            try:
                process.wait(timeout=0.02)
            except subprocess.TimeoutExpired:
                continue
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=PATIENCE_SECONDS) == -signal.SIGKILL, process.stderr.read()
    assert len(landed(world)) == expected < prepared.requests
    assert not (world.lake / "engagements").exists()

    world.emulator.faults.reset()
    reports, publications = pipeline.run(settings, prepared)
    assert [report.requests for report in reports] == [prepared.requests - expected]
    assert [publication.requested for publication in publications] == [325]
    assert_true(world, followed["ok"], types=TWO_TYPES)
    answered = [tweet for request in world.emulator.requests if request.status == 200 for tweet in request.tweet_ids]
    assert sorted(answered) == followed["ok"]  # each exactly once


def test_what_has_landed_is_published_without_the_api(world):
    followed = follow(world, (3, 2, 1))
    settings = world.settings(types=" ".join(TWO_TYPES))
    pipeline.pull(settings, pipeline.prepare(settings, FIRST, LAST))
    asked = len(world.emulator.requests)
    (publication,) = pipeline.publish(Lake(settings.data))
    assert publication.stored == set(followed["ok"])
    assert len(world.emulator.requests) == asked
    assert_true(world, followed["ok"], types=TWO_TYPES)
