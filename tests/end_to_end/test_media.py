"""Media of Tweets: what the roster names is asked for, stored by its key, made anew from raw, and forgotten."""

import os
from datetime import timedelta

import forks
import pytest
from kills import DIE_AT_FILE
from truth import NOW

from engagement_pipeline import forgetting, pipeline
from engagement_pipeline.core.endpoints import ANALYTICS, HISTORICAL, MEDIA
from engagement_pipeline.core.erased import Erased
from engagement_pipeline.core.media_keys import number_of
from engagement_pipeline.core.tables import ENGAGEMENTS
from engagement_pipeline.emulator.content import content_of
from engagement_pipeline.emulator.v2 import metrics
from engagement_pipeline.explain import Cell, explain
from engagement_pipeline.extract.prepare import prepare, prepare_sources
from engagement_pipeline.lake import raw, shapes
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.lake.parquet import read
from engagement_pipeline.observe import status
from engagement_pipeline.publish.erasure_search import search

HANDLE = "harborbooks"
WINDOW_START = NOW - timedelta(days=28)
TYPES = "impressions,video_views,watch_time_ms"


def shown(world, *, kind, state="ok", number=1):
    """Return the media keys of the newest Tweets of the handle with media of a kind, by Tweet."""
    emulated = world.emulator.world
    found = {}
    for tweet in reversed(emulated.tweets()):
        keys = [each.key for each in content_of(emulated.seed, tweet).media if each.kind == kind]
        if keys and (tweet.handle, tweet.state) == (HANDLE, state) and tweet.created < WINDOW_START:
            found[tweet.tweet_id] = keys
        if len(found) == number:
            return found
    raise AssertionError(found)


def follow(world, keys_by_tweet):
    rows = [f"{tweet},{HANDLE},{' '.join(keys)}\n" for tweet, keys in keys_by_tweet.items()]
    world.roster.write_text("tweet_id,handle,media_keys\n" + "".join(rows))


@pytest.fixture
def videos(world):
    """The keys of two videos by their Tweets."""
    return shown(world, kind="video", number=2)


@pytest.fixture
def chosen(world, videos):
    """Two Tweets with a video each, one with pictures, and one with a video that is gone."""
    gone, photos = shown(world, kind="video", state="deleted"), shown(world, kind="photo")
    follow(world, videos | gone | photos)
    return world.settings(media="true", types=TYPES)


def pulled(chosen, *, days=1):
    last = chosen.last_whole_day()
    prepared = prepare_sources(chosen, last.replace(day=last.day - days + 1), last)
    return [pipeline.run_source(chosen, each) for each in prepared]


def of_media(chosen):
    return Lake(chosen.data).of(MEDIA.source)


def cells(lake, day):
    rows = read(lake, lake.rows(ENGAGEMENTS, day), ENGAGEMENTS).to_pylist()
    return {(row["tweet_id"], row["engagement_type"], row["hour"]): row["count"] for row in rows}


def numbers(keys_by_tweet):
    return {number_of(key) for keys in keys_by_tweet.values() for key in keys}


def test_a_pull_asks_for_media_where_the_setting_says_so(world):
    assert world.settings().hourly == (HISTORICAL,)
    assert world.settings(media="true", source="both").hourly == (HISTORICAL, ANALYTICS, MEDIA)


def test_the_counts_of_videos_are_stored_apart_from_those_of_tweets(chosen, world, videos):
    *_, outcome = pulled(chosen)
    assert outcome.failure is None
    (publication,) = outcome.publications
    assert (publication.requested, len(publication.stored), len(publication.set_aside)) == (3, 2, 1)
    day, found = chosen.last_whole_day(), cells(of_media(chosen), chosen.last_whole_day())
    assert {number for number, *_ in found} == numbers(videos)
    hours = metrics.Hours(NOW.replace(day=day.day, month=day.month, hour=0), 24)
    for tweet, (key,) in videos.items():
        true = metrics.of_media(world.emulator.world, [tweet], ["video_views", "watch_time_ms"], hours)[0]
        for name, counts in zip(("video_views", "watch_time_ms"), true.tolist(), strict=True):
            assert [found.get((number_of(key), name, hour), 0) for hour in range(24)] == counts
    assert not {tweet for tweet, *_ in cells(Lake(chosen.data), day)} & numbers(videos)


def test_pictures_cost_no_request(world):
    follow(world, shown(world, kind="photo"))
    chosen = world.settings(media="true")
    last = chosen.last_whole_day()
    assert prepare(chosen, last, last, endpoint=MEDIA).requests == 0


def test_a_roster_without_media_keys_says_what_finds_them(world, caplog):
    chosen = world.settings(media="true")
    assert [outcome.failure for outcome in pulled(chosen)] == [None, None]
    assert "engagement roster sync finds the media keys" in caplog.text


def test_a_video_of_two_tweets_is_asked_for_once(world, videos):
    one, two = sorted(videos)
    follow(world, {one: videos[one], two: videos[one]})
    chosen = world.settings(media="true")
    last = chosen.last_whole_day()
    (planned,) = prepare(chosen, last, last, endpoint=MEDIA).plans
    assert [request.keys for request in planned.requests] == [{number_of(videos[one][0]): videos[one][0]}]


