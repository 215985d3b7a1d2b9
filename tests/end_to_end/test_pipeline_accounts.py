"""Accounts and owners that are wrong, and what is asked again once they are mended."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from bodies import NEVER_STALE, TYPES, body, nothing
from scripted_api import ScriptedApi, error
from tables import outcomes

from engagement_pipeline import pipeline, pulling
from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.errors import AccountError, PullError
from engagement_pipeline.core.model import Request, Response, Window
from engagement_pipeline.extract.prepare import prepare
from engagement_pipeline.lake import raw, set_aside
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog
from engagement_pipeline.transport import accounts

WINDOW = Window(date(2026, 1, 30), date(2026, 1, 31))
REFUSAL = "403: Forbidden to access tweets"


def prepared(world, *, days=2):
    settings = world.settings(types=" ".join(TYPES))
    return settings, prepare(settings, WINDOW.last - timedelta(days=days - 1), WINDOW.last)


def answered(world):
    return sorted(tweet for request in world.emulator.requests if request.status == 200 for tweet in request.tweet_ids)


def measured(lake):
    """Return the outcomes of the Tweets' days that were not over before they were posted."""
    return {(tweet, outcome) for tweet, outcome in outcomes(lake) if outcome != "before it was posted"}


def of_historical(lake, columns, tweets):
    """Return columns of the coverage of /historical, of some Tweets."""
    listed = ", ".join(map(str, tweets))
    sql = f"select {columns} from coverage where endpoint = 'historical' and tweet_id in ({listed}) order by day"
    return [tuple(row.values()) for row in catalog.query(lake, sql).to_pylist()]


def sections(world):
    """Return the accounts file by its sections."""
    return world.accounts.read_text().split("\n\n")


def swap_tokens(world, one, other):
    """Write the tokens of each of two handles under the name of the other."""
    names = {one: other, other: one}
    text = re.sub(rf"(?<=accounts\.)({one}|{other})", lambda name: names[name[0]], world.accounts.read_text())
    world.accounts.write_text(text)


@pytest.mark.parametrize("days", [2, 60])
def test_tokens_of_another_handle_are_one_error_of_the_account_and_nothing_is_remembered(world, days):
    """Else every Tweet of the handle would be set aside, and none be asked for again. In however many windows."""
    tweets = {handle: world.tweets(handle, 3) for handle in ("harborbooks", "lumenaudio")}
    world.follow(tweets)
    swap_tokens(world, "lumenaudio", "tidalcoffee")
    settings, plans = prepared(world, days=days)
    outcome = pipeline.run(settings, plans)
    (failure,) = outcome.failure.failures
    assert isinstance(failure, AccountError)
    assert failure.account == "lumenaudio"
    assert str(failure).startswith("account lumenaudio: the API forbids its Tweets and serves none (Forbidden to")
    assert "engagement authorize lumenaudio" in str(failure)
    lake = Lake(settings.data)
    assert set_aside.load(lake) == {}
    refused = {(tweet, "account refused") for tweet in tweets["lumenaudio"]}
    assert measured(lake) == {(tweet, "stored") for tweet in tweets["harborbooks"]} | refused
    swap_tokens(world, "lumenaudio", "tidalcoffee")
    assert pipeline.run(settings, prepared(world, days=days)[1]).failure is None
    assert measured(lake) == {(tweet, "stored") for ids in tweets.values() for tweet in ids}
    assert answered(world) == sorted(tweet.tweet_id for plan in plans.plans for tweet in plan.tweets)  # each once


def test_a_deleted_tweet_does_not_hide_that_the_tokens_are_of_another_handle(world):
    """The API answers for what is gone whoever asks; also where a pull is gone on with."""
    deleted, healthy = world.tweets("harborbooks", 1, state="deleted"), world.tweets("harborbooks", 3)
    world.follow({"harborbooks": sorted(deleted + healthy)})
    swap_tokens(world, "harborbooks", "lumenaudio")
    settings, plans = prepared(world)
    for _ in range(2):
        outcome = pipeline.run(settings, plans)
        (failure,) = outcome.failure.failures
        assert (type(failure), failure.account) == (AccountError, "harborbooks")
        assert [*set_aside.load(Lake(settings.data))] == deleted
    swap_tokens(world, "harborbooks", "lumenaudio")
    assert pipeline.run(settings, prepared(world)[1]).failure is None
    assert {(tweet, "stored") for tweet in healthy} < outcomes(Lake(settings.data))


