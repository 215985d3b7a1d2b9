"""The emulated world: which Tweets exist, and counts that are a pure function."""

import subprocess
import sys
import tomllib
from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from emulator_client import NOW, healthy, tweets
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_pipeline.emulator import HANDLES, Credentials, World
from engagement_pipeline.emulator.counts import RATES, counts, living_hours
from engagement_pipeline.emulator.world import STRANGER

TYPES = list(RATES)
HANDLE_NAMES = [handle.name for handle in HANDLES]
DATES = [
    NOW,
    datetime(2026, 1, 1, tzinfo=UTC),
    datetime(2026, 11, 30, 23, 59, tzinfo=UTC),
    datetime(2029, 2, 28, tzinfo=UTC),
]
HOUR = timedelta(hours=1)


def ages(world, handle):
    """Return the ages of a handle's Tweets in days, by state."""
    found = {"ok": [], "deleted": [], "protected": []}
    for tweet in world.tweets():
        if tweet.handle == handle:
            found[tweet.state].append((world.now() - tweet.created) / timedelta(days=1))
    return found


@pytest.mark.parametrize("now", DATES)
@pytest.mark.parametrize("handle", HANDLE_NAMES)
def test_every_state_and_age_is_there_whatever_the_date(handle, now):
    found = ages(World(now=now), handle)
    every = sorted(age for of_state in found.values() for age in of_state)
    assert sum(age < 90 for age in found["deleted"]) >= 2
    assert sum(age < 90 for age in found["protected"]) >= 2
    assert 55 <= sum(90 < age <= 1800 for age in every) <= 60
    assert sum(age > 1800 for age in every) >= 6
    assert every[0] >= 0


def test_the_first_handle_has_300_healthy_recent_tweets():
    assert all(sum(age < 90 for age in ages(World(now=now), "harborbooks")["ok"]) >= 300 for now in DATES)


@pytest.mark.parametrize("handle", HANDLE_NAMES)
def test_some_tweets_are_of_the_summer_of_2015(handle):
    summer = [t for t in World(now=NOW).tweets() if t.handle == handle and t.created < datetime(2015, 9, 1, tzinfo=UTC)]
    assert len(summer) >= 3


@pytest.mark.parametrize("handle", HANDLE_NAMES)
def test_some_tweets_carry_a_video(handle):
    videos = [tweet.has_video for tweet in tweets(handle)]
    assert 0.15 < sum(videos) / len(videos) < 0.5


def test_a_stranger_tweets_too_and_has_no_tokens():
    world = World(now=NOW)
    found = world.foreign_tweets()
    assert {tweet.handle for tweet in found} == {STRANGER.name}
    assert Counter(tweet.state for tweet in found)["ok"] > 100
    assert {tweet.state for tweet in found} == {"ok", "deleted", "protected"}
    assert any(NOW - tweet.created > timedelta(days=1800) for tweet in found)
    assert all(world.tweet(tweet.tweet_id) == tweet for tweet in found)
    assert not set(found) & set(world.tweets())
    assert STRANGER.name not in Credentials.from_seed(1).tokens


def test_a_later_day_adds_tweets_and_changes_none():
    before, after = World(now=NOW), World(now=NOW + timedelta(days=3))
    still_recent = {t for t in before.tweets() if after.now() - t.created < timedelta(days=89)}
    assert still_recent < set(after.tweets())
    assert all(after.tweet(tweet.tweet_id) == tweet for tweet in before.tweets())


def test_a_tweet_is_not_there_before_it_is_posted():
    tweet = healthy()
    assert World(now=tweet.created - timedelta(seconds=1)).tweet(tweet.tweet_id) is None
    assert World(now=tweet.created + timedelta(seconds=1)).tweet(tweet.tweet_id) == tweet


def test_an_id_that_nobody_posted_is_no_tweet():
    assert World(now=NOW).tweet(healthy().tweet_id + 1) is None


def test_ids_are_snowflakes_of_the_time_of_creation():
    for tweet in World(now=NOW).tweets():
        assert (tweet.tweet_id >> 22) + 1288834974657 == round(tweet.created.timestamp() * 1000)


def test_ids_are_distinct_and_ascending():
    ids = [tweet.tweet_id for tweet in World(now=NOW).tweets()]
    assert ids == sorted(set(ids))


def test_another_seed_is_another_world():
    assert not {t.tweet_id for t in World(seed=2, now=NOW).tweets()} & {t.tweet_id for t in World(now=NOW).tweets()}


