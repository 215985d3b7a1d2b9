"""OAuth 2 of X API v2: the code flow with PKCE, refresh tokens that are good once, scopes, revoked tokens."""

import base64
import hashlib
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from emulator_client import NOW, healthy
from v2_client import ANALYTICS, get_with, query

from engagement_pipeline.emulator import Emulator

ALL = "tweet.read users.read offline.access"
VERIFIER = "a-verifier-of-at-least-43-letters-and-digits-0123456789"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
CALLBACK = "http://127.0.0.1:5000/callback"
INVALID = {"error": "invalid_request", "error_description": "Value passed for the token was invalid."}


@pytest.fixture(scope="module")
def clock():
    return [1_700_000_000.0]


@pytest.fixture(scope="module")
def running(clock):
    with Emulator(now=NOW, clock=lambda: clock[0]) as emulator:
        yield emulator


@pytest.fixture
def emulator(running):
    """The module's emulator with all dials at rest."""
    yield running
    running.v2.faults.reset()


def ask_for_code(emulator, *, at="/2/oauth2/authorize", **changes):
    """Open the page that grants, and return the response."""
    params = {
        "response_type": "code",
        "client_id": emulator.credentials.client_id,
        "redirect_uri": CALLBACK,
        "state": "s-1",
        "scope": ALL,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    } | changes
    params = {name: value for name, value in params.items() if value is not None}
    return requests.get(emulator.url + at, params=params, allow_redirects=False, timeout=60)


def code_of(page):
    """Return the code in the URL to which a page leads."""
    return parse_qs(urlsplit(page.headers["location"]).query)["code"][0]


def post(emulator, form, *, secret=None, auth=True, path="/2/oauth2/token"):
    """Send a form to the token host as the app does, and return the response."""
    pair = (emulator.credentials.client_id, secret or emulator.credentials.client_secret)
    return requests.post(emulator.url + path, data=form, auth=pair if auth else None, timeout=60)


def exchange(emulator, code, **changes):
    """Exchange a code for tokens."""
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    return post(emulator, form | changes)


def tokens(emulator, **changes):
    """Return the tokens of a handle that grants."""
    return exchange(emulator, code_of(ask_for_code(emulator, **changes))).json()


def refresh(emulator, token):
    return post(emulator, {"grant_type": "refresh_token", "refresh_token": token})


def analytics_status(emulator, access_token, handle="harborbooks"):
    return get_with(emulator, access_token, ANALYTICS, query(healthy(handle, place=5).tweet_id)).status_code


@pytest.mark.parametrize("page", ["/2/oauth2/authorize", "/i/oauth2/authorize"])
def test_the_page_grants_at_once_and_leads_back_with_the_code_and_the_state(emulator, page):
    answer = ask_for_code(emulator, at=page)
    place = urlsplit(answer.headers["location"])
    assert (answer.status_code, place.netloc, place.path) == (302, "127.0.0.1:5000", "/callback")
    assert parse_qs(place.query)["state"] == ["s-1"]


def test_a_code_buys_tokens_that_are_served(emulator):
    found = tokens(emulator)
    assert found.keys() == {"token_type", "expires_in", "access_token", "scope", "refresh_token"}
    assert (found["token_type"], found["expires_in"], found["scope"]) == ("bearer", 7200, ALL)
    assert analytics_status(emulator, found["access_token"]) == 200


def test_the_page_grants_for_the_handle_that_is_named(emulator):
    found = tokens(emulator, handle="lumenaudio")
    answer = get_with(emulator, found["access_token"], "/2/users/me")
    assert answer.json()["data"]["username"] == "lumenaudio"


def test_a_plain_challenge_is_its_verifier(emulator):
    page = ask_for_code(emulator, code_challenge=VERIFIER, code_challenge_method=None)
    assert exchange(emulator, code_of(page)).status_code == 200


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"response_type": "token"}, "response_type must be code"),
        ({"client_id": "other"}, "client_id is not one of an app"),
        ({"redirect_uri": "https://client.example/callback"}, "redirect_uri must be http on this machine"),
        ({"state": None}, "state is missing"),
        ({"code_challenge": None}, "code_challenge is missing"),
        ({"code_challenge_method": "S512"}, "code_challenge_method must be one of S256, plain"),
        ({"scope": None}, "scope is missing"),
        ({"handle": "nobody"}, "no such handle here: nobody"),
    ],
)
def test_the_page_refuses_what_is_incomplete(emulator, changes, words):
    answer = ask_for_code(emulator, **changes)
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request", "error_description": words})


def test_a_code_is_good_once(emulator):
    code = code_of(ask_for_code(emulator))
    assert exchange(emulator, code).status_code == 200
    again = exchange(emulator, code)
    assert (again.status_code, again.json()) == (400, INVALID)


def test_a_code_is_good_for_30_seconds(emulator, clock):
    code = code_of(ask_for_code(emulator))
    clock[0] += 31
    assert exchange(emulator, code).json() == INVALID


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"code_verifier": "other"}, "code verifier"), ({"redirect_uri": f"{CALLBACK}/other"}, "redirect uri")],
)
def test_a_code_needs_its_verifier_and_its_callback(emulator, changes, words):
    answer = exchange(emulator, code_of(ask_for_code(emulator)), **changes)
    assert answer.status_code == 400
    assert words in answer.json()["error_description"]