def test_what_was_served_before_a_pull_was_interrupted_still_shows_whose_the_tokens_are(world):
    """So that what is forbidden after that is set aside, and nobody's tokens are blamed."""
    mine, (foreign,) = world.tweets("harborbooks", 2), world.tweets("tidalcoffee", 1)
    revoked = world.tweets("lumenaudio", 1)
    world.follow({"harborbooks": mine, "lumenaudio": revoked})
    world.emulator.faults.set(revoked_handles=["lumenaudio"])
    settings, plans = prepared(world)
    with pytest.raises(PullError):
        pulling.pull(settings, plans)
    world.follow({"harborbooks": [*mine, foreign], "lumenaudio": revoked})
    with pytest.raises(PullError) as caught:
        pulling.pull(settings, prepared(world)[1])
    assert [failure.account for failure in caught.value.failures] == ["lumenaudio"]
    assert answered(world) == mine


def test_an_account_that_is_not_let_in_is_asked_for_once_however_many_windows_there_are(world):
    world.emulator.faults.set(revoked_handles=["harborbooks"])
    settings, plans = prepared(world, days=60)
    with pytest.raises(PullError) as caught:
        pulling.pull(settings, plans)
    assert [failure.account for failure in caught.value.failures] == ["harborbooks"]
    statuses = [(request.handle, request.status) for request in world.emulator.requests]
    assert sum(status == 401 for _, status in statuses) == 1
    others = [request.handle for plan in plans.plans for request in plan.requests if request.handle != "harborbooks"]
    assert sorted(handle for handle, status in statuses if status == 200) == sorted(others)


def test_the_days_of_an_account_that_is_refused_are_in_coverage_with_the_reason_until_it_is_let_in(world):
    """In each window, though it is asked for once; what was stored before stays, and says when it was pulled."""
    tweets = {handle: world.tweets(handle, 2) for handle in ("harborbooks", "lumenaudio")}
    world.follow(tweets)
    settings, plans = prepared(world)
    pipeline.run(settings, plans)
    lake, stored = Lake(settings.data), "day, rows, pulled_at, first_pulled_at, source"
    before = of_historical(lake, stored, tweets["lumenaudio"])
    world.emulator.faults.set(revoked_handles=["lumenaudio"])
    pipeline.run(*prepared(world, days=40))
    refused = of_historical(lake, "outcome, text, asked_at > coalesce(pulled_at, '-infinity')", tweets["lumenaudio"])
    said = "401: Your account could not be authenticated. Reason: Access token not found"
    assert refused == [("account refused", said, True)] * 80
    assert {row for row in of_historical(lake, stored, tweets["lumenaudio"]) if row[1]} == {*before}
    words = {word for (word,) in of_historical(lake, "outcome", tweets["harborbooks"])}
    assert words == {"stored", "before it was posted"}
    world.emulator.faults.reset()
    pipeline.run(*prepared(world, days=40))
    assert measured(lake) == {(tweet, "stored") for ids in tweets.values() for tweet in ids}


def test_the_days_of_a_handle_without_an_account_are_in_coverage_with_the_reason(world):
    """Where the roster's bad rows are skipped; an account that was taken out of the accounts file is such a one."""
    tweets = {handle: world.tweets(handle, 2) for handle in ("harborbooks", "lumenaudio")}
    world.follow(tweets)
    world.accounts.write_text("\n\n".join(part for part in sections(world) if "lumenaudio" not in part))
    settings = world.settings(types=" ".join(TYPES), skip_bad_rows="true")
    outcome = pipeline.run(settings, prepare(settings, WINDOW.first, WINDOW.last))
    (publication,) = outcome.publications
    assert {*publication.unanswered} == {*tweets["lumenaudio"]}
    found = of_historical(Lake(settings.data), "outcome, text, rows", tweets["lumenaudio"])
    assert found == [("no answer", "the handle is not in the accounts file: lumenaudio", 0)] * 4


def test_the_windows_behind_a_failure_have_their_days_in_coverage_too(world):
    """Nothing is asked for them, since the API is down."""
    tweets = world.tweets("harborbooks", 1)
    world.follow({"harborbooks": tweets})
    settings, _ = prepared(world)
    world.emulator.faults.set(status_503=1.0)
    tried = world.settings(types=" ".join(TYPES), tries="1")
    plans = prepared(world, days=60)[1]
    windows = [planned.window for planned in plans.plans if planned.requests]
    outcome = pipeline.run(tried, plans)
    assert (len(outcome.failure.failures), len(windows)) == (1, 2)
    found = of_historical(Lake(settings.data), "outcome, rows", tweets)
    assert found == [("no answer", 0) for window in windows for _ in window.days()]
    (said,) = {text for (text,) in of_historical(Lake(settings.data), "text", tweets)}
    assert said.startswith("503: ")


