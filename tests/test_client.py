"""The client against scripted answers: signing, retrying, and what its errors carry."""

import gzip
import json
import logging
import random
import string
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import requests
from oauthlib.oauth1 import RequestValidator, ResourceEndpoint
from scripted_api import ACCOUNTS, CUT_GZIP, GOOD, NOT_JSON, REQUEST, RESET, SECRETS, Answer, Clock, asking, error

from engagement_pipeline.client import Client
from engagement_pipeline.errors import AccountError, ApiError, RefusedError, UnavailableError

BUSY = error(503, "over capacity")
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


def raised(answer, *, tries=3):
    """Return the error that an answer becomes, and how many requests it took."""
    with asking(answer, tries=tries) as (api, client, _), pytest.raises(ApiError) as caught:
        client.historical(REQUEST)
    return caught.value, len(api.received)


def test_the_body_is_what_the_contract_asks_for():
    """Tweet IDs as text, an exclusive end, the four-way grouping and the two that audit it."""
    with asking() as (api, client, _):
        client.historical(REQUEST)
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


def test_a_request_is_signed_as_oauthlib_verifies_it():
    with asking() as (api, client, _):
        client.historical(REQUEST)
    assert Vendor().lets_in(api.received[0])


def test_a_request_signed_with_another_secret_is_not_let_in():
    """The vendor of these tests does look."""
    other = replace(ACCOUNTS, app=replace(ACCOUNTS.app, consumer_secret="another"))
    with asking(accounts=other) as (api, client, _):
        client.historical(REQUEST)
    assert not Vendor().lets_in(api.received[0])


def test_each_try_carries_a_fresh_nonce_and_a_signature_of_its_own():
    with asking(BUSY, BUSY, Answer()) as (api, client, _):
        client.historical(REQUEST)
    vendor = Vendor()
    assert [vendor.lets_in(received) for received in api.received] == [True, True, True]
    assert len({received.headers["Authorization"] for received in api.received}) == 3


def test_each_try_is_stamped_with_the_time_at_which_it_is_sent(monkeypatch):
    """The timestamp is the machine's clock at the try; a try an hour later says so."""
    stamps = iter(["1700000000", "1700003600"])
    monkeypatch.setattr("oauthlib.oauth1.rfc5849.generate_timestamp", lambda: next(stamps))
    with asking(BUSY, Answer()) as (api, client, _):
        client.historical(REQUEST)
    first, second = (received.headers["Authorization"] for received in api.received)
    assert 'oauth_timestamp="1700000000"' in first
    assert 'oauth_timestamp="1700003600"' in second


def test_a_gzipped_answer_is_given_back_decompressed():
    with asking(Answer(body=gzip.compress(GOOD), packed=True)) as (_, client, _):
        assert client.historical(REQUEST).body == GOOD


def test_a_response_says_when_it_was_asked_for_and_at_which_try():
    moments = iter([AT_42_SECONDS, AT_42_SECONDS.replace(minute=31)])
    with asking(BUSY, Answer(), now=lambda: next(moments)) as (_, client, _):
        response = client.historical(REQUEST)
    assert (response.asked_at, response.tries) == (AT_42_SECONDS.replace(minute=31), 2)


def test_the_time_out_reaches_the_transport(monkeypatch):
    seen = []
    send = requests.Session.send
    monkeypatch.setattr(
        requests.Session,
        "send",
        lambda self, *a, **options: seen.append(options["timeout"]) or send(self, *a, **options),
    )
    with asking(timeout_seconds=7) as (_, client, _):
        client.historical(REQUEST)
    assert seen == [7]


def test_no_answer_in_time_is_retried_and_named(monkeypatch):
    def too_slow(*_, **__):
        raise requests.exceptions.ReadTimeout("secret detail")

    monkeypatch.setattr(requests.Session, "send", too_slow)
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
        assert client.historical(REQUEST).tries == 3
    assert len(api.received) == 3


@pytest.mark.parametrize("tries", [1, 2, 6])
def test_the_last_try_raises_without_a_pause_after_it(monkeypatch, tries):
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    with asking(BUSY, tries=tries) as (api, client, clock), pytest.raises(UnavailableError, match="answered 503"):
        client.historical(REQUEST)
    assert len(api.received) == tries
    assert len(clock.naps) == tries - 1


def test_pauses_are_drawn_below_a_ceiling_that_doubles_up_to_a_minute(monkeypatch):
    ceilings = []
    monkeypatch.setattr(random, "uniform", lambda low, high: ceilings.append((low, high)) or high / 2)
    with asking(BUSY, tries=9) as (_, client, clock), pytest.raises(UnavailableError):
        client.historical(REQUEST)
    assert ceilings == [(0, high) for high in (1, 2, 4, 8, 16, 32, 60, 60)]
    assert clock.naps == [high / 2 for _, high in ceilings]


def test_a_429_closes_the_budget_until_the_next_minute():
    with asking(error(429, "slow down"), Answer(), now=lambda: AT_42_SECONDS) as (_, client, clock):
        client.historical(REQUEST)
    assert clock.naps == [pytest.approx(18)]