@given(
    st.sampled_from(range(150)),
    st.sampled_from(TYPES),
    st.integers(min_value=-30, max_value=2000),
)
@settings(max_examples=40)
def test_a_cell_alone_equals_the_cell_of_an_array(place, name, hour):
    """Neither the other Tweets, types and hours asked for nor their order touch a count."""
    world = World(now=NOW)
    tweet = healthy(place=place)
    first = tweet.created.replace(minute=0, second=0, microsecond=0) + hour * HOUR
    array = world.counts([healthy("lumenaudio").tweet_id, tweet.tweet_id], TYPES[::-1], first - 5 * HOUR, 40)
    assert world.count(tweet.tweet_id, name, first) == array[1, TYPES[::-1].index(name), 5]


def test_counts_are_the_same_in_another_process():
    tweet = healthy()
    day = tweet.created.replace(hour=0, minute=0, second=0, microsecond=0)
    program = (
        "from datetime import datetime; from engagement_pipeline.emulator import World;"
        f"print(World().counts([{tweet.tweet_id}], {TYPES}, datetime.fromisoformat('{day.isoformat()}'), 72).tolist())"
    )
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == str(World().counts([tweet.tweet_id], TYPES, day, 72).tolist())


def test_a_count_starts_with_the_hour_of_creation():
    world = World(now=NOW)
    ids = [tweet.tweet_id for tweet in tweets("harborbooks")[20:120]]
    starts = {t.tweet_id: t.created.replace(minute=0, second=0, microsecond=0) for t in tweets("harborbooks")}
    assert all(world.counts([i], TYPES, starts[i] - 48 * HOUR, 48).sum() == 0 for i in ids)
    assert sum(world.count(i, "impressions", starts[i]) for i in ids) > 0


def test_only_tweets_with_a_video_have_video_views():
    world = World(now=NOW)
    views = {t: int(world.lifetime([t.tweet_id], ["video_views"])[0, 0]) for t in tweets("harborbooks")[40:200]}
    assert {tweet.has_video for tweet in views} == {True, False}
    assert all((count > 0) == tweet.has_video for tweet, count in views.items())


def test_favorites_retweets_and_replies_begin_in_september_2015():
    tweet_ids = [t.tweet_id for t in World(now=NOW).tweets() if t.created < datetime(2015, 9, 1, tzinfo=UTC)]
    late = [TYPES.index(name) for name in ("favorites", "retweets", "replies")]
    found = World().counts(tweet_ids, TYPES, datetime(2015, 6, 1, tzinfo=UTC), (30 + 31 + 31 + 14) * 24)
    assert found[:, late].sum() == 0
    assert found[:, TYPES.index("url_clicks")].sum() > 0
    assert World().lifetime(tweet_ids, ["favorites"]).sum() > 0


def test_counts_look_like_life():
    world = World(now=NOW)
    found = world.counts([t.tweet_id for t in tweets("harborbooks")[120:300]], TYPES, NOW - timedelta(days=90), 90 * 24)
    of_type = dict(zip(TYPES, found.sum(axis=(0, 2)).tolist(), strict=True))
    of_tweet = np.sort(found[:, TYPES.index("impressions")].sum(axis=1))
    assert of_type["impressions"] > 10 * of_type["engagements"] > 20 * of_type["favorites"] > 0
    assert of_type["engagements"] != sum(of_type.values()) - of_type["impressions"] - of_type["engagements"]
    assert (found == 0).mean() > 0.9
    assert of_tweet[-1] > 5 * np.median(of_tweet)
    assert (of_tweet > 0).all()


def test_a_tweet_of_years_keeps_a_faint_tail():
    old = [t.tweet_id for t in World(now=NOW).tweets() if NOW - t.created > timedelta(days=400)]
    recent = World().counts(old, ["impressions"], NOW - timedelta(days=28), 28 * 24)
    assert 0 < recent.sum() < 100 * len(old)


@pytest.mark.parametrize("settle_hours", [0, 72])
def test_a_lifetime_is_the_sum_of_all_hours_shown(settle_hours):
    world = World(now=NOW, settle_hours=settle_hours)
    for tweet in (healthy(place=5), healthy(place=200), healthy(place=-60)):
        hours = int((NOW - tweet.created) / HOUR) + 1
        every_hour = world.shown([tweet.tweet_id], TYPES, NOW - (hours + 1) * HOUR, hours + 1)
        assert world.lifetime([tweet.tweet_id], TYPES)[0].tolist() == every_hour[0].sum(axis=1).tolist()