@pytest.mark.parametrize("answer", [error(404, "Not Found"), error(503, "over capacity")])
def test_a_bearer_token_that_cannot_be_had_leaves_the_owned_tweets_alone(world, engagement, monkeypatch, answer):
    foreign = [tweet.tweet_id for tweet in world.emulator.world.foreign_tweets() if tweet.state == "ok"][-2:]
    owned = world.tweets("harborbooks", 2)
    world.follow({"harborbooks": owned, "": foreign})
    given = world.emulator.credentials.bearer_token
    world.accounts.write_text(world.accounts.read_text().replace(f'bearer_token = "{given}"\n', ""))
    with ScriptedApi(answer) as host:
        # Whichever request is the first to be sent: without patience, one that fails before any answer ends the pull.
        patient = {"ENGAGEMENT_AUTH_URL": host.url, "ENGAGEMENT_TRIES": "2", "ENGAGEMENT_PATIENCE_MINUTES": "1"}
        for name, value in (world.environment | patient).items():
            monkeypatch.setenv(name, value)
        code, out, errors = engagement("pull", "--endpoint", "totals")
        assert (code, len(errors)) == (1, 1), errors
        assert f"{host.url}/oauth2/token answered {answer.status}" in errors[0]
        assert "4 Tweets asked for = 2 stored + 0 set aside + 2 unanswered" in out
        code, out, errors = engagement("check")
        assert (code, errors) == (1, ["the bearer token cannot be used for a pull: see above"])
        assert "harborbooks      works, 17 types" in out


def test_a_refusal_does_not_count_once_the_owner_is_mended(world):
    """The Tweet was under a wrong handle; the pull is gone on with after the roster is mended."""
    mine, (other,) = world.tweets("harborbooks", 2), world.tweets("lumenaudio", 1)
    revoked = world.tweets("tidalcoffee", 1)
    world.follow({"harborbooks": [*mine, other], "tidalcoffee": revoked})
    world.emulator.faults.set(revoked_handles=["tidalcoffee"])
    settings, plans = prepared(world)
    with pytest.raises(PullError):
        pulling.pull(settings, plans)
    world.emulator.faults.reset()
    world.follow({"harborbooks": mine, "lumenaudio": [other], "tidalcoffee": revoked})
    pulling.pull(settings, prepared(world)[1])
    assert answered(world) == sorted([*mine, other, *revoked])


def test_a_forbidden_tweet_is_asked_for_in_the_next_pull_once_its_owner_is_mended(world):
    """It rests under the handle that it was forbidden to, and under no other."""
    mine, (other,) = world.tweets("harborbooks", 2), world.tweets("lumenaudio", 1)
    world.follow({"harborbooks": [*mine, other]})
    settings, plans = prepared(world)
    pipeline.run(settings, plans)
    assert [*set_aside.load(Lake(settings.data))] == [other]
    assert [*prepared(world)[1].plans[0].left_out] == [other]
    world.follow({"harborbooks": mine, "lumenaudio": [other]})
    pipeline.run(settings, prepared(world)[1])
    assert set_aside.load(Lake(settings.data)) == {}
    assert (other, "stored") in outcomes(Lake(settings.data))


def unfinished(world, request, **landed):
    """Leave a pull that was stopped after one refusal or answer."""
    lake = Lake(world.settings().data)
    lake.open()
    now = datetime.now(UTC)
    pull = raw.begin(lake, nothing(WINDOW), now=now, resume=NEVER_STALE)
    path = pull.land(request, Response(body=body({}), asked_at=now), **landed)
    if not landed:
        pull.accept(path)


def requested(world, handle="harborbooks"):
    """Return a request for two Tweets of harborbooks, the only ones followed; made by any handle."""
    tweets = world.tweets("harborbooks", 2)
    world.follow({"harborbooks": tweets})
    return Request(endpoint=HISTORICAL, handle=handle, tweet_ids=tuple(tweets), types=TYPES, window=WINDOW)


@pytest.mark.parametrize("mended", [True, False])
def test_a_refusal_counts_as_long_as_the_tokens_are_those_that_it_was_given_to(world, mended):
    request = requested(world)
    tokens = "of before" if mended else accounts.load(world.accounts).by_handle["harborbooks"].fingerprint
    unfinished(world, request, refusal=REFUSAL, tokens=tokens)
    settings, plans = prepared(world)
    (report,) = pulling.pull(settings, plans)
    assert report.planned == int(mended)
    assert answered(world) == (list(request.tweet_ids) if mended else [])


def test_an_answer_that_another_handle_got_does_not_count(world):
    """The roster named a wrong owner when it was asked for; the API knew of it nothing that is ours."""
    request = requested(world, handle="lumenaudio")
    unfinished(world, request)
    settings, plans = prepared(world)
    pulling.pull(settings, plans)
    assert answered(world) == list(request.tweet_ids)


def test_a_refusal_given_to_an_account_that_is_gone_does_not_count(world):
    request = requested(world, handle="tidalcoffee")
    unfinished(world, request, refusal=REFUSAL, tokens="0123")
    world.accounts.write_text("\n\n".join(text for text in sections(world) if "tidalcoffee" not in text))
    settings, plans = prepared(world)
    pulling.pull(settings, plans)
    assert answered(world) == list(request.tweet_ids)
