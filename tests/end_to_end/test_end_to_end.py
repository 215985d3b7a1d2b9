"""The whole way from the emulated API to the tidy table, cell by cell against the world that the API shows."""

from dataclasses import replace
from datetime import date, timedelta
from math import ceil

import numpy as np
import pytest
from truth import ALL_TYPES, FIRST, LAST, TWO_TYPES, assert_true, follow, midnight, run, stored

from engagement_pipeline import pipeline, pulling
from engagement_pipeline.extract.prepare import prepare
from engagement_pipeline.lake import set_aside
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog


def test_every_cell_of_28_days_is_the_world_s(world):
    followed = follow(world, (30, 20, 10), states=("ok", "deleted"))
    prepared, reports, (publication,) = run(world.settings())
    assert_true(world, followed["ok"])
    assert len(world.emulator.requests) == prepared.requests == reports[0].answered == 4
    assert publication.stored == set(followed["ok"])
    assert publication.set_aside == dict.fromkeys(followed["deleted"], "unavailable")
    assert publication.requested == 60


def test_the_same_pull_again_changes_nothing_in_the_tables(world):
    followed = follow(world, (5, 3, 2))
    settings = world.settings()
    for _ in range(2):
        run(settings)
        assert_true(world, followed["ok"])
    assert len(world.emulator.requests) == 6


def test_a_count_that_was_revised_is_the_new_one(world):
    """Half-settled counts first, the final ones a pull later."""
    followed = follow(world, (3, 2, 1))
    settings = world.settings(types=" ".join(TWO_TYPES))
    world.emulator.world.settle_hours = 5000
    run(settings)
    young = stored(world, followed["ok"], types=TWO_TYPES, first=midnight(FIRST), hours=28 * 24)
    world.emulator.world.settle_hours = 0
    run(settings)
    assert_true(world, followed["ok"], types=TWO_TYPES)
    assert young.sum() < stored(world, followed["ok"], types=TWO_TYPES, first=midnight(FIRST), hours=28 * 24).sum()


def test_a_backfill_of_several_windows_is_whole(world):
    followed = follow(world, (3, 2, 1))
    prepared, reports, _ = run(world.settings(types=" ".join(TWO_TYPES)), FIRST - timedelta(days=30))
    assert [len(list(planned.window.days())) for planned in prepared.plans] == [28, 28, 2]
    assert len(world.emulator.requests) == prepared.requests == sum(report.answered for report in reports)
    start = midnight(date(2025, 12, 5))
    table = stored(world, followed["ok"], types=TWO_TYPES, first=start, hours=58 * 24)
    truth = world.emulator.world.counts(followed["ok"], TWO_TYPES, start, 58 * 24)
    truth[(table < 0) & (truth == 0)] = -1  # before a Tweet was posted it was not asked for
    assert np.array_equal(table, truth)


def test_old_tweets_have_no_video_views_and_everything_else(world):
    """Past 1,800 days their zeros are not measured, so they are not stored."""
    old = [t.tweet_id for t in world.emulator.world.tweets() if t.handle == "harborbooks" and t.state == "ok"][:3]
    world.follow({"harborbooks": old})
    run(world.settings())
    table = stored(world, old, types=ALL_TYPES, first=midnight(FIRST), hours=28 * 24)
    video = ALL_TYPES.index("video_views")
    assert (table[:, video] == -1).all()
    assert (np.delete(table, video, axis=1) >= 0).all()


def test_likes_reposts_and_replies_of_before_they_were_measured_are_not_stored_as_zeros(world):
    """The API answers them with zeros up to 2015-09-14; every other cell of the window is the world's."""
    first = date(2015, 9, 1)
    old = [t.tweet_id for t in world.emulator.world.tweets() if t.handle == "harborbooks" and t.state == "ok"][:2]
    world.follow({"harborbooks": old})
    run(world.settings(), first, first + timedelta(days=27))
    table = stored(world, old, types=ALL_TYPES, first=midnight(first), hours=28 * 24)
    reactions = [ALL_TYPES.index(name) for name in ("favorites", "replies", "retweets")]
    assert (table[:, reactions, : 14 * 24] == -1).all()
    assert (table[:, reactions, 14 * 24 :] >= 0).all()
    table[:, reactions, : 14 * 24] = 0
    truth = world.emulator.world.counts(old, ALL_TYPES, midnight(first), 28 * 24)
    video = ALL_TYPES.index("video_views")  # of Tweets that are too old
    assert np.array_equal(np.delete(table, video, axis=1), np.delete(truth, video, axis=1))


def test_video_views_outlive_the_age_at_which_the_api_stops_to_serve_them(world):
    """Pulled on its last day, and again ten days later: what was measured stays, under the newer counts."""
    now = world.emulator.world.now()
    ages = {t: now - t.created for t in world.emulator.world.tweets() if t.state == "ok" and t.has_video}
    oldest = max((t for t, age in ages.items() if age < timedelta(days=1800)), key=lambda t: ages[t])
    world.emulator.world.fixed_now = oldest.created + timedelta(days=1800)
    world.follow({oldest.handle: [oldest.tweet_id]})
    last = world.emulator.world.now().date() - timedelta(days=1)
    first = last - timedelta(days=27)
    settings = world.settings(now=world.emulator.world.now().isoformat())
    run(settings, first, last)
    world.emulator.world.fixed_now += timedelta(days=10)
    run(world.settings(now=world.emulator.world.now().isoformat()), first, last)
    assert len(world.emulator.requests) == 2
    assert_true(world, [oldest.tweet_id], first=first)


