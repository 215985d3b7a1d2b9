"""Timelines become rows of the roster: what is read and kept, and what it costs, on the emulator of X API v2."""

import json

import pytest
from filelock import FileLock, Timeout
from truth import NOW

from engagement_pipeline.core.erased import Erased
from engagement_pipeline.core.errors import InputError, RefusedError, ResponseError
from engagement_pipeline.core.posts import Post
from engagement_pipeline.emulator.v2 import problems
from engagement_pipeline.emulator.world import HANDLES
from engagement_pipeline.extract import roster, roster_sync, roster_synced
from engagement_pipeline.extract.roster_synced import ARCHIVE
from engagement_pipeline.lake import forgotten, request_log, shapes
from engagement_pipeline.lake.forgotten import Forgotten
from engagement_pipeline.lake.layout import PULL_LOCK, Lake
from engagement_pipeline.publish.erasure_search import search
from engagement_pipeline.transport import accounts
from engagement_pipeline.transport.client import Client

HANDLE = HANDLES[0].name
NOTHING = Forgotten(key=b"key")
REACH = 150  # Posts, so that a timeline has two pages


@pytest.fixture
def settings(world):
    """Settings for a roster that is empty, and timelines that are quick to read."""
    world.emulator.v2.faults.set(timeline_reach=REACH)
    world.roster.unlink()
    return world.settings(tries="1")


def sync(settings, *handles):
    known = accounts.load(settings.accounts)
    return roster_sync.sync(settings, known, roster_sync.estimates(settings, known, handles or (HANDLE,)))


def estimate(settings, *handles):
    return roster_sync.estimates(settings, accounts.load(settings.accounts), handles)


def rows(settings, handle=HANDLE):
    return roster_synced.known(settings.tweets, handle)


def owned(world, number, *, states=("ok", "protected")):
    """Return the IDs of the newest Tweets of the handle that it sees itself."""
    found = [t for t in world.emulator.world.tweets() if t.handle == HANDLE and t.state in states and t.created <= NOW]
    return [t.tweet_id for t in found][-number:]


def test_a_first_sync_finds_what_the_timeline_shows_without_reposts(settings, world):
    (merged,) = sync(settings).merged
    found = rows(settings)
    assert set(found) == set(owned(world, len(found)))
    assert REACH * 0.8 < merged.new == len(found) < REACH
    assert {row["kind"] for row in found.values()} == {"post", "reply", "quote"}
    assert {"photo", "video"} <= {row["media_kinds"] for row in found.values()}
    assert {row["found_in"] for row in found.values()} == {"timeline"}


def test_what_is_found_is_a_roster_without_a_file_of_the_user(settings):
    sync(settings)
    loaded = roster.load(settings.tweets, handles=accounts.load(settings.accounts).by_handle)
    assert {tweet.handle for tweet in loaded.tweets} == {HANDLE}
    assert {"text", "lang", "kind", "links", "media_keys", "created_at"} <= {*loaded.table.column_names}


@pytest.mark.parametrize("spelling", ["post", "tweet", "both"])
def test_each_spelling_of_the_api_finds_the_same_and_is_no_news(settings, world, spelling):
    world.emulator.v2.faults.set(spelling=spelling, timeline_reach=30)
    assert not sync(settings).failures
    assert {row["kind"] for row in rows(settings).values()} == {"post", "reply", "quote"}
    assert news(settings) == {}


def news(settings):
    return {seen.meaning: seen for seen in shapes.load(Lake(settings.data).storage)}


def test_what_a_timeline_sends_that_is_not_documented_is_news_with_the_posts_of_its_page(settings, world):
    world.emulator.v2.faults.set(unknown_keys=1, unknown_headers=1, timeline_reach=10)
    sync(settings)
    found = news(settings)
    assert {*found} == {
        "/user now sends key `reach_class` in $.data; nothing reads it",
        "/user now sends key `request_trace` in $; nothing reads it",
        "/user now sends header `x-rate-limit-burst`; nothing reads it",
        "/timeline now sends key `reach_class` in $.data[]; nothing reads it",
        "/timeline now sends key `request_trace` in $; nothing reads it",
        "/timeline now sends header `x-rate-limit-burst`; nothing reads it",
    }
    of_page = found["/timeline now sends key `reach_class` in $.data[]; nothing reads it"]
    assert set(of_page.tweet_ids) >= {*rows(settings)}
    assert of_page.example == "b"
    assert found["/user now sends key `request_trace` in $; nothing reads it"].tweet_ids == ()


