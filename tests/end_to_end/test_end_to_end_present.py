"""The whole way to /totals and /28hr, number by number against the world; and all endpoints with an API that fails."""

from datetime import datetime, timedelta

import numpy as np
import pytest
from truth import A_THIRD_FAULTY, ALL_TYPES, FIRST, NOW, assert_true, follow, measured, midnight, run, stored

from engagement_pipeline.core.endpoints import HISTORICAL, RECENT, TOTALS
from engagement_pipeline.extract import puller
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog
from engagement_pipeline.transport import client

pytestmark = pytest.mark.marts

TOTAL_TYPES = TOTALS.types
PUBLIC_TYPES = TOTALS.public_types


def lifetimes(world):
    """Return the table of /totals as {(tweet, type): count}; a row that is there twice fails."""
    rows = catalog.query(Lake(world.lake), "select tweet_id, engagement_type, count from totals").to_pylist()
    found = {(row["tweet_id"], row["engagement_type"]): row["count"] for row in rows}
    assert len(found) == len(rows)
    return found


def true_lifetimes(world, tweets, types):
    """Return what a client must have of healthy Tweets: all but the zeros that were not measured."""
    sums = world.emulator.world.lifetime([tweet.tweet_id for tweet in tweets], types)
    truth = {}
    for tweet, counts in zip(tweets, sums.tolist(), strict=True):
        age = world.emulator.world.now() - tweet.created
        for name, count in zip(types, counts, strict=True):
            if name == "video_views":
                if age <= timedelta(days=1800):
                    truth[tweet.tweet_id, name] = count * 5 // 4  # reposts of the video count on /totals
            elif name not in {"impressions", "engagements"} or age <= timedelta(days=90):
                truth[tweet.tweet_id, name] = count
    return truth


