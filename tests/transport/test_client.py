"""The client against scripted answers: signing, retrying, and what its errors carry."""

import gzip
import json
import logging
import random
import string
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import requests
from oauthlib.oauth1 import RequestValidator, ResourceEndpoint
from proxy import proxy
from requests.adapters import HTTPAdapter
from scripted_api import (
    ACCOUNTS,
    CUT_GZIP,
    GOOD,
    NOT_JSON,
    REQUEST,
    RESET,
    SECRETS,
    Answer,
    Clock,
    asking,
    asking_of,
    error,
    raised,
)

from engagement_pipeline.core.endpoints import RECENT, TOTALS
from engagement_pipeline.core.errors import ApiError, OutageError, UnavailableError
from engagement_pipeline.sources.engagement.rate import AFTER_RESET
from engagement_pipeline.transport.patience import PAUSES
from engagement_pipeline.transport.rate_limit import SHARE

BUSY = error(503, "over capacity")
ANSWERED_WITHIN = 10.0  # seconds that the scripted API may take on a busy machine
AT_42_SECONDS = datetime(2026, 2, 1, 12, 30, 42, tzinfo=UTC)


class Vendor(RequestValidator):
    """What the vendor knows when it verifies a signature; `seen` holds each nonce."""

    enforce_ssl = False  # the scripted API speaks http
    allowed_signature_methods = ("HMAC-SHA1",)
    client_key_length = access_token_length = nonce_length = (5, 60)
    safe_characters = frozenset(string.ascii_letters + string.digits + "-")
    dummy_client = dummy_access_token = "nobody"

    def __init__(self):
        super().__init__()
        self.seen = set()

    def validate_timestamp_and_nonce(self, client_key, timestamp, nonce, request, **_):
        fresh = nonce not in self.seen
        self.seen.add(nonce)
        return fresh

    def validate_client_key(self, client_key, request):
        return client_key == SECRETS["consumer_key"]

    def validate_access_token(self, client_key, token, request):
        return token == SECRETS["access_token"]

    def validate_realms(self, client_key, token, request, uri=None, realms=None):
        return True

    def get_client_secret(self, client_key, request):
        return SECRETS["consumer_secret"]

    def get_access_token_secret(self, client_key, token, request):
        return SECRETS["access_token_secret"]

    def lets_in(self, received):
        """Tell whether the request was signed, just now, by who holds both secrets."""
        endpoint = ResourceEndpoint(self)
        return endpoint.validate_protected_resource_request(
            received.url, received.method, received.body, received.headers
        )[0]


def test_the_body_is_what_the_contract_asks_for():
    """Tweet IDs as text, an exclusive end, the four-way grouping and the two that audit it."""
    with asking() as (api, client, _):
        client.ask(REQUEST)
    assert json.loads(api.received[0].body) == {
        "tweet_ids": ["1890000000000000001", "1890000000000000002"],
        "engagement_types": ["impressions", "url_clicks"],
        "groupings": {
            "by_tweet_type_day_hour": {
                "group_by": ["tweet.id", "engagement.type", "engagement.day", "engagement.hour"],
            },
            "by_tweet_type": {"group_by": ["tweet.id", "engagement.type"]},
            "by_type": {"group_by": ["engagement.type"]},
        },
        "start": "2026-01-01",
        "end": "2026-01-03",
    }
    assert api.received[0].url == api.url + "/insights/engagement/historical"
    assert api.received[0].headers["Content-Type"] == "application/json"
    assert api.received[0].headers["Accept-Encoding"] == "gzip"


@pytest.mark.parametrize("endpoint", [RECENT, TOTALS])
def test_an_endpoint_of_the_present_is_asked_for_no_days(endpoint):
    """/totals takes no groupings by day, so its rows are the sums themselves."""
    with asking() as (api, client, _):
        client.ask(replace(REQUEST, endpoint=endpoint, window=None))
    asked = json.loads(api.received[0].body)
    assert api.received[0].url == f"{api.url}/insights/engagement/{endpoint}"
    assert sorted(asked) == ["engagement_types", "groupings", "tweet_ids"]
    sums = {
        "by_tweet_type": {"group_by": ["tweet.id", "engagement.type"]},
        "by_type": {"group_by": ["engagement.type"]},
    }
    cells = {
        "by_tweet_type_day_hour": {"group_by": ["tweet.id", "engagement.type", "engagement.day", "engagement.hour"]}
    }
    assert asked["groupings"] == (sums if endpoint == TOTALS else cells | sums)