def test_a_pull_of_fewer_types_takes_nothing_away(world):
    followed = follow(world, (3, 2, 1))
    run(world.settings())
    run(world.settings(types=" ".join(TWO_TYPES)))
    assert_true(world, followed["ok"])


@pytest.mark.parametrize("spelling", ["author", "tweets", "unnamed"])
def test_bad_tweets_cost_the_healthy_ones_nothing_and_later_pulls_no_request(world, spelling):
    """Deleted, protected, under a wrong handle: each is set aside by name, and all the others are complete."""
    world.emulator.faults.set(forbidden_spelling=spelling)
    healthy = {"harborbooks": world.tweets("harborbooks", 60), "lumenaudio": world.tweets("lumenaudio", 30)}
    bad = {
        "unavailable": world.tweets("harborbooks", 2, state="deleted"),
        "protected": world.tweets("harborbooks", 2, state="protected"),
        "forbidden": world.tweets("tidalcoffee", 3),
    }
    aside = sorted(tweet for tweets in bad.values() for tweet in tweets)
    world.follow(healthy | {"harborbooks": sorted(healthy["harborbooks"] + aside)})
    settings = world.settings(types=" ".join(TWO_TYPES))
    _, _, (publication,) = run(settings)
    tweets = sorted(healthy["harborbooks"] + healthy["lumenaudio"])
    assert publication.stored == set(tweets)
    assert publication.requested == len(tweets) + 7
    listed = catalog.query(Lake(world.lake), "select reason, handle, tweet_id from set_aside order by tweet_id")
    assert {reason: [row["tweet_id"] for row in listed.to_pylist() if row["reason"] == reason] for reason in bad} == bad
    assert {*listed["handle"].to_pylist()} == {"harborbooks"}
    assert_true(world, tweets, types=TWO_TYPES)

    asked = len(world.emulator.requests)
    prepared, _, _ = run(settings)
    assert len(world.emulator.requests) - asked == prepared.requests == ceil(60 / 25) + ceil(30 / 25)
    assert sorted(prepared.plans[0].left_out) == aside
    assert_true(world, tweets, types=TWO_TYPES)


def weeks_later(world, *, days):
    """Let the Tweets that are set aside have been asked for so many days ago."""
    lake = Lake(world.lake)
    words = set_aside.load(lake)
    lake.set_aside.unlink()
    earlier = {t: replace(word, asked_at=word.asked_at - timedelta(days=days)) for t, word in words.items()}
    set_aside.merge(lake, earlier, into=lake.set_aside)


def test_a_tweet_that_is_due_again_costs_what_the_plan_says(world, engagement, monkeypatch):
    """A protected one would have its whole batch refused, so it has a request of its own; one that is gone has none."""
    healthy, protected = world.tweets("harborbooks", 45), world.tweets("harborbooks", 4, state="protected")
    gone = world.tweets("harborbooks", 2, state="deleted")
    world.follow({"harborbooks": sorted(healthy + protected + gone)})
    settings = world.settings(types="url_clicks")
    run(settings)
    weeks_later(world, days=40)
    asked = len(world.emulator.requests)
    prepared, _, (publication,) = run(settings)
    assert len(world.emulator.requests) - asked == prepared.requests == ceil(47 / 25) + 4
    assert publication.set_aside.keys() == {*protected, *gone}
    assert publication.stored == {*healthy}
    weeks_later(world, days=8)
    for variable, value in world.environment.items():
        monkeypatch.setenv(variable, value)
    assert "\n  of these, 4 for a single Tweet each that was protected and is due again\n" in engagement("plan")[1]


def test_a_bad_tweet_is_found_once_however_many_windows_there_are(world):
    """It counts in each of them, and so do the requests that are not spent on it."""
    healthy = {"harborbooks": world.tweets("harborbooks", 200)[:20]}
    protected, foreign = world.tweets("harborbooks", 4, state="protected")[:2], world.tweets("lumenaudio", 110)[:2]
    world.follow({"harborbooks": sorted([*healthy["harborbooks"], *protected, *foreign])})
    settings = world.settings(types="url_clicks")
    prepared, reports, publications = run(settings, FIRST - timedelta(days=56))
    assert len(prepared.plans) == len(publications) == 3
    assert [report.planned for report in reports] == [1, 1, 1]
    assert [report.answered for report in reports[1:]] == [1, 1]
    aside = {tweet: publication for publication in publications for tweet in publication.set_aside}
    assert {*aside} == {*protected, *foreign}
    for planned, publication in zip(prepared.plans, publications, strict=True):
        assert publication.requested == len(planned.tweets) == len(publication.stored) + len(publication.set_aside)
    days = catalog.query(Lake(world.lake), "select tweet_id, count(*) as n from coverage group by all").to_pylist()
    assert {row["n"] for row in days if row["tweet_id"] in protected} == {84}
    kept = [sum(bool(landed.refusal) for landed in publication.pull.landed()) for publication in publications]
    assert kept == [3, 3, 3]


def test_what_has_landed_is_published_without_the_api(world):
    followed = follow(world, (3, 2, 1))
    settings = world.settings(types=" ".join(TWO_TYPES))
    pulling.pull(settings, prepare(settings, FIRST, LAST))
    asked = len(world.emulator.requests)
    (publication,) = pipeline.publish_landed(settings)
    assert publication.stored == set(followed["ok"])
    assert len(world.emulator.requests) == asked
    assert_true(world, followed["ok"], types=TWO_TYPES)
