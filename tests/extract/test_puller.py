"""Pulling a window: refusals, revoked accounts, bodies that do not add up, an API that is down, Ctrl-C, resuming."""

import errno
import json
import os
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from threading import Event, Semaphore

import pytest
from bodies import NEVER_STALE, TYPES, at, body, nothing
from scripted_api import ACCOUNTS, Answer, Clock, ScriptedApi, asking_of, error

from engagement_pipeline.core import model
from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.errors import (
    AccountError,
    LakeError,
    OutageError,
    PullError,
    RefusedError,
    UnavailableError,
)
from engagement_pipeline.core.model import Plan, Request, Window
from engagement_pipeline.extract import ownership, puller
from engagement_pipeline.lake import raw
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.transport import accounts
from engagement_pipeline.transport.accounts import Accounts

WINDOW = Window(date(2026, 1, 30), date(2026, 1, 31))
DOWN = error(503, "over capacity")
FINE = Answer(body=body({}))  # no rows, which add up
LOPSIDED = Answer(body=body({}, by_type={"impressions": "1"}))
GONE = error(400, "Tweet ID(s) are unavailable")
MANY = 200


def planned(tweets, *, size=25):
    """Return the plan of Tweets by handle, `size` a request."""
    requests = tuple(
        Request(endpoint=HISTORICAL, handle=handle, tweet_ids=tuple(ids[i : i + size]), window=WINDOW, types=TYPES)
        for handle, ids in tweets.items()
        for i in range(0, len(ids), size)
    )
    return Plan(endpoint=HISTORICAL, window=WINDOW, types=TYPES, requests=requests)


def begun(root):
    return raw.begin(Lake(root), nothing(WINDOW), now=at(1), resume=NEVER_STALE)


def pulling(url, known, plan, pull, *, progress=model.quiet, **options):
    with asking_of(url, known, Clock(), **{"patience_minutes": 0, **options}) as client:
        return puller.run(plan, pull, client=client, progress=progress)


def emulated(world, tweets, *, size=25, **options):
    """Pull from the emulator; return the report and what landed by handle and Tweets."""
    pull = begun(world.root)
    report = pulling(world.emulator.url, accounts.load(world.accounts), planned(tweets, size=size), pull, **options)
    return report, {(landed.request.handle, landed.request.tweet_ids): landed for landed in pull.landed()}


class Scripted:
    """A pull of one-Tweet requests, one at a time, from an API that plays answers."""

    def __init__(self, api, gate, pull):
        self.api, self.gate, self.pull = api, gate, pull

    def run(self, number, *, progress=model.quiet, **options):
        """Let one answer through for each request that was settled."""

        def settled(done, total, /, *, rows=0):
            self.gate.release()
            progress(done, total)

        plan = planned({"ann": [*range(1, number + 1)]}, size=1)
        return pulling(self.api.url, ACCOUNTS, plan, self.pull, progress=settled, **options)

    def landed(self):
        return [landed.request.tweet_ids[0] for landed in self.pull.landed()]

    def rejected(self):
        return sorted((self.pull.path / "rejected").glob("*"))


@pytest.fixture
def scripted(tmp_path, monkeypatch):
    """Give a maker of Scripted; the puller sends one request at a time, and the API waits for it to settle."""
    monkeypatch.setattr(puller, "MAX_IN_FLIGHT", 1)

    @contextmanager
    def make(*answers, ahead=1):
        gate = Semaphore(ahead)
        with ScriptedApi(*answers, before=gate.acquire) as api:
            yield Scripted(api, gate, begun(tmp_path))

    return make


@pytest.mark.parametrize("spelling", ["author", "tweets"])
def test_a_403_sets_the_named_tweets_aside_and_asks_for_the_rest(world, spelling):
    world.emulator.faults.set(forbidden_spelling=spelling)
    mine, foreign = world.tweets("harborbooks", 4), world.tweets("lumenaudio", 1) + world.tweets("tidalcoffee", 2)
    report, landed = emulated(world, {"harborbooks": sorted(mine + foreign)})
    assert set(report.refused) == set(foreign)
    assert {key: bool(item.refusal) for key, item in landed.items()} == {
        ("harborbooks", tuple(sorted(foreign))): True,
        ("harborbooks", tuple(mine)): False,
    }
    assert (report.planned, report.answered) == (1, 2)