def test_the_lake_of_media_is_made_anew_from_raw_and_is_whole(chosen):
    pulled(chosen)
    lake, day = of_media(chosen), chosen.last_whole_day()
    before = cells(lake, day)
    lake.rows(ENGAGEMENTS, day).unlink()
    (finding,) = pipeline.examine(chosen, quick=False).findings
    assert finding.fix == f"engagement rebuild --table engagements --from {day} --to {day}"
    assert {each.endpoint for each in pipeline.rebuild(chosen)} == {HISTORICAL, MEDIA}
    assert cells(lake, day) == before
    assert pipeline.examine(chosen, quick=False).findings == ()


def test_a_second_pull_takes_up_what_changed_and_a_key_that_is_gone_rests(chosen):
    pulled(chosen)
    day = chosen.last_whole_day()
    planned = prepare(chosen, day, day, endpoint=MEDIA).plans[0]
    assert (len(planned.tweets), len(planned.left_out)) == (2, 1)
    *_, again = pulled(chosen)
    assert (again.failure, again.publications[0].revised) == (None, 0)


def test_a_plan_without_the_analytics_says_which_setting_leaves_them_out(chosen, world):
    world.emulator.v2.faults.set(client_not_enrolled=True)
    first, second = pulled(chosen)
    assert first.failure is None
    assert "set media to false" in str(second.failure)


def test_the_status_tells_the_pull_of_media_and_counts_no_media_as_tweets(chosen):
    pulled(chosen)
    standing = status.of_lake(Lake(chosen.data), now=chosen.current_time())
    assert [pull.endpoint for pull in standing.pulls] == ["historical", "media"]
    assert standing.set_aside == {"unavailable": 1}  # the Tweet; its video is of no Tweet more


def test_a_count_of_a_video_is_explained(chosen, videos):
    pulled(chosen)
    lake, day = of_media(chosen), chosen.last_whole_day()
    (number, name, hour), count = next(iter(cells(lake, day).items()))
    found = explain(lake, Cell(tweet_id=number, engagement_type=name, day=day, hour=hour))
    assert (found.count, found.origin.text) == (count, str(count))


@pytest.mark.parametrize(
    ("dial", "told"),
    [("text_counts", ""), ("unknown_keys", ""), ("null_counts", ""), ("off_hour_buckets", "on the hour")],
)
def test_whatever_is_unusual_in_an_answer_no_count_is_wrong(chosen, world, caplog, dial, told):
    pulled(chosen)
    true = cells(of_media(chosen), chosen.last_whole_day())
    world.emulator.v2.faults.set(**{dial: 1})
    other = world.settings(media="true", types=TYPES, data=f"{chosen.data}.other")
    *_, outcome = pulled(other)
    found = cells(of_media(other), chosen.last_whole_day())
    assert found.items() <= true.items()
    assert told in caplog.text + str(outcome.failure)
    assert bool(shapes.load(of_media(other).storage)) is (dial == "unknown_keys")
    assert bool(found) is (dial != "off_hour_buckets")


@pytest.mark.parametrize("file", ["engagements", "coverage"])
def test_a_pull_that_was_killed_while_it_was_published_asks_for_nothing_again(chosen, world, file):
    day = chosen.last_whole_day()
    command = ("pull", "--endpoint", "media", "--from", str(day), "--to", str(day))
    environment = os.environ | world.environment | {"ENGAGEMENT_TYPES": TYPES}
    assert forks.run(DIE_AT_FILE, f"day={day}/{file}.parquet", *command, environment=environment).code == 9
    asked = len(world.emulator.v2.requests)
    outcome = pipeline.run_source(chosen, prepare(chosen, day, day, endpoint=MEDIA))
    assert (outcome.failure, len(world.emulator.v2.requests)) == (None, asked)
    assert pipeline.examine(chosen, quick=False).findings == ()
    assert len(cells(of_media(chosen), day)) == 2 * 2 * 24


def test_with_a_tweet_its_video_is_forgotten_in_every_byte_and_neither_pull_nor_rebuild_brings_it_back(chosen, videos):
    pulled(chosen)
    home, day = Lake(chosen.data), chosen.last_whole_day()
    gone, stays = sorted(videos)
    erased = Erased(frozenset({gone, number_of(videos[gone][0])}))
    proof = forgetting.forget(chosen, [gone])
    assert (proof.searched.holding, proof.receipt.unread) == ((), ())
    for go_on in (lambda: pulled(chosen), lambda: pipeline.rebuild(chosen)):
        go_on()
        assert {number for number, *_ in cells(of_media(chosen), day)} == {number_of(videos[stays][0])}
        assert search(home, erased).holding == ()
    assert pipeline.examine(chosen, quick=False).findings == ()


def test_a_video_that_another_tweet_shows_too_stays(world, videos):
    gone, stays = sorted(videos)
    follow(world, {gone: videos[stays], stays: videos[stays]})
    chosen = world.settings(media="true", types=TYPES)
    pulled(chosen)
    forgetting.forget(chosen, [gone])
    assert {number for number, *_ in cells(of_media(chosen), chosen.last_whole_day())} == numbers({1: videos[stays]})
    (landed,) = next(iter(raw.all_pulls(of_media(chosen)))).landed()
    assert [*landed.request.keys.values()] == videos[stays]


def test_what_raw_keeps_of_a_request_names_its_media(chosen, videos):
    pulled(chosen)
    (pull,) = raw.all_pulls(of_media(chosen))
    (landed,) = pull.landed()
    assert {key for (key,) in videos.values()} < {*landed.request.keys.values()}