def test_another_grant_type_is_refused(emulator):
    answer = post(emulator, {"grant_type": "password"})
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


def test_the_app_must_prove_who_it_is(emulator):
    form = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": emulator.credentials.client_id}
    for answer in (post(emulator, form, secret="other"), post(emulator, form, auth=False)):
        assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized_client")


def test_a_public_client_names_itself_and_has_no_secret(emulator):
    emulator.v2.faults.set(public_client=True)
    form = {"grant_type": "authorization_code", "code": code_of(ask_for_code(emulator))}
    form |= {"redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    assert post(emulator, form, auth=False).status_code == 401
    named = form | {"client_id": emulator.credentials.client_id}
    assert post(emulator, named, auth=False).status_code == 200


def test_no_refresh_token_comes_without_its_scope(emulator):
    assert "refresh_token" not in tokens(emulator, scope="tweet.read users.read")


def test_a_refresh_token_is_exchanged_for_new_tokens_of_the_same_scopes(emulator):
    first = tokens(emulator)
    second = refresh(emulator, first["refresh_token"]).json()
    assert second["scope"] == first["scope"]
    assert {second["access_token"], second["refresh_token"]}.isdisjoint({*first.values()})
    assert analytics_status(emulator, second["access_token"]) == 200
    assert refresh(emulator, second["refresh_token"]).status_code == 200


def test_a_used_refresh_token_is_refused(emulator):
    first = tokens(emulator)
    refresh(emulator, first["refresh_token"])
    again = refresh(emulator, first["refresh_token"])
    assert (again.status_code, again.json()) == (400, INVALID)


def test_a_refresh_token_is_used_up_even_if_the_answer_is_lost(emulator):
    first = tokens(emulator)
    emulator.v2.faults.set(reset=1)
    with pytest.raises(requests.exceptions.RequestException):
        refresh(emulator, first["refresh_token"])
    emulator.v2.faults.reset()
    assert refresh(emulator, first["refresh_token"]).json() == INVALID


def test_a_fault_instead_of_an_answer_leaves_the_refresh_token_as_it_is(emulator):
    first = tokens(emulator)
    emulator.v2.faults.set(status_503=1)
    assert refresh(emulator, first["refresh_token"]).status_code == 503
    emulator.v2.faults.reset()
    assert refresh(emulator, first["refresh_token"]).status_code == 200


def test_an_access_token_lives_two_hours_and_a_refresh_token_180_days(emulator, clock):
    found = tokens(emulator)
    clock[0] += 7_201
    assert analytics_status(emulator, found["access_token"]) == 401
    clock[0] += 180 * 86_400
    assert refresh(emulator, found["refresh_token"]).json() == INVALID


@pytest.mark.parametrize(
    ("scope", "path", "status"),
    [
        ("tweet.read", ANALYTICS, 403),
        ("users.read offline.access", "/2/users/me", 403),
        ("tweet.read", "/2/media/analytics", 400),  # past the scopes: its parameters are missing
    ],
)
def test_a_token_without_the_scopes_is_forbidden(emulator, scope, path, status):
    answer = get_with(emulator, tokens(emulator, scope=scope)["access_token"], path)
    assert answer.status_code == status


def test_a_missing_scope_is_told_in_four_words(emulator):
    answer = get_with(emulator, tokens(emulator, scope="tweet.read")["access_token"], ANALYTICS, query())
    assert answer.json() == {"title": "Forbidden", "type": "about:blank", "status": 403, "detail": "Forbidden"}


def test_a_dial_narrows_what_is_granted(emulator):
    emulator.v2.faults.set(granted_scopes=["tweet.read"])
    found = tokens(emulator)
    assert (found["scope"], analytics_status(emulator, found["access_token"])) == ("tweet.read", 403)


def test_a_token_shows_the_posts_of_its_handle_alone(emulator):
    answer = get_with(emulator, tokens(emulator)["access_token"], ANALYTICS, query(healthy("lumenaudio").tweet_id))
    assert answer.json()["errors"][0]["type"].endswith("/not-authorized-for-resource")


def test_a_revoked_token_is_not_accepted(emulator):
    found = tokens(emulator)
    assert post(emulator, {"token": found["access_token"]}, path="/2/oauth2/revoke").json() == {"revoked": True}
    assert analytics_status(emulator, found["access_token"]) == 401


def test_a_revoked_handle_is_locked_out_with_its_oauth_2_tokens(emulator):
    found = tokens(emulator)
    emulator.v2.faults.set(revoked_handles=["harborbooks"])
    assert analytics_status(emulator, found["access_token"]) == 401


def test_the_log_holds_no_form(emulator):
    found = tokens(emulator)
    logged = emulator.v2.requests[-1]
    assert (logged.path, logged.handle, logged.status) == ("/2/oauth2/token", "harborbooks", 200)
    assert found["access_token"] not in repr(emulator.v2.requests)


def test_a_large_form_is_not_read(emulator):
    assert post(emulator, {"token": "x" * 2**16}).status_code == 413
