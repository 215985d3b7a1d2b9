"""A handle lets the app in by OAuth 2, and its tokens are in accounts.toml.

    the page -> a code -> tokens -> the user that they are of -> accounts.toml

In: the accounts file, the host's URL, and someone to ask for the code. Out: nothing; the tokens are in the file, or the
file is as it was.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.handles import normalised
from engagement_pipeline.core.redaction import shown
from engagement_pipeline.transport import accounts, oauth2, rotation
from engagement_pipeline.transport.accounts import Account, UserTokens
from engagement_pipeline.transport.oauth2 import Page
from engagement_pipeline.transport.token_host import Bearer, incomplete, send

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NONE = UserTokens("", "")


def authorize(
    path: Path,
    handle: str,
    *,
    x_api_url: str,
    timeout_seconds: float,
    ask_code: Callable[[str], str],
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Let a handle give the app of the accounts file its OAuth 2 tokens, and write them there.

    `handle` is a normalised one. `ask_code` gets the URL of the page to open, and returns the address where the browser
    lands then, or the code in it. Raises AccountError or UnavailableError if the host gives no tokens. Raises
    InputError for an app without a client ID, a code that is none, or a scope that is not granted. So it does for
    tokens of another user, and a file that cannot be used. Then nothing is written.
    """
    app = accounts.load(path).app
    if not app.client_id:
        raise InputError(
            f"{path} lacks app.client_id: copy it from the app's page at the vendor, and client_secret too unless the "
            f"app is a public client; that page must name the callback {oauth2.CALLBACK}"
        )
    page = Page(app.client_id, handle)
    code = page.code(ask_code(f"{x_api_url}/2/oauth2/authorize?{page.query()}"))
    asked_at = now()
    answer = oauth2.exchange(app, page, code, x_api_url=x_api_url, timeout_seconds=timeout_seconds)
    tokens = oauth2.read(answer.body, asked_at=asked_at, before=NONE)
    if not tokens.access_token:
        raise incomplete(answer, "OAuth 2 tokens", account=handle)
    if lacking := oauth2.lacking(answer.body):
        raise InputError(
            f"{handle} did not grant {', '.join(lacking)}, so nothing is written: allow that in the app's settings at "
            f"the vendor, and run {oauth2.command(handle)} again"
        )
    if not tokens.refresh_token:
        raise incomplete(answer, "a refresh token", account=handle)
    user_id = _user_id(tokens, handle, x_api_url=x_api_url, timeout_seconds=timeout_seconds)
    rotation.keep(path, Account(handle, oauth2=replace(tokens, user_id=user_id)), seconds=timeout_seconds)


def _user_id(tokens: UserTokens, handle: str, *, x_api_url: str, timeout_seconds: float) -> str:
    """Return the user ID of the tokens. Raises InputError where they are another handle's."""
    answer = send(
        "GET",
        f"{x_api_url}/2/users/me",
        auth=Bearer(tokens.access_token),
        account=handle,
        setting=oauth2.SETTING,
        remedy=f"run {oauth2.command(handle)} again; its new tokens are not taken",
        timeout_seconds=timeout_seconds,
    )
    try:
        found = orjson.loads(answer.body)["data"]
        user_id, name = str(found["id"]), str(found["username"])
    except (ValueError, TypeError, KeyError):
        raise incomplete(answer, "a user", account=handle) from None
    if not user_id.isdecimal():
        raise incomplete(answer, "a user", account=handle)
    if normalised(name) != handle:
        raise InputError(
            f"{shown(name)!r} let the app in, not {handle}, so nothing is written: log in there as {handle} and run "
            f"{oauth2.command(handle)} again"
        )
    return user_id