def test_a_refusal_is_kept_with_its_status_and_body(world):
    (foreign,) = world.tweets("lumenaudio", 1)
    _, landed = emulated(world, {"harborbooks": [*world.tweets("harborbooks", 1), foreign]})
    kept = landed["harborbooks", (foreign,)]
    assert kept.refusal.startswith("403: Forbidden to access tweets for author id ")
    assert list(json.loads(kept.body())) == ["errors"]


def test_a_400_that_names_no_tweet_is_halved_until_the_protected_one_is_alone(world):
    mine, protected = world.tweets("harborbooks", 7), world.tweets("harborbooks", 1, state="protected")
    report, landed = emulated(world, {"harborbooks": protected + mine})
    assert report.refused == {protected[0]: "Tweet ID(s) are unavailable"}
    assert sorted(len(ids) for (_, ids), item in landed.items() if not item.refusal) == [1, 2, 4]
    # The oldest is protected: of 8, 4, 2 and 1 Tweets refused, of 4, 2 and 1 answered.
    assert report.answered == len(world.emulator.requests) == 7


def test_once_a_half_is_answered_the_other_is_not_asked_for_whole(world):
    mine, (protected,) = world.tweets("harborbooks", 24), world.tweets("harborbooks", 1, state="protected")
    report, _ = emulated(world, {"harborbooks": [*mine, protected]})
    assert set(report.refused) == {protected}
    sizes = [(len(request.tweet_ids), request.status) for request in world.emulator.requests]
    assert sizes == [(25, 400), (12, 200), (6, 200), (3, 200), (2, 200), (1, 200), (1, 400)]


def test_several_protected_tweets_are_each_found(world):
    mine, protected = world.tweets("harborbooks", 9), world.tweets("harborbooks", 2, state="protected")
    report, landed = emulated(world, {"harborbooks": sorted(mine + protected)})
    assert set(report.refused) == set(protected)
    answered = [tweet for (_, ids), item in landed.items() for tweet in ids if not item.refusal]
    assert sorted(answered) == mine


def test_a_403_that_names_no_tweet_is_halved_too(world):
    world.emulator.faults.set(forbidden_spelling="unnamed")
    mine, foreign = world.tweets("harborbooks", 3), world.tweets("lumenaudio", 1)
    report, _ = emulated(world, {"harborbooks": mine + foreign})
    assert set(report.refused) == set(foreign)


def test_tokens_of_another_handle_cost_a_few_requests_beyond_the_plan(world):
    """One refused request is followed to a single Tweet, two requests a halving; the others are not halved at all."""
    world.emulator.faults.set(forbidden_spelling="unnamed")
    foreign = world.tweets("harborbooks", 100)
    with pytest.raises(PullError, match="account lumenaudio: the API forbids its Tweets and serves none") as caught:
        emulated(world, {"lumenaudio": foreign, "harborbooks": world.tweets("harborbooks", 3)})
    assert [failure.account for failure in caught.value.failures] == ["lumenaudio"]
    asked = [len(request.tweet_ids) for request in world.emulator.requests if request.status == 403]
    assert asked.count(25) == 4
    assert len(asked) <= 4 + 2 * 5
    assert [landed.request.handle for landed in begun(world.root).landed()] == ["harborbooks"]


@pytest.mark.parametrize("spelling", ["author", "tweets", "unnamed"])
def test_forbidden_tweets_in_every_request_are_found_once_one_of_the_account_s_own_is_served(world, spelling):
    """What was held back meanwhile is gone on with."""
    world.emulator.faults.set(forbidden_spelling=spelling)
    mine, foreign = world.tweets("harborbooks", 16), world.tweets("lumenaudio", 4)
    mixed = [tweet for i, other in enumerate(foreign) for tweet in (*mine[4 * i : 4 * i + 4], other)]
    report, landed = emulated(world, {"harborbooks": mixed}, size=5)
    assert set(report.refused) == set(foreign)
    assert sorted(tweet for (_, ids), item in landed.items() for tweet in ids if not item.refusal) == mine


