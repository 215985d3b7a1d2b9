"""X API v2 while a third of its answers are faulty: every count of Tweets and of videos is the world's.

An API that says 429 has its accounts wait for up to 15 minutes. Therefore the pulls here have a clock of their own.
"""

from functools import partial

import numpy as np
import pytest
from truth import FIRST, LAST, NOW, TWO_TYPES, assert_true, follow, measured, midnight, run, stored

from engagement_pipeline import pulling
from engagement_pipeline.core.endpoints import ANALYTICS, MEDIA
from engagement_pipeline.core.tables import ENGAGEMENTS
from engagement_pipeline.emulator.content import content_of
from engagement_pipeline.extract import puller
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.lake.parquet import read
from engagement_pipeline.transport.patience import Patience
from engagement_pipeline.transport.rate_limit import RateLimiter

FAULTS = {
    "status_429": 0.05,
    "status_503": 0.05,
    "html_error": 0.05,
    "truncated_gzip": 0.06,
    "broken_json": 0.05,
    "reset": 0.06,
    "null_timestamps": 0.1,
    "off_hour_buckets": 0.05,
    "fraction_counts": 0.05,
    "missing_buckets": 0.1,
    "unknown_keys": 0.1,
    "unknown_metrics": 0.1,
    "text_counts": 0.1,
}


class Clock:
    """Seconds that pass when somebody sleeps, and at once."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds

    def sleep(self, seconds):
        self.seconds += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def faulty(world, clock, monkeypatch):
    """Faults, and small requests, so that there are many."""
    for waits in (Patience, RateLimiter):
        monkeypatch.setattr(pulling, waits.__name__, partial(waits, clock=clock, sleep=clock.sleep))
    for endpoint in (ANALYTICS, MEDIA):
        monkeypatch.setitem(vars(endpoint), "max_tweets", 2)
    monkeypatch.setattr(puller, "BODIES_TRIED", 10)
    world.emulator.v2.faults.set(**FAULTS)
    return {"source": "x_api_v2", "tries": "20", "patience_minutes": "60"}


def test_every_count_of_tweets_is_the_world_s(world, clock, faulty):
    """An hour that came without its time is no row, and the next pull has it."""
    followed = follow(world, (30, 20, 10))["ok"]
    chosen = world.settings(types=" ".join(TWO_TYPES), **faulty)
    prepared, _, (publication,) = run(chosen)
    asked = world.emulator.v2.requests
    assert {429, 503, 502} < {request.status for request in asked}
    assert len(asked) > prepared.requests == 30
    assert clock.seconds > 60
    assert publication.stored == set(followed)
    table = stored(world, followed, types=TWO_TYPES, first=midnight(FIRST), hours=28 * 24)
    truth = world.emulator.world.counts(followed, TWO_TYPES, midnight(FIRST), 28 * 24)
    assert np.array_equal(table[table >= 0], truth[table >= 0])
    lacking = np.argwhere((table < 0) & (measured(truth, followed, midnight(FIRST)) > 0))
    assert {hour for *_, hour in lacking} <= {28 * 24 - 1}  # none, if the last hour came with its time each time
    world.emulator.v2.faults.reset()
    run(chosen, LAST, LAST)
    assert_true(world, followed, types=TWO_TYPES, zeros_may_lack=True)


def rows(chosen):
    """Return the counts of videos."""
    lake = Lake(chosen.data).of(MEDIA.source)
    found = [row for path in lake.storage.find(ENGAGEMENTS.glob) for row in read(lake, path, ENGAGEMENTS).to_pylist()]
    return {tuple(row.values()) for row in found}


@pytest.mark.faults
def test_every_count_of_videos_is_as_without_a_fault(world, faulty):
    emulated = world.emulator.world
    old = [tweet for tweet in emulated.tweets() if tweet.state == "ok" and tweet.created < NOW][-200:]
    keys = {(t, each.key) for t in old for each in content_of(emulated.seed, t).media if each.kind == "video"}
    lines = [f"{tweet.tweet_id},{tweet.handle},{key}\n" for tweet, key in keys]
    world.roster.write_text("tweet_id,handle,media_keys\n" + "".join(lines))
    named = faulty | {"media": "true", "types": "video_views playback_start"}
    chosen = world.settings(**named)
    prepared, _, (publication,) = run(chosen, FIRST, LAST, endpoint=MEDIA)
    assert len(world.emulator.v2.requests) > prepared.requests > 20
    assert len(publication.stored) == len(keys)
    world.emulator.v2.faults.reset()
    undisturbed = world.settings(**named, data=f"{chosen.data}.other")
    run(undisturbed, FIRST, LAST, endpoint=MEDIA)
    assert rows(chosen) < rows(undisturbed)  # without zeros that stayed away, and hours that came without their time
    run(chosen, FIRST, LAST, endpoint=MEDIA)
    assert rows(chosen) == rows(undisturbed)
