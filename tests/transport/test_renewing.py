"""OAuth 2 tokens while requests are sent: which kind signs for which API, and when a token is refreshed, once."""

import errno
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from scripted_api import REQUEST, Answer, Clock, ScriptedApi, error

from engagement_pipeline.core.endpoints import ANALYTICS
from engagement_pipeline.core.errors import AccountError, RefusedError, UnavailableError
from engagement_pipeline.core.model import Window
from engagement_pipeline.core.redaction import BODY_MASK
from engagement_pipeline.sources import engagement, x_api_v2
from engagement_pipeline.transport import accounts
from engagement_pipeline.transport.accounts import Account, UserTokens
from engagement_pipeline.transport.client import Client
from engagement_pipeline.transport.patience import Patience
from engagement_pipeline.transport.rate_limit import RateLimiter
from engagement_pipeline.transport.renewing import Renewing

FILE = """\
[app]
consumer_key = "KeyOfAnnsApp1"
consumer_secret = "SecretOfAnnsApp1"
client_id = "ClientOfAnnsApp1"
client_secret = "SecretOfAnnsClient1"
"""
NOW, HOUR = datetime(2026, 2, 1, tzinfo=UTC), timedelta(hours=1)
FRESH = UserTokens("AccessToken-1", "RefreshToken-1", NOW + HOUR, "99")
OVER = replace(FRESH, expires_at=NOW - HOUR)
ANALYSED = replace(REQUEST, endpoint=ANALYTICS, window=Window(date(2026, 1, 1), date(2026, 1, 2)))
UNAUTHORIZED = Answer(status=401, body=b'{"title": "Unauthorized", "type": "about:blank", "status": 401}')
FORBIDDEN = Answer(status=403, body=b'{"title": "Forbidden", "type": "about:blank", "status": 403}')
SPENT = Answer(status=400, body=b'{"error": "invalid_request", "error_description": "Value passed was invalid."}')


class Api:
    """Serves the newest access token alone, and gives the next pair for each refresh token that is not spent."""

    def __init__(self, *, number=1, expires_in=7200, data=None, refusal=UNAUTHORIZED):
        self.number = number
        self.expires_in = expires_in
        self.data = data or (lambda _: Answer())
        self.refusal = refusal
        self.refreshed = 0

    def __call__(self, received):
        if received.url.endswith("/2/oauth2/token"):
            return self._refresh(received)
        if received.headers["Authorization"] != f"Bearer AccessToken-{self.number}":
            return self.refusal
        return self.data(received)

    def _refresh(self, received):
        self.refreshed += 1
        if f"refresh_token=RefreshToken-{self.number}" not in received.body.decode():
            return SPENT
        self.number += 1
        pair = {"access_token": f"AccessToken-{self.number}", "refresh_token": f"RefreshToken-{self.number}"}
        return Answer(body=json.dumps(pair | {"token_type": "bearer", "expires_in": self.expires_in}).encode())


@pytest.fixture
def asking(tmp_path):
    """Return a function that asks an API for Ann, and gives what came, or raises; `oauth2` are her tokens."""
    path = tmp_path / "accounts.toml"

    def ask(api, *, oauth2=FRESH, source=x_api_v2, request=ANALYSED, times=1, tries=1, app=FILE, oauth1=("", "")):
        path.write_text(app)
        path.chmod(0o600)
        accounts.save(path, Account("ann", *oauth1, oauth2=oauth2))
        with ScriptedApi(api) as server:
            client = Client(
                source,
                accounts.load(path),
                api_url=server.url,
                auth_url=server.url,
                rate_limiter=RateLimiter(60_000_000),
                patience=Patience(0),
                tries=tries,
                timeout_seconds=60,
                log=Clock().exchanges.append,
                now=lambda: NOW,
            )
            with client, ThreadPoolExecutor(times) as pool:
                ask.received = server.received
                return list(pool.map(client.ask, [request] * times))

    ask.path = path
    return ask


def held(asking):
    return accounts.glance(asking.path).by_handle["ann"].oauth2


def test_a_token_that_is_not_over_is_sent_as_it_is(asking):
    api = Api()
    asking(api)
    assert api.refreshed == 0
    assert held(asking).refresh_token == "RefreshToken-1"