def test_of_an_account_in_doubt_the_half_that_is_forbidden_is_followed_where_the_other_holds_what_is_gone(world):
    world.emulator.faults.set(forbidden_spelling="unnamed")
    gone, foreign = world.tweets("harborbooks", 2, state="deleted"), world.tweets("lumenaudio", 2)
    with pytest.raises(PullError) as caught:
        emulated(world, {"harborbooks": [*gone, *foreign]})
    assert [failure.account for failure in caught.value.failures] == ["harborbooks"]
    asked = [request.tweet_ids for request in world.emulator.requests]
    assert asked == [(*gone, *foreign), tuple(gone), (foreign[0],), (foreign[1],)]


def test_an_account_whose_requests_were_not_all_answered_is_not_said_to_have_wrong_tokens(scripted):
    with (
        scripted(error(403, "Forbidden to access tweets: 1"), DOWN, ahead=9) as script,
        pytest.raises(PullError) as caught,
    ):
        script.run(2)
    assert [type(failure) for failure in caught.value.failures] == [OutageError]


def test_the_refusal_of_many_tweets_is_cut_in_the_message(scripted):
    ids = "; ".join(str(1_890_000_000_000_000_000 + i) for i in range(250))
    with scripted(error(403, f"Forbidden to access tweets: 1; {ids}")) as script, pytest.raises(PullError) as caught:
        script.run(1)
    assert len(str(caught.value)) < 600


def test_an_account_that_is_not_let_in_lets_the_others_finish(world):
    world.emulator.faults.set(revoked_handles=["lumenaudio"])
    tweets = {handle: world.tweets(handle, 6) for handle in ("harborbooks", "lumenaudio", "tidalcoffee")}
    with pytest.raises(PullError, match=r"account lumenaudio.*Access token not found") as caught:
        emulated(world, tweets, size=2)
    (failure,) = caught.value.failures
    assert isinstance(failure, AccountError)
    landed = {tweet for item in begun(world.root).landed() for tweet in item.request.tweet_ids}
    assert landed == {*tweets["harborbooks"], *tweets["tidalcoffee"]}


def test_nothing_more_is_asked_for_an_account_that_was_not_let_in(scripted):
    with scripted(error(401, "no")) as script, pytest.raises(PullError) as caught:
        script.run(MANY)
    assert len(caught.value.failures) == 1
    assert len(script.api.received) == 1


def test_an_api_that_is_down_is_left_alone_once_patience_is_over(scripted):
    with (
        scripted(FINE, DOWN, ahead=MANY) as script,
        pytest.raises(PullError, match=r"answered 503.*nothing for 3 min.*again to resume it") as caught,
    ):
        script.run(MANY, patience_minutes=3)
    assert [type(failure) for failure in caught.value.failures] == [OutageError]
    assert caught.value.is_outage
    assert script.landed() == [1]


@pytest.mark.parametrize("answer", [FINE, GONE])
def test_an_answer_shows_that_the_api_is_there(scripted, answer):
    """A refusal too: patience begins anew."""
    with scripted(DOWN, DOWN, answer, DOWN, DOWN, FINE, ahead=MANY) as script:
        report = script.run(4, patience_minutes=1)
    assert report.answered == 4


@pytest.mark.parametrize("in_flight", [1, 4, 8])
@pytest.mark.parametrize("place", [2, 3, 8])
def test_a_request_that_fails_by_itself_is_given_up_and_the_others_land(scripted, monkeypatch, place, in_flight):
    """As many tries as the setting says, and minutes at most: the others tell that the API is there.

    One more is sent if the first try failed before any other was answered, and so could be the API's. If no other is
    left to tell, one that was answered is asked for again.
    """
    monkeypatch.setattr(puller, "MAX_IN_FLIGHT", in_flight)
    tried = []

    def answer(received):
        fails = f'"{place}"' in received.body.decode()
        tried.extend([received] * fails)
        return DOWN if fails else FINE

    with scripted(answer, ahead=MANY) as script, pytest.raises(PullError) as caught:
        script.run(8, tries=4, patience_minutes=15)
    assert [type(failure) for failure in caught.value.failures] == [UnavailableError]
    assert not caught.value.is_outage
    assert script.landed() == [tweet for tweet in range(1, 9) if tweet != place]
    assert len(tried) in {4, 5}
    assert len(script.api.received) <= 7 + 5 + 1


