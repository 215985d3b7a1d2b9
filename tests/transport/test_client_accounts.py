"""Whom the client asks for: accounts, the bearer token, who was not let in; all over the same connections."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from scripted_api import ACCOUNTS, REQUEST, Answer, Clock, ScriptedApi, asking, asking_of, error

from engagement_pipeline.core.endpoints import TOTALS
from engagement_pipeline.core.errors import AccountError, OutageError, RefusedError
from engagement_pipeline.transport.accounts import Accounts
from engagement_pipeline.transport.signing import MAX_IN_FLIGHT

CLOSED_WITHIN = 60.0  # seconds; only a client that leaves connections open uses them up

BEARER = replace(ACCOUNTS, app=replace(ACCOUNTS.app, bearer_token="TheBearerTokenOfTheApp"))
FOREIGN = replace(REQUEST, endpoint=TOTALS, handle="", window=None, types=("favorites",))
TOKEN = Answer(body=b'{"token_type": "bearer", "access_token": "FetchedBearerToken"}')


def test_tweets_of_others_are_asked_for_with_the_bearer_token():
    with asking(accounts=BEARER) as (api, client, _):
        client.ask(FOREIGN)
    (received,) = api.received
    assert received.headers["Authorization"] == "Bearer TheBearerTokenOfTheApp"


def test_a_bearer_token_that_is_not_given_is_fetched_once():
    """By whichever thread needs it first."""
    with asking(TOKEN, Answer()) as (api, client, _), ThreadPoolExecutor(4) as pool:
        list(pool.map(client.ask, [FOREIGN] * 12))
    assert [received.url.removeprefix(api.url) for received in api.received] == [
        "/oauth2/token",
        *["/insights/engagement/totals"] * 12,
    ]
    assert {received.headers["Authorization"] for received in api.received[1:]} == {"Bearer FetchedBearerToken"}


def test_a_bearer_token_that_cannot_be_fetched_is_an_error_of_the_app():
    """And is not asked for again."""
    with asking(error(403, {"message": "Unable to verify your credentials", "code": 99})) as (api, client, clock):
        for _ in range(2):
            with pytest.raises(AccountError, match="check consumer_key and consumer_secret") as caught:
                client.ask(FOREIGN)
    assert caught.value.account == ""
    assert len(api.received) == 1
    assert clock.exchanges == []  # no request was sent


def without_tokens(answer):
    """Answer all but the authorisation host, which gives `answer`."""
    return lambda received: answer if received.url.endswith("/oauth2/token") else Answer()


@pytest.mark.parametrize(("answer", "asked"), [(error(404, "Not Found"), 1), (error(503, "over capacity"), 5)])
def test_a_host_that_gives_no_bearer_token_is_a_failure_of_the_app_alone(answer, asked):
    """The API answers the accounts."""
    with asking(without_tokens(answer), tries=5) as (api, client, _):
        client.ask(REQUEST)
        for _ in range(2):
            with pytest.raises(AccountError) as caught:
                client.ask(FOREIGN)
        assert caught.value.account == ""
        client.ask(REQUEST)
    assert len([received for received in api.received if received.url.endswith("/oauth2/token")]) == asked


def test_a_host_that_gives_no_bearer_token_is_waited_for_where_nothing_else_is_asked():
    with asking(error(503, "over capacity"), patience_minutes=3) as (_, client, clock), pytest.raises(OutageError):
        client.ask(FOREIGN)
    assert clock.seconds == pytest.approx(180)


def test_all_accounts_and_threads_share_their_connections():
    """200 handles do not mean 200 times 64 of them; and all are closed when the client is done."""
    ann = ACCOUNTS.by_handle["ann"]
    many = Accounts(BEARER.app, {f"handle{n}": replace(ann, handle=f"handle{n}") for n in range(200)})
    with ScriptedApi(keeps_alive=True) as api:
        with asking_of(api.url, many, Clock()) as client, ThreadPoolExecutor(4) as pool:
            list(pool.map(client.ask, [FOREIGN, *(replace(REQUEST, handle=handle) for handle in many.by_handle)]))
            assert len(api.received) == 201
            assert len(api.connections) <= 4 < MAX_IN_FLIGHT
        for _ in api.connections:
            assert api.closed.acquire(timeout=CLOSED_WITHIN)


def test_an_account_that_was_not_let_in_is_not_asked_for_again():
    """The others are; a refusal of Tweets shuts nobody out."""
    two = replace(
        ACCOUNTS, by_handle={name: replace(ACCOUNTS.by_handle["ann"], handle=name) for name in ("ann", "bob")}
    )
    answers = (error(401, "No."), error(403, "Forbidden to access tweets: 1"), Answer())
    with asking(*answers, accounts=two) as (api, client, clock):
        for _ in range(2):
            with pytest.raises(AccountError, match="account ann"):
                client.ask(REQUEST)
        with pytest.raises(RefusedError):
            client.ask(replace(REQUEST, handle="bob"))
        client.ask(replace(REQUEST, handle="bob"))
    assert len(api.received) == 3
    assert [(exchange.request.handle, exchange.status) for exchange in clock.exchanges] == [
        ("ann", 401),
        ("bob", 403),
        ("bob", 200),
    ]


def test_the_fingerprint_tells_the_tokens_of_a_handle():
    with asking() as (_, client, _):
        assert client.fingerprint("ann") == ACCOUNTS.by_handle["ann"].fingerprint
        assert client.fingerprint("") == client.fingerprint("left the accounts file") == ""
