"""What the Tweets of the world say and show: a pure function of the seed, of each kind that a timeline knows."""

from collections import Counter
from datetime import timedelta

import pytest
from emulator_client import NOW, tweets

from engagement_pipeline.emulator import HANDLES
from engagement_pipeline.emulator.content import content_of, reposts_of_day, tweet_of_media
from engagement_pipeline.emulator.world import STRANGER

SAID = [(tweet, content_of(1, tweet)) for tweet in tweets("harborbooks")]


def test_every_kind_of_content_is_there():
    kinds = Counter(said.reference for _, said in SAID)
    shown = Counter(media.kind for _, said in SAID for media in said.media)
    assert min(kinds[None], kinds["replied_to"], kinds["quoted"]) > 5
    assert min(shown["photo"], shown["video"], shown["animated_gif"]) > 5
    assert len({said.lang for _, said in SAID}) >= 4
    assert any(said.links for _, said in SAID)
    assert any(len(said.media) > 1 for _, said in SAID)


def test_a_tweet_has_a_video_if_and_only_if_its_video_is_counted():
    for tweet, said in SAID:
        assert tweet.has_video == ([media.kind for media in said.media] == ["video"])


def test_a_text_holds_its_hashtags_links_and_whom_it_answers_and_fits():
    for _, said in SAID:
        assert len(said.text) <= 280
        parts = [*(f"#{tag}" for tag in said.hashtags), *(short for short, _ in said.links), said.media_link]
        assert all(part in said.text for part in parts)
        if said.reference == "replied_to":
            assert said.text.startswith(f"@{said.referenced.handle} ")


def test_what_a_tweet_refers_to_is_older():
    assert all(said.referenced.created < tweet.created for tweet, said in SAID if said.referenced)


def test_another_seed_says_something_else():
    tweet = SAID[0][0]
    assert content_of(1, tweet) == content_of(1, tweet)
    assert any(content_of(2, tweet).text != said.text for tweet, said in SAID[:5])


@pytest.mark.parametrize("kind", ["photo", "video", "animated_gif"])
def test_a_media_key_leads_to_its_tweet(kind):
    found = [(tweet, media) for tweet, said in SAID for media in said.media if media.kind == kind]
    assert found
    assert all(tweet_of_media(1, media.key) == tweet for tweet, media in found)


@pytest.mark.parametrize("key", ["7_12", "3_1", f"7_{2**63}", f"7_{2**62}"])
def test_a_key_that_no_media_has_leads_nowhere(key):
    assert tweet_of_media(1, key) is None


def test_a_repost_has_an_id_of_its_own_and_shows_a_tweet_of_the_stranger():
    days = [NOW.date() - timedelta(days=age) for age in range(60)]
    found = [repost for day in days for repost in reposts_of_day(1, HANDLES[0], day)]
    assert 5 < len(found) < 40
    for repost in found:
        assert repost.content.referenced.handle == STRANGER.name
        assert repost.content.text.startswith(f"RT @{STRANGER.name}: ")
        assert repost.tweet.tweet_id != repost.content.referenced.tweet_id