def test_a_request_that_fails_by_itself_is_told_from_an_outage_in_a_resumed_pull_too(scripted):
    """It alone is left; what landed before tells that the API is there."""

    def answer(received):
        return DOWN if '"2"' in received.body.decode() else FINE

    with scripted(answer, ahead=MANY) as script:
        pulling(script.api.url, ACCOUNTS, planned({"ann": [1]}), script.pull)
        with pytest.raises(PullError) as caught:
            pulling(script.api.url, ACCOUNTS, planned({"ann": [2]}), script.pull, tries=6, patience_minutes=15)
    assert not caught.value.is_outage
    assert len(script.api.received) == 1 + 6 + 1


@pytest.mark.parametrize("answer", [error(404, "Not Found"), error(400, "window too long"), error(406, "gzip")])
def test_a_refusal_that_is_not_about_tweets_stops_the_pull(scripted, answer):
    with scripted(answer) as script, pytest.raises(PullError) as caught:
        script.run(MANY)
    assert {type(failure) for failure in caught.value.failures} == {RefusedError}
    assert len(script.api.received) <= 2


def test_a_body_that_does_not_add_up_is_kept_apart_and_asked_for_again(scripted):
    with scripted(LOPSIDED, FINE, ahead=2) as script:
        report = script.run(1)
    assert (script.landed(), report.answered) == ([1], 1)
    assert len(script.rejected()) == 1
    assert len(script.api.received) == 2


def test_a_body_that_never_adds_up_fails_its_request_alone(scripted):
    answers = [LOPSIDED] * puller.BODIES_TRIED + [FINE]
    with scripted(*answers, ahead=puller.BODIES_TRIED) as script, pytest.raises(PullError) as caught:
        script.run(3)
    assert script.landed() == [2, 3]
    kept = script.rejected()
    assert len(kept) == puller.BODIES_TRIED
    (failure,) = caught.value.failures
    assert str(kept[-1]) in str(failure)
    assert "$.by_type.impressions" in str(failure)


@pytest.mark.parametrize("interrupted_at", [1, 3])
def test_ctrl_c_stops_at_once_and_keeps_what_landed(scripted, interrupted_at):
    def interrupt(done, _):
        if done == interrupted_at:
            raise KeyboardInterrupt

    with scripted(FINE) as script, pytest.raises(KeyboardInterrupt):
        script.run(MANY, progress=interrupt)
    assert len(script.landed()) == len(script.api.received)
    assert interrupted_at <= len(script.api.received) <= interrupted_at + 1