def test_a_request_is_signed_as_oauthlib_verifies_it():
    with asking() as (api, client, _):
        client.ask(REQUEST)
    assert Vendor().lets_in(api.received[0])


def test_a_request_signed_with_another_secret_is_not_let_in():
    """The vendor of these tests does look."""
    other = replace(ACCOUNTS, app=replace(ACCOUNTS.app, consumer_secret="another"))
    with asking(accounts=other) as (api, client, _):
        client.ask(REQUEST)
    assert not Vendor().lets_in(api.received[0])


def test_each_try_carries_a_fresh_nonce_and_a_signature_of_its_own():
    with asking(BUSY, BUSY, Answer()) as (api, client, _):
        client.ask(REQUEST)
    vendor = Vendor()
    assert [vendor.lets_in(received) for received in api.received] == [True, True, True]
    assert len({received.headers["Authorization"] for received in api.received}) == 3


def test_each_try_is_stamped_with_the_time_at_which_it_is_sent(monkeypatch):
    """The timestamp is the machine's clock at the try; a try an hour later says so."""
    stamps = iter(["1700000000", "1700003600"])
    monkeypatch.setattr("oauthlib.oauth1.rfc5849.generate_timestamp", lambda: next(stamps))
    with asking(BUSY, Answer()) as (api, client, _):
        client.ask(REQUEST)
    first, second = (received.headers["Authorization"] for received in api.received)
    assert 'oauth_timestamp="1700000000"' in first
    assert 'oauth_timestamp="1700003600"' in second


def test_a_gzipped_answer_is_given_back_decompressed():
    with asking(Answer(body=gzip.compress(GOOD), packed=True)) as (_, client, _):
        assert client.ask(REQUEST).body == GOOD


def test_a_response_says_when_the_try_that_it_answers_was_sent():
    moments = iter([AT_42_SECONDS, AT_42_SECONDS.replace(minute=31)])
    with asking(BUSY, Answer(), now=lambda: next(moments)) as (_, client, _):
        response = client.ask(REQUEST)
    assert response.asked_at == AT_42_SECONDS.replace(minute=31)


def test_the_time_out_reaches_the_transport(monkeypatch):
    seen = []
    send = HTTPAdapter.send
    monkeypatch.setattr(
        HTTPAdapter,
        "send",
        lambda self, *a, **options: seen.append(options["timeout"]) or send(self, *a, **options),
    )
    with asking(timeout_seconds=7) as (_, client, _):
        client.ask(REQUEST)
    assert seen == [7]


def test_no_answer_in_time_is_retried_and_named(monkeypatch):
    def too_slow(*_, **__):
        raise requests.exceptions.ReadTimeout("secret detail")

    monkeypatch.setattr(HTTPAdapter, "send", too_slow)
    caught, _ = raised(Answer())
    assert isinstance(caught, UnavailableError)
    assert "no answer in time" in str(caught)


@pytest.mark.parametrize(
    "passing",
    [
        pytest.param(error(500, "oops"), id="500"),
        pytest.param(Answer(status=502, body=b"<html>Bad Gateway</html>"), id="502 in HTML"),
        pytest.param(BUSY, id="503"),
        pytest.param(RESET, id="reset in mid-body"),
        pytest.param(CUT_GZIP, id="truncated gzip"),
        pytest.param(Answer(body=b"no gzip at all", packed=True), id="not gzip"),
        pytest.param(NOT_JSON, id="200 that is not JSON"),
        pytest.param(Answer(body=b""), id="empty 200"),
        pytest.param(Answer(body=b'{"a": "\xff"}'), id="200 that is not UTF-8"),
    ],
)
def test_what_usually_passes_is_tried_again(passing):
    with asking(passing, passing, Answer()) as (api, client, _):
        assert client.ask(REQUEST).body == GOOD
    assert len(api.received) == 3