def test_new_words_of_a_refused_timeline_are_news(settings, world, monkeypatch):
    refusal = {"title": "Quota", "type": "about:quota", "status": 401, "detail": "…"}
    monkeypatch.setattr(problems, "blank", lambda status, _: problems.Problem(status, refusal))
    world.emulator.v2.faults.set(revoked_handles=[HANDLE])
    sync(settings)
    assert [*news(settings)] == ["/user now says in $.type: about:quota; this program does not know the words"]


def test_a_later_sync_asks_for_what_is_newer_than_the_newest_known(settings, world):
    newest = owned(world, 4)
    roster_synced.merge(settings.tweets, HANDLE, [Post(tweet_id=newest[0])], found_in=ARCHIVE, gone=NOTHING)
    (merged,) = sync(settings).merged
    assert merged.new == 3
    assert set(rows(settings)) == set(newest)


@pytest.mark.parametrize("found_in", [roster_synced.EXPORT, roster_synced.PART])
def test_what_may_have_gaps_before_it_does_not_shorten_a_sync(settings, world, found_in):
    world.emulator.v2.faults.set(timeline_reach=30)
    (newest,) = owned(world, 1)
    roster_synced.merge(settings.tweets, HANDLE, [Post(tweet_id=newest)], found_in=found_in, gone=NOTHING)
    sync(settings)
    assert len(rows(settings)) > 20


def test_a_timeline_that_shrinks_takes_nothing_away(settings, world):
    world.emulator.v2.faults.set(timeline_reach=30)
    sync(settings)
    before = rows(settings)
    world.emulator.v2.faults.set(vanished_tweet_ids=[max(before)], timeline_reach=10)
    assert not sync(settings).failures
    assert rows(settings) == before


def test_a_page_that_comes_again_does_no_harm(settings, world):
    world.emulator.v2.faults.set(repeated_pages=2)
    assert not sync(settings).failures
    assert set(rows(settings)) == set(owned(world, len(rows(settings))))
    assert len(rows(settings)) > REACH * 0.8


def test_pages_that_lead_to_themselves_without_an_end_fail_and_what_came_is_kept(settings, world):
    world.emulator.v2.faults.set(repeated_pages=1)
    failures = sync(settings).failures
    assert isinstance(failures[HANDLE], ResponseError)
    assert "repeats a page without an end" in str(failures[HANDLE])
    assert {row["found_in"] for row in rows(settings).values()} == {"part of a timeline"}


def test_tokens_of_another_user_are_told_before_a_post_is_read(settings, world):
    first, second = (f"accounts.{handle.name}]" for handle in HANDLES[:2])
    text = (
        settings.accounts.read_text(encoding="utf-8").replace(first, "x]").replace(second, first).replace("x]", second)
    )
    settings.accounts.write_text(text, encoding="utf-8")
    failures = sync(settings).failures
    assert isinstance(failures[HANDLE], InputError)
    assert f"the tokens of {HANDLE} are of user id {HANDLES[1].author_id}" in str(failures[HANDLE])
    assert [request.path for request in world.emulator.v2.requests] == [f"/2/users/by/username/{HANDLE}"]


def test_what_one_account_fails_with_does_not_stop_the_next(settings, world):
    world.emulator.v2.faults.set(revoked_handles=[HANDLE], timeline_reach=10)
    synced = sync(settings, HANDLE, HANDLES[1].name)
    assert [*synced.failures] == [HANDLE]
    assert [merged.handle for merged in synced.merged] == [HANDLES[1].name]


def test_a_refusal_that_is_not_of_the_spelling_is_told(settings, world):
    world.emulator.v2.faults.set(usage_capped=True)
    assert isinstance(sync(settings).failures[HANDLE], RefusedError)


