"""Pulling a window: refusals, revoked accounts, bodies that do not add up, an API that is down, Ctrl-C, resuming."""

import errno
import json
import os
from contextlib import contextmanager
from datetime import date
from threading import Semaphore

import pytest
from bodies import NEVER_STALE, TYPES, at, body, land
from scripted_api import ACCOUNTS, Answer, Clock, ScriptedApi, error

from engagement_pipeline import accounts, pipeline, raw
from engagement_pipeline import pull as puller
from engagement_pipeline.client import Client
from engagement_pipeline.errors import AccountError, LakeError, PullError, RefusedError, UnavailableError
from engagement_pipeline.plan import Request, Window, WindowPlan

WINDOW = Window(date(2026, 1, 30), date(2026, 1, 31))
DOWN = error(503, "over capacity")
FINE = Answer(body=body({}))  # no rows, which add up
LOPSIDED = Answer(body=body({}, by_type={"impressions": "1"}))
GONE = error(400, "Tweet ID(s) are unavailable")
MANY = 200


def planned(tweets, *, size=25):
    """Return the plan of Tweets by handle, `size` a request."""
    requests = tuple(
        Request(handle=handle, tweet_ids=tuple(ids[i : i + size]), window=WINDOW, types=TYPES)
        for handle, ids in tweets.items()
        for i in range(0, len(ids), size)
    )
    return WindowPlan(window=WINDOW, requests=requests, not_yet_posted=())


def begun(root):
    return raw.begin(root / "raw", WINDOW, types=TYPES, now=at(1), resume_hours=NEVER_STALE)


def pulling(url, known, plan, pull, *, tries=1, progress=puller.quiet):
    budget = Clock().budget()
    with Client(url, known, budget=budget, tries=tries, timeout_seconds=10) as client:
        return puller.run(plan, pull, client=client, budget=budget, progress=progress)


def emulated(world, tweets, *, size=25, **options):
    """Pull from the emulator; return the report and what landed by handle and Tweets."""
    pull = begun(world.root)
    report = pulling(world.emulator.url, accounts.load(world.accounts), planned(tweets, size=size), pull, **options)
    return report, {(landed.handle, landed.tweet_ids): landed for landed in pull.landed()}


class Scripted:
    """A pull of one-Tweet requests, one at a time, from an API that plays answers."""

    def __init__(self, api, gate, pull):
        self.api, self.gate, self.pull = api, gate, pull

    def run(self, number, *, progress=puller.quiet):
        """Let one answer through for each request that was settled."""

        def settled(done, total):
            self.gate.release()
            progress(done, total)

        return pulling(
            self.api.url, ACCOUNTS, planned({"ann": [*range(1, number + 1)]}, size=1), self.pull, progress=settled
        )

    def landed(self):
        return [landed.tweet_ids[0] for landed in self.pull.landed()]

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
    assert (report.planned, report.requests) == (1, 2)


def test_a_refusal_is_kept_with_its_status_and_body(world):
    (foreign,) = world.tweets("lumenaudio", 1)
    _, landed = emulated(world, {"harborbooks": [foreign]})
    kept = landed["harborbooks", (foreign,)]
    assert kept.refusal.startswith("403: Forbidden to access tweets for author id ")
    assert list(json.loads(kept.body())) == ["errors"]


def test_a_400_that_names_no_tweet_is_halved_until_the_protected_one_is_alone(world):
    mine, protected = world.tweets("harborbooks", 7), world.tweets("harborbooks", 1, state="protected")
    report, landed = emulated(world, {"harborbooks": protected + mine})
    assert report.refused == {protected[0]: "Tweet ID(s) are unavailable"}
    assert sorted(len(ids) for (_, ids), item in landed.items() if not item.refusal) == [1, 2, 4]
    # Of 8, 4, 2 and 1 Tweets refused, of 4, 2 and 1 answered.
    assert report.requests == len(world.emulator.requests) == 7


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


def test_an_account_that_is_not_let_in_lets_the_others_finish(world):
    world.emulator.faults.set(revoked_handles=["lumenaudio"])
    tweets = {handle: world.tweets(handle, 6) for handle in ("harborbooks", "lumenaudio", "tidalcoffee")}
    with pytest.raises(PullError, match=r"account lumenaudio.*Access token not found") as caught:
        emulated(world, tweets, size=2)
    (failure,) = caught.value.failures
    assert isinstance(failure, AccountError)
    landed = {tweet for item in begun(world.root).landed() for tweet in item.tweet_ids}
    assert landed == {*tweets["harborbooks"], *tweets["tidalcoffee"]}


