"""GET /2/media/analytics: the videos of the world, by media key."""

import pytest
from emulator_client import NOW, tweets
from v2_client import DAY, PROBLEM, get, get_with, series

from engagement_pipeline.emulator.content import content_of
from engagement_pipeline.emulator.v2.metrics import OF_VIDEO_VIEWS

PATH = "/2/media/analytics"
OLD_ENOUGH = [tweet for tweet in tweets("harborbooks") if tweet.created.day < 10 or tweet.created.month < 3]
VIDEO = next(tweet for tweet in OLD_ENOUGH if tweet.has_video)
KEY = content_of(1, VIDEO).media[0].key
PHOTO = next(
    content_of(1, tweet).media[0].key
    for tweet in OLD_ENOUGH
    if content_of(1, tweet).media and not tweet.has_video and content_of(1, tweet).media[0].kind == "photo"
)


def query(*keys, fields="video_views,playback_complete", **changes):
    params = {"media_keys": ",".join(keys or [KEY]), "media_analytics.fields": fields} | DAY | changes
    return {name: value for name, value in params.items() if value is not None}


def test_the_views_of_an_hour_are_those_of_its_tweet(emulator):
    answer = get(emulator, PATH, query(granularity="hourly"))
    views = emulator.world.counts([VIDEO.tweet_id], ["video_views"], NOW.replace(day=10, hour=0), 24)[0, 0]
    assert [*series(answer, "video_views").values()] == views.tolist()
    assert answer.json()["data"][0]["media_key"] == KEY


def test_days_are_the_default(emulator):
    assert list(series(get(emulator, PATH, query()), "video_views")) == ["2026-03-10T00:00:00Z"]


def test_a_total_stands_flat_beside_the_key(emulator):
    (total,) = get(emulator, PATH, query(granularity="total")).json()["data"]
    assert total["video_views"] == sum(series(get(emulator, PATH, query()), "video_views").values())


def test_all_metrics_can_be_asked_for_and_fewer_see_the_end_than_the_start(emulator):
    answer = get(emulator, PATH, query(fields=",".join(OF_VIDEO_VIEWS), granularity="total"))
    (total,) = answer.json()["data"]
    names = ("playback_start", "video_views", "playback25", "playback50", "playback75", "playback_complete")
    assert [total[name] for name in names] == sorted((total[name] for name in names), reverse=True)
    assert set(OF_VIDEO_VIEWS) <= total.keys()


def test_counts_can_be_text(emulator):
    emulator.v2.faults.set(text_counts=1)
    assert all(isinstance(count, str) for count in series(get(emulator, PATH, query()), "video_views").values())


def test_what_is_not_served_is_an_error_beside_the_rest(emulator):
    other = next(tweet for tweet in tweets("lumenaudio") if tweet.has_video)
    keys = ["7_12", content_of(1, other).media[0].key, PHOTO, KEY]
    body = get(emulator, PATH, query(*keys)).json()
    assert [media["media_key"] for media in body["data"]] == [KEY]
    told = [
        (error["type"].removeprefix(PROBLEM), error["resource_type"], error["resource_id"]) for error in body["errors"]
    ]
    assert told == [
        ("resource-not-found", "media", keys[0]),
        ("not-authorized-for-resource", "media", keys[1]),
        ("resource-unavailable", "media", keys[2]),
    ]


@pytest.mark.parametrize(
    ("changes", "parameter"),
    [
        ({"media_keys": None}, "media_keys"),
        ({"media_keys": "7"}, "media_keys"),
        ({"media_keys": ",".join(f"7_{number}" for number in range(101))}, "media_keys"),
        ({"granularity": "weekly"}, "granularity"),
        ({"media_analytics.fields": "impressions"}, "media_analytics.fields"),
        ({"start_time": None}, "start_time"),
    ],
)
def test_a_broken_rule_of_the_parameters_is_named(emulator, changes, parameter):
    answer = get(emulator, PATH, query(**changes))
    assert answer.status_code == 400
    assert list(answer.json()["errors"][0]["parameters"]) == [parameter]


def test_the_app_alone_is_not_served(emulator):
    assert get_with(emulator, emulator.credentials.bearer_token, PATH, query()).status_code == 403