OTHER = replace(REQUEST, tweet_ids=(7,))


def only_others(received):
    """Answer everything but REQUEST."""
    return BUSY if str(REQUEST.tweet_ids[0]) in received.body.decode() else Answer()


@pytest.mark.parametrize("tries", [2, 3, 6])
def test_a_request_that_fails_by_itself_has_its_tries_and_no_pause_after_the_last(monkeypatch, tries):
    """Another one that is answered again tells that it does, after the pause of a probe."""
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    with asking(only_others, tries=tries) as (api, client, clock):
        client.ask(OTHER)
        with pytest.raises(UnavailableError, match="answered 503"):
            client.ask(REQUEST)
    assert [len(clock.exchanges), clock.exchanges[-1].tries] == [3, tries]
    assert len(api.received) == 2 + tries
    assert len(clock.naps) == tries - 1


def test_pauses_are_drawn_below_a_ceiling_that_doubles_up_to_a_minute(monkeypatch):
    ceilings = []
    monkeypatch.setattr(random, "uniform", lambda low, high: ceilings.append((low, high)) or high / 2)
    with asking(only_others, tries=9) as (_, client, clock):
        client.ask(OTHER)
        with pytest.raises(UnavailableError):
            client.ask(REQUEST)
    assert ceilings == [(0, high) for high in (2, 4, 8, 16, 32, 60, 60)]
    assert clock.naps == [PAUSES[0], *(high / 2 for _, high in ceilings)]


def test_while_all_fails_no_try_of_a_request_counts(monkeypatch):
    """Neither those of the request nor those of the one that is asked for in its place."""
    monkeypatch.setattr(random, "uniform", lambda *_: pytest.fail("it does not fail by itself"))
    with asking(Answer(), *[BUSY] * 7, Answer(), tries=2) as (_, client, clock):
        client.ask(OTHER)
        client.ask(REQUEST)
    assert clock.naps == pytest.approx([1, 4, 20, 60, 60, 60, 60])


def test_what_is_asked_again_to_find_out_is_told_to_the_log():
    with asking(Answer(), BUSY, Answer()) as (api, client, clock):
        client.ask(OTHER)
        client.ask(REQUEST)
    assert [(exchange.request, exchange.tries) for exchange in clock.exchanges] == [
        (OTHER, 1),
        (OTHER, 1),
        (REQUEST, 2),
    ]
    assert len(api.received) == 4


def test_a_429_closes_the_budget_until_the_next_minute():
    with asking(error(429, "slow down"), Answer(), now=lambda: AT_42_SECONDS) as (_, client, clock):
        client.ask(REQUEST)
    assert clock.naps == [pytest.approx(18 + AFTER_RESET, abs=ANSWERED_WITHIN)]


def test_a_429_closes_the_budget_for_as_long_as_its_headers_say():
    told = replace(error(429, "slow down"), headers={"Retry-After": "240"})
    with asking(told, Answer()) as (_, client, clock):
        client.ask(REQUEST)
    assert clock.naps == [pytest.approx(240)]


@pytest.mark.parametrize("answer", [Answer(), error(403, "No."), error(429, "slow down"), BUSY, NOT_JSON])
def test_the_headers_of_every_answer_correct_the_budget(answer):
    """60 a minute, where nothing was said before: the gap to the next slot tells."""
    told = replace(answer, headers={"x-per-minute-limit": "60", "Retry-After": "1"})
    with asking(told, tries=1, patience_minutes=0) as (_, client, clock):
        for _ in range(2):
            with suppress(ApiError):
                client.ask(REQUEST)
    assert clock.naps == [pytest.approx(60 / (SHARE * 60))]


def test_an_answer_with_nothing_remaining_holds_back_the_next_request():
    spent = replace(Answer(), headers={"x-per-minute-remaining": "0"})
    with asking(spent, Answer(), now=lambda: AT_42_SECONDS) as (_, client, clock):
        client.ask(REQUEST)
        assert clock.naps == []
        client.ask(REQUEST)
    assert clock.naps == [pytest.approx(18 + AFTER_RESET, abs=ANSWERED_WITHIN)]