def test_nothing_more_is_asked_for_an_account_that_was_not_let_in(scripted):
    with scripted(error(401, "no")) as script, pytest.raises(PullError) as caught:
        script.run(MANY)
    assert len(caught.value.failures) == 1
    assert len(script.api.received) <= 2  # one may have left while the first was looked at


def test_an_api_that_is_down_is_left_alone_after_a_few_requests(scripted):
    with scripted(DOWN) as script, pytest.raises(PullError, match=r"answered 503.*goes on from it"):
        script.run(MANY)
    assert puller.GIVEN_UP_IN_A_ROW <= len(script.api.received) <= puller.GIVEN_UP_IN_A_ROW + 1


def test_requests_that_fail_now_and_then_do_not_stop_the_others(scripted):
    """An answer between them, a refusal too, shows that the API is there."""
    with scripted(DOWN, DOWN, FINE, DOWN, DOWN, GONE, DOWN, FINE) as script, pytest.raises(PullError) as caught:
        script.run(10)
    assert [type(failure) for failure in caught.value.failures] == [UnavailableError] * 5
    assert script.landed() == [10, 3, 6, 8, 9]  # by the name of the file


@pytest.mark.parametrize("answer", [error(404, "Not Found"), error(400, "window too long"), error(406, "gzip")])
def test_a_refusal_that_is_not_about_tweets_stops_the_pull(scripted, answer):
    with scripted(answer) as script, pytest.raises(PullError) as caught:
        script.run(MANY)
    assert {type(failure) for failure in caught.value.failures} == {RefusedError}
    assert len(script.api.received) <= 2


def test_a_body_that_does_not_add_up_is_kept_apart_and_asked_for_again(scripted):
    with scripted(LOPSIDED, FINE, ahead=2) as script:
        report = script.run(1)
    assert (script.landed(), report.requests) == ([1], 1)
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


def test_a_plan_without_requests_is_done(scripted):
    with scripted(FINE) as script:
        report = script.run(0)
    assert (report.planned, report.requests, script.api.received) == (0, 0, [])


def prepared(world):
    settings = world.settings(types=" ".join(TYPES))
    return settings, pipeline.prepare(settings, WINDOW.first, WINDOW.last)


def answered(world):
    return sorted(tweet for request in world.emulator.requests if request.status == 200 for tweet in request.tweet_ids)


def test_what_has_landed_is_not_asked_for_again(world):
    """Answers and refusals both: the second pull asks for the account that was missing, and nothing else."""
    tweets = {handle: world.tweets(handle, 3) for handle in ("harborbooks", "lumenaudio")}
    protected = world.tweets("harborbooks", 1, state="protected")
    world.follow(tweets | {"harborbooks": tweets["harborbooks"] + protected})
    world.emulator.faults.set(revoked_handles=["lumenaudio"])
    settings, plans = prepared(world)
    with pytest.raises(PullError, match="account lumenaudio"):
        pipeline.pull(settings, plans)
    before = len(world.emulator.requests)
    world.emulator.faults.reset()
    (report,) = pipeline.pull(settings, plans)
    assert (report.planned, report.requests) == (1, 1)
    assert [request.tweet_ids for request in world.emulator.requests[before:]] == [tuple(tweets["lumenaudio"])]
    assert answered(world) == sorted(tweets["harborbooks"] + tweets["lumenaudio"])


def test_a_finished_pull_is_made_anew(world):
    settings, plans = prepared(world)
    for _ in range(2):
        (report,) = pipeline.pull(settings, plans)
        assert report.requests == plans.requests
    assert len(world.emulator.requests) == 2 * plans.requests


def test_a_body_that_was_never_looked_at_is_looked_at_before_going_on(world):
    """A process that was killed between landing and looking leaves no lopsided body in the tables' way."""
    tweets = world.tweets("harborbooks", 2)
    world.follow({"harborbooks": tweets})
    settings, plans = prepared(world)
    pull = raw.begin(settings.data / "raw", WINDOW, types=TYPES, now=at(1), resume_hours=NEVER_STALE)
    path = land(pull, {}, tweets=tweets, handle="harborbooks", by_type={"impressions": "1"})
    pipeline.pull(world.settings(types=" ".join(TYPES), resume_hours=str(NEVER_STALE)), plans)
    assert [landed.tweet_ids for landed in pull.landed()] == [tuple(tweets)]
    assert (pull.path / "rejected" / path.name).exists()
    assert answered(world) == tweets