def test_a_token_that_is_over_is_refreshed_before_it_is_sent(asking):
    api = Api()
    asking(api, oauth2=OVER)
    token, data = asking.received
    assert token.url.endswith("/2/oauth2/token")
    assert data.headers["Authorization"] == "Bearer AccessToken-2"
    assert (held(asking).access_token, held(asking).refresh_token) == ("AccessToken-2", "RefreshToken-2")


def test_a_token_that_the_api_refuses_is_refreshed_and_the_request_sent_again(asking):
    """Whatever the clock says: those of two machines differ."""
    asking(Api(), oauth2=replace(FRESH, access_token="AccessToken-0"))
    assert [answer.headers["Authorization"].partition(" ")[0] for answer in asking.received] == [
        "Bearer",
        "Basic",
        "Bearer",
    ]
    assert held(asking).access_token == "AccessToken-2"


def test_threads_that_are_refused_at_once_refresh_once(asking):
    api = Api()
    asking(api, oauth2=replace(FRESH, access_token="AccessToken-0"), times=8)
    assert api.refreshed == 1


def test_tokens_that_are_over_as_soon_as_they_come_are_not_refreshed_for_each_request(asking):
    """As this machine's clock has it, which may be hours ahead."""
    api = Api(expires_in=1)
    asking(api, oauth2=OVER, times=8)
    assert api.refreshed == 1


def test_a_new_token_that_is_refused_too_is_one_line_with_the_command(asking):
    api = Api(data=lambda _: UNAUTHORIZED)
    with pytest.raises(AccountError) as caught:
        asking(api)
    assert str(caught.value) == (
        "account ann: the API answered 401 (Unauthorized): it takes no OAuth 2 token of ann any more, not even a new "
        "one: run engagement authorize ann --oauth2"
    )
    assert api.refreshed == 1


@pytest.mark.parametrize("oauth2", [OVER, replace(FRESH, access_token="AccessToken-0")], ids=["over", "refused"])
def test_a_refresh_token_that_is_spent_is_one_line_with_the_command(asking, oauth2):
    with pytest.raises(AccountError) as caught:
        asking(Api(number=5), oauth2=oauth2)
    message = str(caught.value)
    assert message.startswith("account ann: http://127.0.0.1:")
    assert message.endswith(
        "/2/oauth2/token answered 400 (Value passed was invalid.): its refresh token has expired, was taken back, or "
        "was spent by a refresh whose answer got lost: run engagement authorize ann --oauth2"
    )
    assert held(asking).refresh_token == "RefreshToken-1"


def test_a_refresh_that_is_refused_is_not_tried_again_by_other_threads(tmp_path):
    path = tmp_path / "accounts.toml"
    path.write_text(FILE)
    accounts.save(path, Account("ann", oauth2=OVER))
    with ScriptedApi(SPENT) as host:
        renewing = Renewing(accounts.load(path), x_api_url=host.url, timeout_seconds=60, now=lambda: NOW)
        for _ in range(3):
            with pytest.raises(AccountError, match="its refresh token has expired"):
                renewing.token("ann")
        assert len(host.received) == 1


def test_an_answer_that_breaks_off_spends_the_token_and_the_next_try_says_what_to_do(asking):
    api = Api()

    def broken(received):
        answer = api(received)
        lost = received.url.endswith("/2/oauth2/token") and answer.status == 200
        return replace(answer, promised=1000) if lost else answer

    with pytest.raises(AccountError, match="spent by a refresh whose answer got lost: run engagement authorize ann"):
        asking(broken, oauth2=OVER, tries=2)
    assert api.refreshed == 2


def test_a_host_that_is_down_costs_no_token(asking):
    with pytest.raises(UnavailableError, match="the vendor's side, try again later"):
        asking(lambda _: error(503, "over capacity"), oauth2=OVER)
    assert held(asking).refresh_token == "RefreshToken-1"


def test_a_client_secret_that_is_wrong_is_told_so(asking):
    with pytest.raises(AccountError, match="check client_id and client_secret in the accounts file"):
        asking(lambda _: Answer(status=401, body=b'{"error": "unauthorized_client"}'), oauth2=OVER)


