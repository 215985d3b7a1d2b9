"""Signed sessions: one for each account and thread, over connections that all share.

In: the accounts. Out: a session that signs what it sends, by OAuth 1.0a with a handle's tokens, or with the app's
bearer token. The bearer token is fetched when it is first needed and the accounts hold none.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import requests
from requests.auth import AuthBase
from requests_oauthlib import OAuth1Session

from engagement_pipeline.core import bounds
from engagement_pipeline.transport.oauth import bearer_token

if TYPE_CHECKING:
    from engagement_pipeline.transport.accounts import Accounts

MAX_IN_FLIGHT = 64  # requests; the budget decides how many of them wait for an answer at a time


class SignedSessions:
    """The sessions of one app. Safe to share by threads."""

    def __init__(self, accounts: Accounts, *, api_url: str, auth_url: str, timeout_seconds: float) -> None:
        self._accounts = accounts
        self._api_url = api_url
        self._auth_url = auth_url
        self._timeout = timeout_seconds
        self._connections = bounds.Adapter(pool_maxsize=MAX_IN_FLIGHT)  # threads can share it, but not a session
        self._local = threading.local()
        self._bearer = accounts.app.bearer_token
        self._bearer_lock = threading.Lock()

    @property
    def has_bearer_token(self) -> bool:
        """Whether the accounts hold a bearer token, or one has been fetched."""
        return bool(self._bearer)

    def of(self, handle: str) -> requests.Session:
        """Return this thread's session of an account, or of the app itself for an empty handle.

        Raises AccountError or UnavailableError if the bearer token must be fetched and cannot be.
        """
        sessions: dict[str, requests.Session] = self._local.__dict__.setdefault("sessions", {})
        if handle not in sessions:
            sessions[handle] = session = self._signing(handle)
            session.mount(self._api_url, self._connections)
        return sessions[handle]

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()

    def _signing(self, handle: str) -> requests.Session:
        app = self._accounts.app
        if handle:
            account = self._accounts.by_handle[handle]
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
        session.auth = _Bearer(self._bearer)
        return session


class _Bearer(AuthBase):
    """Puts the bearer token into a request."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request
