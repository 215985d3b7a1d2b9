"""X API v2 while a third of its answers are faulty: every count is the world's."""

import pytest
from truth import TWO_TYPES, assert_true, follow, run

from engagement_pipeline.core.endpoints import ANALYTICS
from engagement_pipeline.extract import puller
from engagement_pipeline.transport import client

FAULTS = {
    "status_503": 0.05,
    "html_error": 0.05,
    "truncated_gzip": 0.06,
    "broken_json": 0.05,
    "reset": 0.06,
    "off_hour_buckets": 0.05,
    "fraction_counts": 0.05,
    "missing_buckets": 0.1,
    "unknown_keys": 0.1,
    "unknown_metrics": 0.1,
    "text_counts": 0.1,
}


@pytest.fixture
def faulty(world, monkeypatch):
    """Small requests, so that there are many; a test of patience would only be slower, so pauses are tiny."""
    monkeypatch.setattr(client, "FIRST_PAUSE", 1e-6)
    monkeypatch.setattr(puller, "BODIES_TRIED", 10)
    monkeypatch.setitem(vars(ANALYTICS), "max_tweets", 2)
    world.emulator.v2.faults.set(**FAULTS)
    return {"tries": "20", "patience_minutes": "5", "x_requests_per_15_minutes": "90000"}


def test_every_count_of_tweets_is_the_world_s(world, faulty):
    followed = follow(world, (30, 20, 10))["ok"]
    chosen = world.settings(source="x_api_v2", types=" ".join(TWO_TYPES), **faulty)
    prepared, _, (publication,) = run(chosen)
    assert len(world.emulator.v2.requests) > prepared.requests == 30
    assert publication.stored == set(followed)
    assert_true(world, followed, types=TWO_TYPES, zeros_may_lack=True)
