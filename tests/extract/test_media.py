"""The media of the roster: what is asked for, by whom, and what is not."""

import rosters

from engagement_pipeline.core.endpoints import MEDIA
from engagement_pipeline.core.model import Tweet
from engagement_pipeline.extract import media, planner, roster


def of(tmp_path, text):
    rosters.write(tmp_path / "roster.csv", text)
    return media.of_roster(roster.load(str(tmp_path / "*.csv"), handles=rosters.HANDLES))


def keys(found):
    return [(tweet.tweet_id, tweet.handle, tweet.key) for tweet in found]


def test_each_video_is_asked_for_by_its_tweet_s_handle_and_photos_are_not(tmp_path):
    found = of(tmp_path, "tweet_id,handle,media_keys\n1,a,7_50 3_51\n2,b,16_40\n3,a,\n")
    assert keys(found) == [(40, "b", "16_40"), (50, "a", "7_50")]


def test_media_of_several_tweets_are_asked_for_once_by_the_handle_of_the_oldest(tmp_path):
    assert keys(of(tmp_path, "tweet_id,handle,media_keys\n2,a,7_50\n1,b,7_50\n")) == [(50, "b", "7_50")]


def test_nobody_is_asked_for_the_media_of_others(tmp_path):
    assert of(tmp_path, "tweet_id,handle,media_keys\n1,,7_50\n") == ()


def test_a_roster_without_keys_has_no_media(tmp_path):
    assert of(tmp_path, "tweet_id,handle\n1,a\n") == ()


def test_a_plan_keeps_the_keys_however_often_it_is_made_anew():
    planned = planner.plan([Tweet(number, "a", f"7_{number}") for number in range(1, 151)], MEDIA, types=MEDIA.types)
    again = planner.plan(planned.tweets, MEDIA, types=MEDIA.types)
    assert again.requests == planned.requests
    assert [request.keys for request in again.requests] == [request.keys for request in planned.requests]
    assert [len(request.keys) for request in again.requests] == [100, 50]
