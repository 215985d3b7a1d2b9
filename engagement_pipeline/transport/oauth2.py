"""OAuth 2 with PKCE, as X API v2 has it: tokens for a code, and the next ones for a refresh token.

    Page        the page that asks the handle -> the code that it leads to
    exchange    a code -> an answer with tokens
    refresh     a refresh token -> an answer with the next tokens
    read        an answer -> the tokens

In: the app's client ID, and its secret unless it is a public client; the host's URL. Out: answers as they came, and
what they hold. oauthlib writes the requests and reads the answers. Nothing is logged, and no message holds a secret.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote_plus

import requests
from oauthlib.common import generate_token
from oauthlib.oauth2 import OAuth2Error, WebApplicationClient
from requests.auth import AuthBase, HTTPBasicAuth

from engagement_pipeline.core.errors import AccountError, InputError
from engagement_pipeline.core.redaction import register, shown
from engagement_pipeline.transport import accounts
from engagement_pipeline.transport.accounts import UserTokens
from engagement_pipeline.transport.token_host import send

if TYPE_CHECKING:
    from engagement_pipeline.core.model import Answer
    from engagement_pipeline.transport.accounts import App

SETTING = "x_api_url"  # where the host stands
OF_READS = ("tweet.read", "users.read")
SCOPES = (*OF_READS, "offline.access")  # the last one is for a refresh token
CALLBACK = "http://127.0.0.1/"  # where the browser lands; the app's page must name it. Nobody need listen there
ANY_HOST = "https://x"  # oauthlib knows https alone; the settings let http through, for this machine
VERIFIER_LETTERS = 64
ACCESS_SECONDS = 7_200  # that an access token lives, if its answer does not tell
YEAR = 31_536_000  # seconds; what is said to live longer is believed this long


class _Public(AuthBase):
    """Signs nothing: a public client names itself in the form."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def command(handle: str) -> str:
    """Return the command that gets new tokens."""
    return f"engagement authorize {handle} --oauth2"


@dataclass(frozen=True, slots=True)
class Page:
    """The page that asks a handle whether it lets the app in. Each has a state and a verifier of its own."""

    client_id: str
    handle: str
    state: str = field(default_factory=generate_token, repr=False)
    verifier: str = field(
        default_factory=lambda: str(WebApplicationClient("").create_code_verifier(VERIFIER_LETTERS)), repr=False
    )

    def __post_init__(self) -> None:
        """Register what must not be seen: with it, whoever has the code gets the tokens."""
        register(self.verifier)

    def query(self) -> str:
        """Return the query of the page's URL."""
        client = WebApplicationClient(self.client_id)
        url: str = client.prepare_request_uri(
            ANY_HOST,
            redirect_uri=CALLBACK,
            scope=SCOPES,
            state=self.state,
            code_challenge=client.create_code_challenge(self.verifier, "S256"),
            code_challenge_method="S256",
        )
        return url.partition("?")[2]

    def code(self, pasted: str) -> str:
        """Return the code in the address where the browser has landed, or alone, as a person has pasted it.

        Raises InputError where there is none, or where the address is the answer to another page.
        """
        text = pasted.strip()
        again = f"run {command(self.handle)} again, and paste the address where the browser lands"
        if not text or accounts.flaw(text):
            raise InputError(f"no code was given for {self.handle}: {again}")
        code = self._in_address(text, again) if "=" in text or "://" in text else text
        register(code)
        return code

    def _in_address(self, text: str, again: str) -> str:
        address = f"{ANY_HOST}/?{text.rpartition('?')[2].partition('#')[0]}"
        try:
            answer = WebApplicationClient(self.client_id).parse_request_uri_response(address, state=self.state)
        except OAuth2Error as error:
            if error.error == "mismatching_state":
                raise InputError(f"what was pasted answers another page than the one above: {again}") from None
            raise InputError(f"the page did not let the app in ({shown(str(error))}): {again}") from None
        return str(answer["code"])


def exchange(app: App, page: Page, code: str, *, x_api_url: str, timeout_seconds: float) -> Answer:
    """Spend a code. Raises AccountError or UnavailableError, InputError for another host."""
    form = WebApplicationClient(app.client_id).prepare_request_body(
        code=code, redirect_uri=CALLBACK, code_verifier=page.verifier, include_client_id=not app.client_secret
    )
    remedy = f"a code is good once, and for a moment: run {command(page.handle)} again"
    return _sent(app, form, page.handle, remedy=remedy, x_api_url=x_api_url, timeout_seconds=timeout_seconds)


def refresh(app: App, handle: str, refresh_token: str, *, x_api_url: str, timeout_seconds: float) -> Answer:
    """Spend a refresh token. Raises AccountError or UnavailableError, InputError for another host."""
    form = WebApplicationClient(app.client_id).prepare_refresh_body(
        refresh_token=refresh_token, client_id=app.client_id, include_client_id=not app.client_secret
    )
    remedy = (
        "its refresh token has expired, was taken back, or was spent by a refresh whose answer got lost: "
        f"run {command(handle)}"
    )
    return _sent(app, form, handle, remedy=remedy, x_api_url=x_api_url, timeout_seconds=timeout_seconds)


def _sent(app: App, form: str, handle: str, *, remedy: str, x_api_url: str, timeout_seconds: float) -> Answer:
    """Send a form to the token host; `remedy` is for a code or token that it does not take."""
    url = f"{x_api_url}/2/oauth2/token"
    try:
        return send(
            "POST",
            url,
            auth=HTTPBasicAuth(quote_plus(app.client_id), quote_plus(app.client_secret))
            if app.client_secret
            else _Public(),
            account=handle,
            setting=SETTING,
            remedy="check client_id and client_secret in the accounts file; a public client has no secret",
            timeout_seconds=timeout_seconds,
            data=dict(parse_qsl(form)),
        )
    except AccountError as error:
        if error.status != requests.codes.bad_request:
            raise
        said = shown("; ".join(error.texts)) or "nothing"
        message = f"account {handle}: {url} answered 400 ({said}): {remedy}"
        raise AccountError(message, account=handle, status=error.status, texts=error.texts) from None


def read(body: bytes, *, asked_at: datetime, before: UserTokens) -> UserTokens:
    """Return the tokens of an answer; what it leaves out is as `before`, also all of it if it holds no tokens.

    An access token lives from `asked_at` on, by this machine's clock.
    """
    found = _fields(body)
    access, refresh = found.get("access_token"), found.get("refresh_token") or before.refresh_token
    if not isinstance(access, str) or not isinstance(refresh, str) or not access:
        return before
    register(access, refresh)
    if accounts.flaw(access + refresh):
        return before
    seconds = min(max(0, found.get("expires_in") or ACCESS_SECONDS), YEAR)
    return UserTokens(access, refresh, asked_at + timedelta(seconds=seconds), before.user_id)


def lacking(body: bytes) -> list[str]:
    """Return the scopes that an answer does not grant; one that names none grants what was asked for."""
    granted = _fields(body).get("scope") or SCOPES
    return [scope for scope in SCOPES if scope not in granted]


def _fields(body: bytes) -> dict[str, Any]:
    """Return what oauthlib finds in an answer, nothing if it has no access token."""
    try:
        return dict(WebApplicationClient("").parse_request_body_response(body.decode()))
    except (OAuth2Error, ValueError, TypeError, AttributeError):
        return {}