def test_a_first_sync_may_read_a_whole_timeline(settings):
    (told,) = estimate(settings, HANDLE)
    assert (told.since, told.likely, told.most) == (None, 3_200, 3_200)


def test_a_later_sync_reads_as_many_as_the_pace_of_the_last_28_days_says(settings, world):
    known = owned(world, 1_000, states=("ok",))[:-30]
    roster_synced.merge(
        settings.tweets, HANDLE, [Post(tweet_id=each) for each in known], found_in=roster_synced.TIMELINE, gone=NOTHING
    )
    (told,) = estimate(settings, HANDLE)
    assert told.since == known[-1]
    assert 20 < told.likely < 45


def test_all_accounts_are_meant_where_none_is_named(settings):
    assert [told.handle for told in estimate(settings)] == sorted(handle.name for handle in HANDLES)


def test_a_handle_that_is_named_twice_is_read_once(settings):
    assert [told.handle for told in estimate(settings, HANDLE, HANDLE)] == [HANDLE]


def test_a_handle_without_an_account_is_refused(settings):
    with pytest.raises(InputError, match="zoe is not in the accounts file: engagement authorize zoe adds it"):
        estimate(settings, "zoe")


def test_what_came_before_an_interruption_is_kept(settings, monkeypatch):
    answered = []

    def ask(client, request):
        if len(answered) == 2:  # the user ID and the first page
            raise KeyboardInterrupt
        answered.append(request)
        return whole(client, request)

    whole = Client.ask
    monkeypatch.setattr(Client, "ask", ask)
    with pytest.raises(KeyboardInterrupt):
        sync(settings)
    assert {row["found_in"] for row in rows(settings).values()} == {"part of a timeline"}
    assert 50 < len(rows(settings)) <= 100


def test_a_tweet_that_is_forgotten_is_left_out(settings, world):
    *_, gone, _ = owned(world, 3, states=("ok",))
    lake = Lake(settings.data)
    lake.open()
    forgotten.save(lake, forgotten.load(lake).begun([gone]))
    (merged,) = sync(settings).merged
    assert (merged.left_out, gone in rows(settings)) == (1, False)
    (log,) = lake.requests.iterdir()
    assert str(gone) not in log.read_text(encoding="utf-8")
    assert request_log.used([lake], NOW).posts_read == len(rows(settings)) + 1


def test_no_news_tells_of_a_tweet_that_is_forgotten(settings, world):
    world.emulator.v2.faults.set(unknown_keys=1, timeline_reach=3)
    *_, gone, _ = owned(world, 3, states=("ok",))
    lake = Lake(settings.data)
    lake.open()
    forgotten.save(lake, forgotten.load(lake).begun([gone]))
    sync(settings)
    assert "reach_class" in str(news(settings))
    assert search(lake, Erased(frozenset([gone]))).holding == ("forgotten.json",)


def test_each_request_is_in_the_log_with_the_posts_that_it_read(settings, world):
    sync(settings)
    asked = [
        json.loads(line)
        for log in Lake(settings.data).requests.iterdir()
        for line in log.read_text(encoding="utf-8").splitlines()
    ]
    assert [line["endpoint"] for line in asked] == ["user", *["timeline"] * (len(world.emulator.v2.requests) - 1)]
    assert {line["handle"] for line in asked} == {HANDLE}
    assert {int(tweet) for line in asked for tweet in line["tweet_ids"]} >= set(rows(settings))
    assert [line["posts"] for line in asked] == [len(line["tweet_ids"]) for line in asked]


def test_a_sync_takes_its_turn_with_pulls_of_the_same_app(settings, monkeypatch):
    held = []

    def ask(client, request):
        with pytest.raises(Timeout):
            FileLock(f"{settings.accounts}.lock").acquire(timeout=0)
        held.append(Lake(settings.data).storage.busy(PULL_LOCK))
        return whole(client, request)

    whole = Client.ask
    monkeypatch.setattr(Client, "ask", ask)
    sync(settings)
    assert held
    assert all(held)
