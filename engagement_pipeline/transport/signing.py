"""Signed sessions: one for each account and thread, over connections that all share.

In: the accounts, with one kind of token each. Out: a session that signs what it sends, by OAuth 1.0a or OAuth 2 with a
handle's tokens, or with the app's bearer token. The bearer token is fetched when it is first needed and the accounts
hold none. What the API says to an OAuth 2 token is explained here: no source knows which kind signs.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import requests
from requests_oauthlib import OAuth1Session

from engagement_pipeline.core import bounds
from engagement_pipeline.core.errors import AccountError
from engagement_pipeline.core.redaction import shown
from engagement_pipeline.transport import oauth2
from engagement_pipeline.transport.renewing import Renewing
from engagement_pipeline.transport.token_host import Bearer
from engagement_pipeline.transport.tokens import bearer_token

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from engagement_pipeline.core.errors import ApiError
    from engagement_pipeline.transport.accounts import Accounts

MAX_IN_FLIGHT = 64  # requests; the budget decides how many of them wait for an answer at a time


class SignedSessions:
    """The sessions of one app. Safe to share by threads."""

    def __init__(
        self, accounts: Accounts, *, api_url: str, auth_url: str, timeout_seconds: float, now: Callable[[], datetime]
    ) -> None:
        self._accounts = accounts
        self._api_url = api_url
        self._auth_url = auth_url
        self._timeout = timeout_seconds
        self._connections = bounds.Adapter(pool_maxsize=MAX_IN_FLIGHT)  # threads can share it, but not a session
        self._local = threading.local()
        self._bearer = accounts.app.bearer_token
        self._bearer_lock = threading.Lock()
        self._renewing = Renewing(accounts, x_api_url=api_url, timeout_seconds=timeout_seconds, now=now)

    @property
    def has_bearer_token(self) -> bool:
        """Whether the accounts hold a bearer token, or one has been fetched."""
        return bool(self._bearer)

    def of(self, handle: str) -> requests.Session:
        """Return this thread's session of an account, or of the app itself for an empty handle.

        Raises AccountError or UnavailableError if the bearer token must be fetched, or an OAuth 2 token refreshed, and
        cannot be. Raises AccountError for an account that has no token of the kind that the API takes.
        """
        sessions = self._of_this_thread()
        if handle not in sessions:
            sessions[handle] = session = self._signing(handle)
            session.mount(self._api_url, self._connections)
        if handle in self._renewing:
            sessions[handle].auth = Bearer(self._renewing.token(handle))
        return sessions[handle]

    def _of_this_thread(self) -> dict[str, requests.Session]:
        found: dict[str, requests.Session] = self._local.__dict__.setdefault("sessions", {})
        return found

    def may_renew(self, error: ApiError) -> bool:
        """Tell whether a refresh may help; then the token that this thread has sent is not sent again."""
        session = self._of_this_thread().get(error.account)
        if error.status != requests.codes.unauthorized or not session or not isinstance(session.auth, Bearer):
            return False
        return self._renewing.refuse(error.account, session.auth.token)

    def explained(self, error: AccountError) -> AccountError:
        """Return the error of an account with what it means where an OAuth 2 token was sent."""
        handle, status = error.account, error.status
        if handle not in self._renewing:
            return error
        said = shown("; ".join(error.texts)) or "nothing"
        new = f"run {oauth2.command(handle)}"
        means = f"it takes no OAuth 2 token of {handle} any more, not even a new one: {new}"
        if status == requests.codes.forbidden:
            means = f"this needs the scopes {' and '.join(oauth2.OF_READS)}, and an app that may ask it: {new}"
        message = f"account {handle}: the API answered {status} ({said}): {means}"
        return AccountError(message, account=handle, status=status, texts=error.texts)

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()

    def _signing(self, handle: str) -> requests.Session:
        app = self._accounts.app
        if handle:
            account = self._accounts.by_handle[handle]
            if account.oauth2:
                return requests.Session()
            if not account.access_token:
                raise AccountError(
                    f"account {handle}: it has OAuth 2 tokens alone, and the Engagement API takes those of OAuth 1.0a: "
                    f"engagement authorize {handle} gets them; or set source to x_api_v2",
                    account=handle,
                )
            signing: requests.Session = OAuth1Session(
                app.consumer_key,
                client_secret=app.consumer_secret,
                resource_owner_key=account.access_token,
                resource_owner_secret=account.access_token_secret,
            )
            return signing
        with self._bearer_lock:
            self._bearer = self._bearer or bearer_token(app, auth_url=self._auth_url, timeout_seconds=self._timeout)
        session = requests.Session()
        session.auth = Bearer(self._bearer)
        return session
