"""The OAuth 2 access token of each account while requests are sent, refreshed when it is over.

In: the accounts, and each token that the API refuses. Out: the token to send now.

A token is over when this machine's clock says so, or when the API refuses it. A clock may be wrong, so it judges only
what the accounts file had: what this process has fetched is sent until the API refuses it.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

from engagement_pipeline.core.errors import AccountError, InputError
from engagement_pipeline.transport import oauth2, rotation

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from engagement_pipeline.core.model import Answer
    from engagement_pipeline.transport.accounts import Accounts, UserTokens

MARGIN = timedelta(minutes=1)  # before a token is over, in which a request may arrive


class Renewing:
    """Gives the access token of an account. `now` is this machine's clock. Safe to share by threads."""

    def __init__(
        self, accounts: Accounts, *, x_api_url: str, timeout_seconds: float, now: Callable[[], datetime]
    ) -> None:
        self._accounts = accounts
        self._x_api_url = x_api_url
        self._timeout = timeout_seconds
        self._now = now
        self._lock = threading.Lock()
        self._held = {name: each.oauth2 for name, each in accounts.by_handle.items() if each.oauth2}
        self._refused: set[str] = set()
        self._fetched: set[str] = set()
        self._lost: dict[str, AccountError] = {}

    def __contains__(self, handle: str) -> bool:
        return handle in self._held

    def token(self, handle: str) -> str:
        """Return the access token to send. Raises AccountError or UnavailableError if it is over and none comes.

        A refresh that is refused is not tried again: each thread gets the same AccountError.
        """
        with self._lock:
            if handle in self._lost:
                raise self._lost[handle]
            if self._is_stale(self._held[handle]):
                self._held[handle] = self._renewed(handle)
            return self._held[handle].access_token

    def refuse(self, handle: str, token: str) -> bool:
        """Note that the API refuses an access token, so that it is not sent again; tell whether it is one from here."""
        with self._lock:
            self._refused.add(token)
            return handle in self._held

    def _is_stale(self, tokens: UserTokens) -> bool:
        token = tokens.access_token
        is_over = tokens.expires_at <= self._now() + MARGIN
        return token in self._refused or (is_over and token not in self._fetched)

    def _renewed(self, handle: str) -> UserTokens:
        assert self._accounts.path

        def ask(before: UserTokens) -> Answer:
            return oauth2.refresh(
                self._accounts.app,
                handle,
                before.refresh_token,
                x_api_url=self._x_api_url,
                timeout_seconds=self._timeout,
            )

        try:
            tokens = rotation.rotated(
                self._accounts.path, handle, is_stale=self._is_stale, ask=ask, seconds=self._timeout, now=self._now
            )
        except InputError as error:  # the other accounts can go on
            self._lost[handle] = AccountError(f"account {handle}: {error}", account=handle)
            raise self._lost[handle] from None
        except AccountError as error:
            self._lost[handle] = error
            raise
        self._fetched.add(tokens.access_token)
        return tokens