def test_a_429_holds_back_other_requests_too():
    """The budget is shared, so whoever asks next waits as well."""
    with asking(error(429, "slow down"), Answer(), tries=1, now=lambda: AT_42_SECONDS) as (_, client, clock):
        with pytest.raises(UnavailableError, match="requests_per_minute"):
            client.ask(REQUEST)
        assert clock.naps == []
        client.ask(replace(REQUEST, tweet_ids=(7,)))
    assert clock.naps == [pytest.approx(18 + AFTER_RESET, abs=ANSWERED_WITHIN)]


def test_an_unreachable_api_is_named():
    with asking() as (api, _, _):
        url = api.url
    clock = Clock()
    with (
        asking_of(url, ACCOUNTS, clock, patience_minutes=0) as client,
        pytest.raises(UnavailableError, match=f"{url}.* cannot be reached") as caught,
    ):
        client.ask(REQUEST)
    assert caught.value.status == 0
    assert [(exchange.status, exchange.tries, exchange.size) for exchange in clock.exchanges] == [(0, 2, 0)]


def test_a_proxy_before_the_api_is_named_and_its_password_is_not(monkeypatch):
    with proxy(b"HTTP/1.1 503 Service Unavailable\r\n\r\n") as company:
        monkeypatch.setenv("https_proxy", company.url.replace("//", "//ann:pa55word@"))
        with (
            asking_of("https://api.example.com", ACCOUNTS, Clock(), patience_minutes=0) as client,
            pytest.raises(UnavailableError) as caught,
        ):
            client.ask(REQUEST)
    assert f" cannot be reached (the proxy {company.url} refused the way with 503): " in str(caught.value)
    assert "pa55word" not in str(caught.value)


def test_once_patience_is_over_nothing_more_is_sent():
    with asking(BUSY, patience_minutes=3) as (api, client, clock):
        for request in (REQUEST, OTHER):
            with pytest.raises(OutageError, match=r"answered 503.*answered nothing for 3 min"):
                client.ask(request)
    assert clock.seconds == pytest.approx(180)
    assert [exchange.request for exchange in clock.exchanges] == [REQUEST]
    assert len(api.received) == clock.exchanges[0].tries


def test_without_patience_the_failure_tells_of_no_wait():
    with asking(BUSY, patience_minutes=0) as (_, client, _), pytest.raises(OutageError) as caught:
        client.ask(REQUEST)
    assert "answered 503" in str(caught.value)
    assert "patience_minutes" not in str(caught.value)


def test_a_refusal_is_an_answer_too():
    """So the next outage begins anew."""
    with asking(BUSY, BUSY, error(403, "Forbidden to access tweets: 1"), BUSY, Answer()) as (_, client, clock):
        with pytest.raises(ApiError):
            client.ask(REQUEST)
        client.ask(REQUEST)
    assert clock.naps == [1, 4, 1]


def test_a_429_does_not_count_as_down():
    with asking(*[error(429, "slow down")] * 23, Answer(), tries=24, patience_minutes=0) as (api, client, _):
        client.ask(REQUEST)
    assert len(api.received) == 24


def test_a_client_that_was_stopped_sends_nothing_more():
    with asking() as (api, client, _):
        client.stop()
        with pytest.raises(CancelledError):
            client.ask(REQUEST)
    assert api.received == []


@pytest.mark.parametrize("answer", [Answer(), BUSY, RESET, CUT_GZIP, NOT_JSON, error(401, "no"), error(403, "no")])
def test_no_secret_is_in_any_message_log_record_or_repr(answer, caplog):
    caplog.set_level(logging.DEBUG)
    with asking(answer) as (_, client, _):
        try:
            shown = [client.ask(REQUEST)]
        except ApiError as caught:
            shown = [caught, *caught.texts]
        shown += [client, ACCOUNTS, ACCOUNTS.app, ACCOUNTS.by_handle["ann"]]
    text = caplog.text + "".join(f"{item!r} {item!s}" for item in shown)
    assert [name for name, secret in SECRETS.items() if secret in text] == []
    assert "oauth_signature" not in text