def spread(tweets, number):
    """Return healthy Tweets of all ages."""
    healthy = [tweet for tweet in tweets if tweet.state == "ok"]
    return healthy[:: len(healthy) // number]


@pytest.mark.parametrize("given", [True, False], ids=["given", "fetched"])
def test_lifetimes_of_ours_and_of_others_are_the_world_s(world, given):
    """Ours with their owners' tokens, all seven types; those of others with the bearer token, the public five."""
    if not given:
        lines = world.accounts.read_text().splitlines()
        world.accounts.write_text("\n".join(line for line in lines if not line.startswith("bearer_token")))
    ours, others = spread(world.emulator.world.tweets(), 40), spread(world.emulator.world.foreign_tweets(), 20)
    gone = [tweet for tweet in world.emulator.world.foreign_tweets() if tweet.state == "deleted"][-2:]
    protected = [tweet for tweet in world.emulator.world.foreign_tweets() if tweet.state == "protected"][-1:]
    handles = {tweet.handle for tweet in ours}
    assert len(handles) == 3
    world.follow(
        {handle: [tweet.tweet_id for tweet in ours if tweet.handle == handle] for handle in handles}
        | {"": [tweet.tweet_id for tweet in [*others, *gone, *protected]]}
    )
    prepared, _, (publication,) = run(world.settings(), endpoint=TOTALS)
    assert prepared.requests == 4
    assert lifetimes(world) == true_lifetimes(world, ours, TOTAL_TYPES) | true_lifetimes(world, others, PUBLIC_TYPES)
    assert publication.stored == {tweet.tweet_id for tweet in ours + others}
    reasons = catalog.query(Lake(world.lake), "select tweet_id, reason, handle, endpoint from set_aside").to_pylist()
    assert sorted(tuple(row.values()) for row in reasons) == sorted(
        [(tweet.tweet_id, "unavailable", "", TOTALS.name) for tweet in gone]
        + [(tweet.tweet_id, "protected", "", TOTALS.name) for tweet in protected]
    )
    asked = len(world.emulator.requests)
    run(world.settings(), endpoint=TOTALS)
    assert len(world.emulator.requests) - asked == 4
    assert lifetimes(world) == true_lifetimes(world, ours, TOTAL_TYPES) | true_lifetimes(world, others, PUBLIC_TYPES)


def test_only_public_types_are_asked_for_where_the_setting_names_others_too(world):
    others = spread(world.emulator.world.foreign_tweets(), 5)
    world.follow({"": [tweet.tweet_id for tweet in others]})
    run(world.settings(types="impressions favorites"), endpoint=TOTALS)
    assert lifetimes(world) == true_lifetimes(world, others, ("favorites",))
    assert [request.types for request in world.emulator.requests] == [("favorites",)]


def true_last_hours(world, tweets):
    """Return (first hour, [tweet, type, hour]) of the 28 hours that the API snaps outward."""
    now = world.emulator.world.now()
    first = (now - timedelta(hours=28)).replace(minute=0, second=0)
    hours = 29 if now.minute else 28
    truth = world.emulator.world.counts(tweets, ALL_TYPES, first, hours)
    if now.minute:
        truth[:, :, 0] = truth[:, :, 0] * (60 - now.minute) // 60
        truth[:, :, -1] = truth[:, :, -1] * now.minute // 60
    return first, truth


def partial_hours(world, view):
    hours = f"select distinct day + hour * interval 1 hour as t from {view} where partial order by t"
    return catalog.query(Lake(world.lake), hours)["t"].to_pylist()


@pytest.mark.parametrize("minute", [0, 20])
def test_the_last_28_hours_are_the_world_s_and_partial_hours_are_marked(world, minute):
    world.emulator.world.fixed_now = NOW.replace(hour=9, minute=minute)
    followed = follow(world, (30, 3, 2), states=("ok", "deleted"))
    prepared, _, (publication,) = run(world.settings(), endpoint=RECENT)
    first, truth = true_last_hours(world, followed["ok"])
    table = stored(world, followed["ok"], types=ALL_TYPES, first=first, hours=truth.shape[2], view="recent")
    assert np.array_equal(table, measured(truth, followed["ok"], first))
    assert publication.stored == set(followed["ok"])
    assert len(world.emulator.requests) == prepared.requests == 4
    ends = [datetime(2026, 1, 31, 5), datetime(2026, 2, 1, 9)] if minute else []  # noqa: DTZ001 - as the query gives it
    assert partial_hours(world, "recent") == ends


def test_what_is_known_now_is_history_and_the_hours_since(world):
    followed = follow(world, (3, 2, 1))["ok"]
    world.emulator.world.fixed_now = NOW.replace(hour=9, minute=20)
    run(world.settings(), endpoint=RECENT)
    run(world.settings())
    first, recent = true_last_hours(world, followed)
    history = world.emulator.world.counts(followed, ALL_TYPES, midnight(FIRST), 28 * 24)
    since = recent[:, :, int((NOW - first).total_seconds()) // 3600 :]
    truth = np.concatenate([history, since], axis=2)
    table = stored(
        world, followed, types=ALL_TYPES, first=midnight(FIRST), hours=truth.shape[2], view="engagements_now"
    )
    assert np.array_equal(table, measured(truth, followed, midnight(FIRST)))
    assert_true(world, followed)
    provisional = catalog.query(Lake(world.lake), "select distinct day, hour from engagements_now where provisional")
    assert {row["day"] for row in provisional.to_pylist()} == {NOW.date()}
    assert provisional.num_rows == 10
    assert partial_hours(world, "engagements_now") == [datetime(2026, 2, 1, 9)]  # noqa: DTZ001 - as the query gives it


@pytest.mark.parametrize("endpoint", [HISTORICAL, RECENT, TOTALS])
def test_with_a_third_of_the_answers_faulty_every_number_is_the_world_s(world, monkeypatch, endpoint):
    """Small requests, so that there are many; a test of patience would only be slower, so pauses are tiny."""
    monkeypatch.setattr(client, "FIRST_PAUSE", 1e-6)
    monkeypatch.setitem(vars(endpoint), "max_tweets", 2)
    monkeypatch.setattr(puller, "BODIES_TRIED", 10)
    world.emulator.world.fixed_now = NOW.replace(hour=9, minute=20)
    followed = follow(world, (30, 20, 10))["ok"]
    world.emulator.faults.set(**A_THIRD_FAULTY)
    prepared, _, (publication,) = run(
        world.settings(tries="20", patience_minutes="5", requests_per_minute="100000"), endpoint=endpoint
    )
    assert len(world.emulator.requests) > prepared.requests == 30
    assert publication.stored == set(followed)
    if endpoint == HISTORICAL:
        assert_true(world, followed, zeros_may_lack=True)
    elif endpoint == RECENT:
        first, truth = true_last_hours(world, followed)
        table = stored(world, followed, types=ALL_TYPES, first=first, hours=29, view="recent")
        truth[(table < 0) & (truth == 0)] = -1
        assert np.array_equal(table, truth)
    else:
        tweets = [world.emulator.world.tweet(tweet_id) for tweet_id in followed]
        assert lifetimes(world) == true_lifetimes(world, tweets, TOTAL_TYPES)
