"""Checking accounts: one cheap request each tells whether it works, and whose its tokens are."""

from datetime import date

import pytest

from engagement_pipeline import pipeline, pulling
from engagement_pipeline.emulator import HANDLES
from engagement_pipeline.extract.prepare import prepare

NAMES = [handle.name for handle in HANDLES]


def checked(world, **changes):
    """Return what was found by handle."""
    return {finding.handle: finding for finding in pulling.check_accounts(world.settings(**changes))}


@pytest.fixture
def failed_check(in_world, failed):
    """Return a function that runs a check which fails, and gives its one line."""
    return lambda: failed("check")[1]


def test_each_account_is_tried_with_one_request_for_one_tweet(world):
    found = checked(world)
    assert {name: finding.works for name, finding in found.items()} == dict.fromkeys(NAMES, True)
    assert [(r.endpoint, r.handle, len(r.tweet_ids)) for r in world.emulator.requests] == [
        ("28hr", name, 1) for name in NAMES
    ]


def test_what_works_is_told_with_its_types_and_its_user(world):
    (newest,) = world.tweets("harborbooks", 1)
    user = world.emulator.credentials.tokens["harborbooks"].key.partition("-")[0]
    told = f"works, 17 types of /28hr; the tokens belong to user id {user}, who owns Tweet {newest}"
    assert checked(world)["harborbooks"].text == told


def test_tokens_of_another_handle_are_found_out(world):
    text = world.accounts.read_text().replace("accounts.lumenaudio", "accounts.x")
    text = text.replace("accounts.tidalcoffee", "accounts.lumenaudio").replace("accounts.x", "accounts.tidalcoffee")
    world.accounts.write_text(text)
    found = checked(world)
    assert {name: finding.works for name, finding in found.items()} == {
        "harborbooks": True,
        "lumenaudio": False,
        "tidalcoffee": False,
    }
    user = world.emulator.credentials.tokens["tidalcoffee"].key.partition("-")[0]
    told = f"the tokens belong to user id {user} (they look like tidalcoffee's), who may not see Tweet "
    assert found["lumenaudio"].text.startswith(told)


def test_tokens_that_stand_under_two_handles_are_told_by_the_one_whose_they_are(world):
    tokens = world.emulator.credentials.tokens
    text = world.accounts.read_text().replace(tokens["lumenaudio"].key, tokens["harborbooks"].key)
    world.accounts.write_text(text.replace(tokens["lumenaudio"].secret, tokens["harborbooks"].secret))
    assert "(they look like harborbooks's), who may not see" in checked(world)["lumenaudio"].text
    world.follow({"lumenaudio": world.tweets("lumenaudio", 2)})
    assert "(they look like harborbooks's), who may not see" in checked(world)["lumenaudio"].text


@pytest.mark.parametrize(
    ("dials", "words"),
    [
        ({"revoked_handles": ["lumenaudio"]}, "the API answered 401 (Your account could not be authenticated"),
        ({"app_not_approved": True}, "have the vendor approve the app for the Engagement API"),
    ],
)
def test_an_account_that_is_not_let_in_is_told_with_the_remedy(world, dials, words):
    world.emulator.faults.set(**dials)
    finding = checked(world)["lumenaudio"]
    assert not finding.works
    assert words in finding.text


def test_the_bearer_token_is_tried_where_the_roster_has_tweets_of_others(world):
    foreign = [tweet.tweet_id for tweet in world.emulator.world.foreign_tweets() if tweet.state == "ok"][:2]
    world.follow({"harborbooks": world.tweets("harborbooks", 1), "": foreign})
    found = checked(world)
    assert (found[""].works, found[""].text) == (True, "works, 4 of 5 types of /totals (not video_views)")


def test_an_account_without_a_tweet_is_not_tried_and_no_failure(in_world, engagement):
    world = in_world
    world.follow({"harborbooks": world.tweets("harborbooks", 1)})
    code, out, errors = engagement("check")
    assert (code, errors) == (0, [])
    assert "lumenaudio       not tried: the roster has no Tweet of this handle\n" in out
    assert [request.handle for request in world.emulator.requests] == ["harborbooks"]


