"""What the log is told: each request that was sent, once, however it ended."""

import gzip
import random
from concurrent.futures import CancelledError
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime

import pytest
from scripted_api import (
    ACCOUNTS,
    GOOD,
    NOT_JSON,
    REQUEST,
    RESET,
    Answer,
    Clock,
    ScriptedApi,
    asking,
    asking_of,
    error,
    raised,
)

from engagement_pipeline import pulling
from engagement_pipeline.core.errors import AccountError, ApiError, PullError, RefusedError
from engagement_pipeline.extract.prepare import prepare
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog
from engagement_pipeline.transport.patience import PAUSES

BUSY = error(503, "over capacity")
AT_42_SECONDS = datetime(2026, 2, 1, 12, 30, 42, tzinfo=UTC)
LATER = AT_42_SECONDS + timedelta(hours=1)


def test_the_log_is_told_once_how_a_request_ended():
    """With the bytes that came over the wire, which are fewer than those of the body."""
    packed = gzip.compress(GOOD + b" " * 1000)
    moments = iter([AT_42_SECONDS, AT_42_SECONDS.replace(minute=31)])
    with asking(BUSY, Answer(body=packed, packed=True), now=lambda: next(moments)) as (_, client, clock):
        client.ask(REQUEST)
    (exchange,) = clock.exchanges
    assert (exchange.request, exchange.asked_at) == (REQUEST, AT_42_SECONDS.replace(minute=31))
    assert (exchange.status, exchange.tries, exchange.size) == (200, 2, len(packed))
    assert exchange.seconds > 0


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [(error(403, "Forbidden to access tweets: 1"), 403, "Forbidden to access tweets: 1"), (BUSY, 503, "over capacity")],
)
def test_the_log_is_told_why_a_request_failed(answer, status, said):
    with asking(answer, tries=1) as (_, client, clock), pytest.raises(ApiError) as failed:
        client.ask(REQUEST)
    (exchange,) = clock.exchanges
    assert (exchange.status, exchange.error) == (status, str(failed.value))
    assert said in exchange.error


def test_the_log_is_told_of_no_error_where_a_later_try_was_answered():
    with asking(BUSY, Answer(body=GOOD)) as (_, client, clock):
        client.ask(REQUEST)
    assert [exchange.error for exchange in clock.exchanges] == [""]


@pytest.mark.parametrize("answer", [Answer(body=GOOD), error(403, "Forbidden to access tweets: 1")])
def test_what_lands_and_the_log_bear_the_moment_of_the_lake_s_clock(answer):
    with asking(answer, now=lambda: AT_42_SECONDS, lake_now=lambda: LATER) as (_, client, clock):
        try:
            asked_at = client.ask(REQUEST).asked_at
        except RefusedError as refusal:
            asked_at = refusal.asked_at
    assert (asked_at, clock.exchanges[0].asked_at) == (LATER, LATER)


@pytest.mark.parametrize(
    ("hours", "told"),
    [(-0.5, []), (0.9, []), (-26, ["26.0 hours behind the API's"]), (44000, ["44000.0 hours ahead of the API's"])],
)
def test_a_clock_that_is_wrong_is_told_once_though_all_is_answered(caplog, hours, told):
    date = format_datetime(AT_42_SECONDS - timedelta(hours=hours), usegmt=True)
    answers = [Answer(body=GOOD, headers={"Date": date})] * 2
    with asking(*answers, now=lambda: AT_42_SECONDS) as (_, client, _):
        for _ in answers:
            client.ask(REQUEST)
    assert [line.partition(" is ")[2].partition(":")[0] for line in caplog.messages] == told


def test_the_api_s_clock_is_compared_with_that_of_the_machine():
    """Signatures carry it."""
    answer = replace(error(401, "No."), headers={"Date": format_datetime(AT_42_SECONDS, usegmt=True)})
    refused, _ = raised(answer, now=lambda: AT_42_SECONDS, lake_now=lambda: LATER)
    assert isinstance(refused, AccountError)
    assert "clock" not in str(refused)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (error(403, "Forbidden to access tweets: 1"), 403),
        (error(401, "No."), 401),
        (error(429, "No."), 429),
        (BUSY, 503),
        (NOT_JSON, 200),
        (RESET, 0),
    ],
)
def test_the_log_is_told_of_requests_that_failed_too(answer, status):
    with asking(answer, tries=2, patience_minutes=0) as (api, client, clock), pytest.raises(ApiError):
        client.ask(REQUEST)
    assert [(exchange.status, exchange.tries) for exchange in clock.exchanges] == [(status, len(api.received))]


def test_the_log_is_told_of_a_request_that_is_given_up_while_the_api_is_down():
    class Stopping(Clock):
        def sleep(self, seconds):
            super().sleep(seconds)
            if seconds >= PAUSES[0]:
                client.stop()

    clock = Stopping()
    with ScriptedApi(BUSY) as api, asking_of(api.url, ACCOUNTS, clock) as client:
        with pytest.raises(CancelledError):
            client.ask(REQUEST)
        assert len(api.received) == 1
    assert [(exchange.status, exchange.tries) for exchange in clock.exchanges] == [(503, 1)]


def test_the_log_is_told_of_a_request_that_is_given_up_while_it_waits_for_its_slot():
    """After a 429, the next try waits for the budget and not for a back-off."""

    class Stopping(Clock):
        def sleep(self, seconds):
            super().sleep(seconds)
            if seconds > 200:
                client.stop()

    clock, full = Stopping(), replace(error(429, "slow down"), headers={"Retry-After": "240"})
    with ScriptedApi(BUSY, full) as api, asking_of(api.url, ACCOUNTS, clock, tries=6) as client:
        with pytest.raises(CancelledError):
            client.ask(REQUEST)
        assert len(api.received) == 2
    assert [(exchange.status, exchange.tries) for exchange in clock.exchanges] == [(429, 2)]


def test_the_log_is_told_of_a_request_whose_account_is_shut_out_between_two_tries():
    shut_out = AccountError("account ann: no", account="ann", status=401)

    class Shutting(Clock):
        def sleep(self, seconds):
            super().sleep(seconds)
            if seconds >= PAUSES[0]:
                client.leave_out(shut_out)

    clock = Shutting()
    with ScriptedApi(BUSY) as api, asking_of(api.url, ACCOUNTS, clock) as client:
        with pytest.raises(AccountError):
            client.ask(REQUEST)
        assert len(api.received) == 1
    assert [(exchange.request, exchange.status, exchange.tries) for exchange in clock.exchanges] == [(REQUEST, 503, 1)]


@pytest.mark.parametrize("dials", [{"status_503": 1}, {"status_503": 0.9, "revoked_handles": ["lumenaudio"]}])
def test_the_tries_of_a_pull_that_was_stopped_are_as_many_as_the_api_counted(world, monkeypatch, dials):
    """Its requests end while the API is down, while they wait for a slot, or with their tries used up."""
    monkeypatch.setattr(random, "uniform", lambda _, high: high / 100)
    world.follow({handle: world.tweets(handle, 80) for handle in ("harborbooks", "lumenaudio", "tidalcoffee")})
    world.emulator.faults.set(**dials)
    settings = world.settings()
    with pytest.raises(PullError):
        pulling.pull(settings, prepare(settings, date(2026, 1, 30), date(2026, 1, 31)))
    told = catalog.query(Lake(world.lake), "select sum(tries)::int as tries, count(*) as requests from requests")
    assert told["tries"].to_pylist() == [len(world.emulator.requests)]
