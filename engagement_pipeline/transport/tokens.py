"""Tokens from the vendor's authorisation host: a handle's, by a PIN, and the app's own.

    run            request token -> the page that shows the handle a PIN -> access token -> accounts.toml
    bearer_token   consumer key and secret -> bearer token

In: the app's keys, the host's URL and, for a handle, someone to ask for the PIN. Out: tokens. Nothing is logged,
and no message holds a secret.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote_plus, urlencode

import orjson
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth1

from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.handles import normalised
from engagement_pipeline.core.redaction import register, shown
from engagement_pipeline.transport import accounts
from engagement_pipeline.transport.accounts import Account, App
from engagement_pipeline.transport.token_host import incomplete, send, unavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engagement_pipeline.core.model import Answer

OUT_OF_BAND = "oob"  # the callback that makes the vendor show a PIN
TOKEN_FIELDS = ("oauth_token", "oauth_token_secret")


def authorize(
    path: Path,
    handle: str,
    *,
    auth_url: str,
    timeout_seconds: float,
    ask_pin: Callable[[str], str],
) -> None:
    """Let a handle give the app of the accounts file its tokens, and write them there.

    `handle` is a normalised one. `ask_pin` gets the URL of the page to open and returns the PIN that it shows.
    Raises AccountError or UnavailableError if the host gives no token. Raises InputError if no PIN is given, if another
    handle authorised the app, if auth_url is of another host, or if the file cannot be used. Then nothing is written.
    """
    app = accounts.load(path).app
    account = _account(handle, app, path=path, auth_url=auth_url, timeout_seconds=timeout_seconds, ask_pin=ask_pin)
    accounts.save(path, account)


def _account(
    handle: str,
    app: App,
    *,
    path: Path,
    auth_url: str,
    timeout_seconds: float,
    ask_pin: Callable[[str], str],
) -> Account:
    """Walk the three legs; `path` is where the keys are to be mended if they are refused."""
    again = f"run engagement authorize {handle} again"
    ask = partial(send, "POST", account=handle, setting="auth_url", timeout_seconds=timeout_seconds)
    answer = ask(
        f"{auth_url}/oauth/request_token",
        auth=OAuth1(app.consumer_key, app.consumer_secret, callback_uri=OUT_OF_BAND),
        remedy=f"check the app's keys in {path}, that its settings allow a PIN, and this machine's clock",
    )
    token, secret = _fields(answer, TOKEN_FIELDS, account=handle)
    pin = ask_pin(f"{auth_url}/oauth/authorize?{urlencode({'oauth_token': token})}").strip()
    if not (pin.isascii() and pin.isalnum()):
        raise InputError(f"no PIN was given for {handle}: {again} and type the PIN that the page shows")
    answer = ask(
        f"{auth_url}/oauth/access_token",
        auth=OAuth1(app.consumer_key, app.consumer_secret, token, secret, verifier=pin),
        remedy=f"{again} and type the PIN that the page shows",
    )
    token, secret, screen_name = _fields(answer, (*TOKEN_FIELDS, "screen_name"), account=handle)
    if normalised(screen_name) != handle:
        raise InputError(
            f"{shown(screen_name)!r} let the app in, not {handle}, so nothing is written: log in there as {handle} and "
            f"{again}"
        )
    return Account(handle, token, secret)


def bearer_token(app: App, *, auth_url: str, timeout_seconds: float) -> str:
    """Return the app's bearer token.

    Raises UnavailableError where asking again may help, else AccountError: the accounts can do without it.
    """
    answer = send(
        "POST",
        f"{auth_url}/oauth2/token",
        auth=HTTPBasicAuth(quote_plus(app.consumer_key), quote_plus(app.consumer_secret)),  # as RFC 6749, 2.3.1
        account="",
        setting="auth_url",
        remedy="check consumer_key and consumer_secret in the accounts file",
        timeout_seconds=timeout_seconds,
        data={"grant_type": "client_credentials"},
    )
    try:
        fields = orjson.loads(answer.body)
        kind, token = fields["token_type"], fields["access_token"]
    except (ValueError, TypeError, KeyError):
        kind, token = "", ""
    if str(kind).lower() != "bearer" or not isinstance(token, str) or not token:
        raise incomplete(answer, "a bearer token", account="")
    register(token)
    if flaw := accounts.flaw(token):
        raise unavailable(answer, f"with a bearer token that holds {flaw}", account="")
    return token


def _fields(answer: Answer, names: tuple[str, ...], *, account: str) -> list[str]:
    """Return the fields of those names from a form-encoded answer, which must hold them all."""
    fields = dict(parse_qsl(answer.body.decode(errors="replace").strip()))
    missing = [name for name in names if name not in fields]
    if missing:
        raise incomplete(answer, ", ".join(missing), account=account)
    return [fields[name] for name in names]