def test_a_scope_that_is_missing_is_named(asking):
    with pytest.raises(AccountError) as caught:
        asking(Api(data=lambda _: FORBIDDEN))
    assert str(caught.value) == (
        "account ann: the API answered 403 (Forbidden): this needs the scopes tweet.read and users.read, and an app "
        "that may ask it: run engagement authorize ann --oauth2"
    )


def test_a_plan_without_the_analytics_is_told_as_ever(asking):
    body = b'{"title": "Client Forbidden", "reason": "client-not-enrolled", "detail": "No."}'
    with pytest.raises(RefusedError, match="the app's plan lacks the analytics"):
        asking(Api(data=lambda _: Answer(status=403, body=body)))


def test_where_new_tokens_could_not_be_kept_none_are_asked_for_and_the_account_is_told_so(asking, monkeypatch):
    really = os.open

    def refused(name, *arguments, **named):
        if str(name).endswith(".refresh"):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(name))
        return really(name, *arguments, **named)

    monkeypatch.setattr(os, "open", refused)
    api = Api()
    with pytest.raises(AccountError, match=r"^account ann: \S+refresh cannot be written \(Read-only file system\)"):
        asking(api, oauth2=OVER)
    assert api.refreshed == 0


def test_the_app_names_itself_with_its_secret_or_in_the_form(asking):
    asking(Api(), oauth2=OVER)
    assert asking.received[0].headers["Authorization"].startswith("Basic ")
    assert b"client_id" not in asking.received[0].body
    asking(Api(), oauth2=OVER, app=FILE.partition("client_secret")[0])
    assert "Authorization" not in asking.received[0].headers
    assert b"client_id=ClientOfAnnsApp1" in asking.received[0].body


# Which kind signs.


def kinds(asking):
    return {received.headers["Authorization"].partition(" ")[0] for received in asking.received}


def test_x_api_v2_is_asked_with_oauth_2_if_the_account_has_both(asking):
    asking(Api(), oauth1=("99-AnnsToken1", "Secret"))
    assert kinds(asking) == {"Bearer"}


def test_x_api_v2_is_asked_with_oauth_1_if_the_account_has_no_other(asking):
    asking(lambda _: Answer(), oauth1=("99-AnnsToken1", "Secret"), oauth2=None)
    assert kinds(asking) == {"OAuth"}


def test_the_engagement_api_is_asked_with_oauth_1_alone(asking):
    asking(lambda _: Answer(), source=engagement, request=REQUEST, oauth1=("99-AnnsToken1", "Secret"))
    assert kinds(asking) == {"OAuth"}


def test_an_account_with_oauth_2_alone_is_told_what_the_engagement_api_takes(asking):
    with pytest.raises(AccountError) as caught:
        asking(lambda _: Answer(), source=engagement, request=REQUEST)
    assert str(caught.value) == (
        "account ann: it has OAuth 2 tokens alone, and the Engagement API takes those of OAuth 1.0a: engagement "
        "authorize ann gets them; or set source to x_api_v2"
    )
    assert asking.received == []


def test_a_body_that_repeats_a_token_which_came_during_the_run_is_masked(asking):
    def echo(received):
        return Answer(body=json.dumps({"you_sent": received.headers["Authorization"]}).encode())

    (response,) = asking(Api(data=echo), oauth2=OVER)
    assert response.body == b'{"you_sent": "Bearer ' + BODY_MASK + b'"}'


# What tells one account from another.


def test_the_fingerprint_outlives_a_refresh_and_not_another_user():
    one = Account("ann", oauth2=FRESH).fingerprint
    assert Account("ann", oauth2=replace(OVER, access_token="AccessToken-9")).fingerprint == one
    assert Account("ann", oauth2=replace(FRESH, user_id="98")).fingerprint != one
    assert Account("bob", oauth2=FRESH).fingerprint != one


def test_the_fingerprint_of_a_client_is_that_of_the_tokens_that_sign():
    both = Account("ann", "99-AnnsToken1", "Secret", FRESH)
    assert both.signing(oauth2=True).fingerprint == Account("ann", oauth2=FRESH).fingerprint
    assert both.signing(oauth2=False).fingerprint == Account("ann", "99-AnnsToken1", "Secret").fingerprint