def test_a_tweet_that_is_gone_does_not_tell_whose_the_tokens_are(world):
    (gone,) = world.tweets("harborbooks", 1, state="deleted")
    world.follow({"harborbooks": [gone]})
    finding = checked(world)["harborbooks"]
    assert finding.works
    assert finding.text.startswith(f"is let in; Tweet {gone} is unavailable; the tokens belong to user id ")
    assert finding.text.endswith(", but nothing shows who owns these Tweets")


@pytest.mark.parametrize("state", ["protected", "deleted"])
def test_where_the_newest_tweet_tells_nothing_another_is_tried(world, state):
    (healthy,) = world.tweets("harborbooks", 200)[:1]
    (newer,) = world.tweets("harborbooks", 1, state=state)
    assert newer > healthy
    world.follow({"harborbooks": [healthy, newer]})
    finding = checked(world)["harborbooks"]
    word = {"protected": "protected", "deleted": "unavailable"}[state]
    assert finding.works
    assert finding.text.endswith(f", who owns Tweet {healthy}; Tweet {newer} is {word}")


def test_an_account_whose_tweets_are_all_protected_is_let_in_and_costs_few_requests(world):
    world.follow({"harborbooks": world.tweets("harborbooks", 4, state="protected")})
    finding = checked(world)["harborbooks"]
    assert finding.works
    assert finding.text.count(" are protected;") == 1
    assert len(world.emulator.requests) == 3


def test_a_tweet_under_a_wrong_handle_makes_no_account_a_broken_one(world):
    (mine,) = world.tweets("harborbooks", 200)[:1]
    (foreign,) = world.tweets("lumenaudio", 1)
    world.follow({"harborbooks": [mine, foreign]})
    finding = checked(world)["harborbooks"]
    assert finding.works
    assert finding.text.endswith(f"; Tweet {foreign} is forbidden to it, so correct the roster")


def test_a_tweet_that_is_set_aside_is_tried_last(world):
    (healthy,) = world.tweets("harborbooks", 200)[:1]
    world.follow({"harborbooks": [healthy, *world.tweets("harborbooks", 1, state="protected")]})
    settings = world.settings(types="impressions")
    pipeline.run(settings, prepare(settings, date(2026, 1, 31), date(2026, 1, 31)))
    asked = len(world.emulator.requests)
    assert checked(world)["harborbooks"].works
    assert [request.tweet_ids for request in world.emulator.requests[asked:]] == [(healthy,)]


def test_types_that_an_old_tweet_has_none_of_are_not_said_to_work(world):
    old = [t.tweet_id for t in world.emulator.world.tweets() if t.handle == "harborbooks" and t.state == "ok"][:1]
    world.follow({"harborbooks": old})
    assert checked(world)["harborbooks"].text.startswith("works, 16 of 17 types of /28hr (not video_views); ")


def test_types_of_totals_alone_are_tried_there(world):
    found = checked(world, types="quote_tweets")
    assert {finding.works for finding in found.values()} == {True}
    assert found["harborbooks"].text.startswith("works, 1 type of /totals; ")


def test_a_bearer_token_that_the_chosen_types_do_not_need_is_not_tried(world):
    foreign = [tweet.tweet_id for tweet in world.emulator.world.foreign_tweets() if tweet.state == "ok"][:2]
    world.follow({"harborbooks": world.tweets("harborbooks", 1), "": foreign})
    found = checked(world, types="impressions")
    assert found["harborbooks"].works
    assert (found[""].works, found[""].text[:63]) == (
        None,
        "not tried: none of the setting types is public: favorites, quot",
    )


def test_the_bearer_token_is_no_account(world, failed_check):
    foreign = [tweet.tweet_id for tweet in world.emulator.world.foreign_tweets() if tweet.state == "ok"][:1]
    tokens = world.emulator.credentials
    world.follow({"harborbooks": world.tweets("harborbooks", 1), "": foreign})
    world.accounts.write_text(world.accounts.read_text().replace(tokens.bearer_token, "ABearerTokenOfAnotherApp"))
    assert failed_check() == "the bearer token cannot be used for a pull: see above"
    world.emulator.faults.set(revoked_handles=["harborbooks"])
    assert failed_check() == "1 of 3 accounts and the bearer token cannot be used for a pull: see above"