def test_a_429_holds_back_other_requests_too():
    """The budget is shared, so whoever asks next waits as well."""
    clock = Clock()
    budget = clock.budget()
    with (
        asking(error(429, "slow down")) as (api, _, _),
        Client(api.url, ACCOUNTS, budget=budget, tries=2, timeout_seconds=10, now=lambda: AT_42_SECONDS) as client,
    ):
        with pytest.raises(UnavailableError, match="requests_per_minute"):
            client.historical(REQUEST)
        before = clock.seconds
        budget.wait()
    assert before == pytest.approx(18)


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 405, 406])
def test_what_asking_again_cannot_mend_is_asked_once(status):
    caught, asked = raised(error(status, "No."))
    assert (caught.status, caught.texts, asked) == (status, ("No.",), 1)


def test_a_redirect_is_not_followed():
    """A signed request must not be carried to another host."""
    with asking() as (elsewhere, _, _):
        moved = Answer(status=307, headers={"Location": elsewhere.url + "/insights/engagement/historical"})
        caught, asked = raised(moved)
    assert isinstance(caught, RefusedError)
    assert (asked, elsewhere.received) == (1, [])


@pytest.mark.parametrize(
    ("answer", "kind", "remedy"),
    [
        (error(401, "Your account could not be authenticated. Reason: x"), AccountError, "check its tokens"),
        (error(403, "Your application id is not authorized."), AccountError, "have the vendor approve the app"),
        (error(403, "Forbidden to access metrics: retweets"), AccountError, "out of the setting types"),
        (error(403, "Forbidden to access tweets: 1"), RefusedError, ""),
        (error(400, "Tweet ID(s) are unavailable"), RefusedError, ""),
        (error(404, "Not Found"), RefusedError, ""),
    ],
)
def test_a_refusal_is_about_the_account_or_about_the_request(answer, kind, remedy):
    caught, _ = raised(answer)
    assert isinstance(caught, kind)
    assert remedy in str(caught)
    assert caught.account == "ann"
    assert "account ann" in str(caught)


@pytest.mark.parametrize(
    ("texts", "tweet_ids"),
    [
        (["Forbidden to access tweets for author id 77: 1, 2"], (1, 2)),
        (
            ["Forbidden to access tweets for author id 77: 1", "Forbidden to access tweets for author id 8: 2, 3"],
            (1, 2, 3),
        ),
        (["Forbidden to access tweets: 1; 2"], (1, 2)),
        (["Forbidden to access tweets for author id 77"], ()),
        (["Forbidden to access tweets"], ()),
        (["FORBIDDEN TO ACCESS TWEETS FOR AUTHOR ID 77: 1890000000000000001"], (1890000000000000001,)),
        (["Only 25 Tweets a request", "Forbidden to access tweets: 5"], (5,)),
    ],
)
def test_the_tweets_that_a_403_names_are_read(texts, tweet_ids):
    """In every documented spelling; author ids are no Tweets."""
    caught, _ = raised(error(403, *texts))
    assert isinstance(caught, RefusedError)
    assert (caught.about_tweets, caught.tweet_ids) == (True, tweet_ids)


def test_a_400_about_unavailable_tweets_names_none():
    caught, _ = raised(error(400, "Tweet ID(s) are unavailable"))
    assert (caught.about_tweets, caught.tweet_ids) == (True, ())


def test_a_400_about_the_request_is_not_about_tweets():
    caught, _ = raised(error(400, "end must be at most 28 days after start"))
    assert not caught.about_tweets


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        (b'{"errors": ["a", "b"]}', ("a", "b")),
        (b'{"errors": [{"message": "a", "code": 34}]}', ("a",)),
        (b'{"errors": [{"code": 34}]}', ("{'code': 34}",)),
        (b'{"errors": "a"}', ("a",)),
        (b'{"error": "a"}', ('{"error": "a"}',)),
        (b"<html>Not here</html>", ("<html>Not here</html>",)),
        (b"[1]", ("[1]",)),
        (b"", ()),
    ],
)
def test_every_shape_of_error_body_is_read(body, texts):
    caught, _ = raised(Answer(status=404, body=body))
    assert caught.texts == texts


def test_a_message_is_one_line_however_long_the_page():
    caught, _ = raised(Answer(status=502, body=b"<html>\n" + b"very long\n" * 1000))
    assert "\n" not in str(caught)
    assert len(str(caught)) < 500


def test_an_unreachable_api_is_named():
    with asking() as (api, _, _):
        url = api.url
    with (
        Client(url, ACCOUNTS, budget=Clock().budget(), tries=2, timeout_seconds=10) as client,
        pytest.raises(UnavailableError, match=f"{url}.* cannot be reached") as caught,
    ):
        client.historical(REQUEST)
    assert caught.value.status == 0


@pytest.mark.parametrize("answer", [Answer(), BUSY, RESET, CUT_GZIP, NOT_JSON, error(401, "no"), error(403, "no")])
def test_no_secret_is_in_any_message_log_record_or_repr(answer, caplog):
    caplog.set_level(logging.DEBUG)
    with asking(answer) as (_, client, _):
        try:
            shown = [client.historical(REQUEST)]
        except ApiError as caught:
            shown = [caught, *caught.texts]
        shown += [client, ACCOUNTS, ACCOUNTS.app, ACCOUNTS.by_handle["ann"]]
    text = caplog.text + "".join(f"{item!r} {item!s}" for item in shown)
    assert [name for name, secret in SECRETS.items() if secret in text] == []
    assert "oauth_signature" not in text