def test_a_disk_that_is_full_stops_the_pull_and_says_so(scripted, monkeypatch):
    def no_space(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with scripted(FINE, ahead=MANY) as script:
        monkeypatch.setattr(os, "fsync", no_space)
        with pytest.raises(LakeError, match="No space left on device"):
            script.run(MANY)
    assert script.landed() == []


def test_progress_ends_at_all_requests(scripted):
    seen = []
    with scripted(FINE) as script:
        script.run(3, progress=lambda *now: seen.append(now))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_progress_counts_requests_that_end_without_an_answer_among_all(scripted):
    seen = []
    with scripted(error(401, "no")) as script, pytest.raises(PullError):
        script.run(3, progress=lambda *now: seen.append(now))
    assert {total for _, total in seen} == {3}


def test_a_plan_without_requests_is_done(scripted):
    with scripted(FINE) as script:
        report = script.run(0)
    assert (report.planned, report.answered, script.api.received) == (0, 0, [])


def test_a_tweet_that_is_neither_answered_nor_refused_fails_the_pull(scripted, monkeypatch):
    monkeypatch.setattr(ownership, "refused", lambda standing, *_: (standing, ()))
    with scripted(GONE) as script, pytest.raises(PullError, match="2 Tweets got no answer: 1, 2"):
        pulling(script.api.url, ACCOUNTS, planned({"ann": [1, 2]}), script.pull)


def test_an_account_that_is_not_let_in_stops_nobody_else(scripted):
    """One request at a time, the bad account first: what waits of the other is sent all the same."""
    others = Accounts(ACCOUNTS.app, {name: replace(ACCOUNTS.by_handle["ann"], handle=name) for name in ("ann", "bob")})
    with scripted(error(401, "no"), FINE, ahead=MANY) as script, pytest.raises(PullError) as caught:
        pulling(script.api.url, others, planned({"ann": [1, 2, 3], "bob": [4, 5, 6]}, size=1), script.pull)
    assert [failure.account for failure in caught.value.failures] == ["ann"]
    assert script.landed() == [4, 5, 6]
    assert len(script.api.received) == 4


def test_tweets_that_are_forbidden_to_the_bearer_token_are_set_aside(scripted):
    """It is nobody's, so it cannot be that of another handle."""
    known = Accounts(replace(ACCOUNTS.app, bearer_token="TheBearer"), {})
    with scripted(error(403, "Forbidden to access tweets: 1; 2")) as script:
        report = pulling(script.api.url, known, planned({"": [1, 2]}), script.pull)
    assert set(report.refused) == {1, 2}


def test_nobody_waits_for_a_refusal_to_land(world, monkeypatch):
    """Its store may be slow: here it has the refusal once all else is answered."""
    mine, foreign = world.tweets("harborbooks", 3), world.tweets("lumenaudio", 1)
    all_answered, really = Event(), raw.Pull.land

    def land(self, request, response, *, refusal="", **named):
        assert not refusal or all_answered.wait(timeout=60)
        return really(self, request, response, refusal=refusal, **named)

    def progress(done, total, /, *, rows=0):
        if done == len(mine + foreign):
            all_answered.set()

    monkeypatch.setattr(raw.Pull, "land", land)
    report, landed = emulated(world, {"harborbooks": sorted(mine + foreign)}, size=1, progress=progress)
    assert set(report.refused) == set(foreign)
    assert landed["harborbooks", (*foreign,)].refusal


def test_a_refusal_that_cannot_land_stops_the_pull(world, monkeypatch):
    really = raw.Pull.land

    def land(self, request, response, *, refusal="", **named):
        if refusal:
            raise LakeError("no space")
        return really(self, request, response, refusal=refusal, **named)

    monkeypatch.setattr(raw.Pull, "land", land)
    with pytest.raises(LakeError, match="no space"):
        emulated(world, {"harborbooks": sorted(world.tweets("harborbooks", 3) + world.tweets("lumenaudio", 1))}, size=1)


def test_a_refusal_lands_before_what_is_still_to_be_asked_for(scripted, monkeypatch):
    """Else a pull that is killed has lost it, and pays for it again."""
    refusal_landed, really = Event(), raw.Pull.land

    def land(self, request, response, *, refusal="", **named):
        path = really(self, request, response, refusal=refusal, **named)
        if refusal:
            refusal_landed.set()
        return path

    def last(_):
        return FINE if refusal_landed.wait(timeout=20) else DOWN

    monkeypatch.setattr(raw.Pull, "land", land)
    with scripted(GONE, FINE, last) as script:
        report = script.run(3)
    assert (report.answered, [*report.refused]) == (3, [1])


def test_a_tweet_with_a_refusal_that_cannot_land_is_landed_without_an_answer(scripted, monkeypatch):
    really = raw.Pull.land

    def land(self, request, response, *, refusal="", unanswered="", **named):
        if refusal and not unanswered:
            raise LakeError("no space")
        return really(self, request, response, refusal=refusal, unanswered=unanswered, **named)

    monkeypatch.setattr(raw.Pull, "land", land)
    with scripted(GONE) as script, pytest.raises(LakeError, match="no space"):
        script.run(1)
    assert [landed.request.tweet_ids for landed in script.pull.unanswered()] == [(1,)]