def test_no_count_is_outside_the_living_hours():
    tweet = healthy(place=-40)
    created = tweet.created.replace(minute=0, second=0, microsecond=0)
    first = int(created.timestamp()) // 3600
    every_hour = np.arange(first - 24, first + 24 * 365, dtype=np.int64)
    dead = np.setdiff1d(every_hour, living_hours(tweet.tweet_id, first + 24 * 365))
    assert counts(1, [tweet.tweet_id], TYPES, dead).sum() == 0


def test_young_hours_grow_until_they_are_settled():
    tweet = tweets("harborbooks")[30]
    hour = tweet.created.replace(minute=0, second=0, microsecond=0) + 3 * HOUR
    world = World(now=NOW, settle_hours=48)
    seen = []
    for age in (1, 12, 24, 47, 48, 500):
        world.fixed_now = hour + age * HOUR
        seen.append(int(world.shown([tweet.tweet_id], ["impressions"], hour, 1)[0, 0, 0]))
    final = world.count(tweet.tweet_id, "impressions", hour)
    assert seen == sorted(seen)
    assert 0.6 * final < seen[0] < final
    assert seen[-2:] == [final, final]


def test_a_naive_now_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        World(now=datetime(2026, 1, 1))  # noqa: DTZ001  the mistake under test


def test_the_roster_lists_every_tweet_and_its_state(tmp_path):
    world = World(now=NOW)
    world.write_roster(tmp_path / "new" / "tweets.csv")
    header, *lines = (tmp_path / "new" / "tweets.csv").read_text().splitlines()
    assert header == "tweet_id,handle,state"
    assert lines == [f"{t.tweet_id},{t.handle},{t.state}" for t in world.tweets()]
    assert Counter(line.rsplit(",", 1)[1] for line in lines).keys() == {"ok", "deleted", "protected"}


def test_the_roster_can_list_foreign_tweets_without_a_handle(tmp_path):
    world = World(now=NOW)
    world.write_roster(tmp_path / "tweets.csv", foreign=True)
    rows = [line.split(",") for line in (tmp_path / "tweets.csv").read_text().splitlines()[1:]]
    assert [int(row[0]) for row in rows] == sorted(t.tweet_id for t in (*world.tweets(), *world.foreign_tweets()))
    assert {int(row[0]) for row in rows if not row[1]} == {tweet.tweet_id for tweet in world.foreign_tweets()}
    assert {row[1] for row in rows} == {*HANDLE_NAMES, ""}


def test_accounts_are_valid_toml_for_the_owner_alone(tmp_path):
    credentials = Credentials.from_seed(1)
    path = tmp_path / "new" / "accounts.toml"
    credentials.write_accounts(path)
    written = tomllib.loads(path.read_text())
    assert path.stat().st_mode & 0o777 == 0o600
    keys = {"consumer_key", "consumer_secret", "bearer_token", "client_id", "client_secret"}
    assert written["app"].keys() == keys
    assert list(written["accounts"]) == HANDLE_NAMES
    assert written["accounts"]["tidalcoffee"] == {
        "access_token": credentials.tokens["tidalcoffee"].key,
        "access_token_secret": credentials.tokens["tidalcoffee"].secret,
    }
    assert [item.name for item in path.parent.iterdir()] == ["accounts.toml"]


def test_credentials_outlive_a_restart_and_do_not_print():
    assert Credentials.from_seed(1) == Credentials.from_seed(1) != Credentials.from_seed(2)
    shown = repr(Credentials.from_seed(1))
    assert Credentials.from_seed(1).consumer_secret not in shown
    assert Credentials.from_seed(1).tokens["harborbooks"].secret not in shown


def test_a_path_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"^cannot write .*tweets\.csv"):
        World(now=NOW).write_roster(tmp_path / "file" / "tweets.csv")


def test_the_package_imports_nothing_else_of_the_project():
    program = (
        "import sys, engagement_pipeline; before = set(sys.modules); import engagement_pipeline.emulator;"
        "ours = {m for m in set(sys.modules) - before if m.startswith('engagement_pipeline.')};"
        "print(sorted(m for m in ours if not m.startswith('engagement_pipeline.emulator')),"
        "sorted({'dagster', 'pandas', 'pyarrow', 'duckdb'} & set(sys.modules)))"
    )
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == "[] []"
