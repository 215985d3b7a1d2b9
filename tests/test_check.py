"""Checking accounts: one cheap request each tells whether it works, and whose its tokens are."""

import pytest

from engagement_pipeline import pipeline
from engagement_pipeline.emulator import HANDLES

NAMES = [handle.name for handle in HANDLES]


def checked(world):
    """Return what was found by handle."""
    return {finding.handle: finding for finding in pipeline.check(world.settings())}


def test_each_account_is_tried_with_one_request_for_one_tweet(world):
    found = checked(world)
    assert {name: finding.works for name, finding in found.items()} == dict.fromkeys(NAMES, True)
    assert [(r.endpoint, r.handle, len(r.tweet_ids)) for r in world.emulator.requests] == [
        ("28hr", name, 1) for name in NAMES
    ]


def test_what_works_is_told_with_its_types_and_its_user(world):
    (newest,) = world.tweets("harborbooks", 1)
    user = world.emulator.credentials.tokens["harborbooks"].key.partition("-")[0]
    told = f"works, 17 types of /28hr; the tokens are of user id {user}, who owns Tweet {newest}"
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
    assert found["lumenaudio"].text.startswith(f"the tokens are of user id {user}, who may not see Tweet ")


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
    assert (found[""].works, found[""].text) == (True, "works, 5 types of /totals")


def test_an_account_without_a_tweet_is_not_tried_and_said_so(world):
    world.follow({"harborbooks": world.tweets("harborbooks", 1)})
    finding = checked(world)["lumenaudio"]
    assert (finding.works, finding.text) == (False, "not tried: the roster holds no Tweet of this handle")
    assert [request.handle for request in world.emulator.requests] == ["harborbooks"]


def test_a_tweet_that_is_gone_does_not_tell_whose_the_tokens_are(world):
    world.follow({"harborbooks": world.tweets("harborbooks", 1, state="deleted")})
    finding = checked(world)["harborbooks"]
    assert finding.works
    assert finding.text.endswith("is unavailable, so it is not known whether the tokens are its owner's")
