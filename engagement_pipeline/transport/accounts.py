"""Whose tokens sign a request.

In: accounts.toml, in the layout that the README shows. Out: Accounts, validated as a whole, so that
one message names everything that is missing; and the file again, with the tokens of one account written into it.
An account may have tokens of OAuth 1.0a, of OAuth 2 (the keys that begin with oauth2_), or both.
Secrets never print: no repr here holds one, and each is registered to be masked as soon as there is an object with it.

Tokens are visible ASCII without quotation marks. White space about one is left out, with a warning. Any other character
that a copy has brought along is an error with its name and line, since the API would say `401` and no more.
"""

from __future__ import annotations

import hashlib
import logging
import re
import stat
import unicodedata
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.handles import parse_handle
from engagement_pipeline.core.redaction import register
from engagement_pipeline.transport import private_file
from engagement_pipeline.transport.accounts_text import (
    ACCOUNT_KEYS,
    APP_KEYS,
    EXPIRES_AT,
    OAUTH2_KEYS,
    OAUTH2_USER,
    OPTIONAL_APP_KEYS,
    line_of,
    read,
    tokens_of,
    with_tokens,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

logger = logging.getLogger(__name__)
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
USER_ID = re.compile(r"(\d+)-")  # an access token begins with it
FINGERPRINT_DIGITS = 12  # 48 bits: enough to tell the tokens of one handle apart
BLANKS = " \t\r\n"  # what a copy leaves about a token; no token has any
FOREIGN = re.compile(r"""[^!-~]|["']""")  # what no token holds: all but visible ASCII, and quotation marks
CONTROLS = {"\t": "tab", "\n": "line end", "\r": "carriage return", '"': "quotation mark"}  # as people call them
TEXT = re.compile(r"""["']([^"'\n]+)["']""")  # of TOML, however broken


@dataclass(frozen=True, slots=True)
class App:
    """The registered app: it signs every request, and its contract sets the rate.

    `bearer_token` is empty where the file holds none: it can be fetched with the consumer key. `client_id` and
    `client_secret` are for OAuth 2, and empty where the file holds none; a public client has no secret.
    """

    consumer_key: str = field(repr=False)
    consumer_secret: str = field(repr=False)
    bearer_token: str = field(default="", repr=False)
    client_id: str = field(default="", repr=False)
    client_secret: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        """Register what must not be seen, the headers that fetch tokens included."""
        register(self.consumer_key, self.consumer_secret, self.bearer_token, self.client_secret)
        for name, secret in ((self.consumer_key, self.consumer_secret), (self.client_id, self.client_secret)):
            basic = b64encode(f"{quote_plus(name)}:{quote_plus(secret)}".encode()).decode()
            register(*((basic, basic.rstrip("=")) if secret else ()))


@dataclass(frozen=True, slots=True)
class UserTokens:
    """The OAuth 2 tokens of an account: a refresh gives both anew, and the old refresh token is dead then.

    `expires_at` is when the access token does, by this machine's clock. `user_id` is empty if it is not known.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: datetime = LONG_AGO
    user_id: str = ""

    def __post_init__(self) -> None:
        """Register what must not be seen."""
        register(self.access_token, self.refresh_token)


@dataclass(frozen=True, slots=True)
class Account:
    """A handle that gave the app its tokens: those of OAuth 1.0a, which may be empty, and those of OAuth 2."""

    handle: str
    access_token: str = field(default="", repr=False)
    access_token_secret: str = field(default="", repr=False)
    oauth2: UserTokens | None = None

    def __post_init__(self) -> None:
        """Register what must not be seen."""
        register(self.access_token, self.access_token_secret)

    @property
    def user_id(self) -> str:
        """The user ID at the start of the access token, or beside those of OAuth 2; empty if there is none."""
        found = USER_ID.match(self.access_token)
        return found[1] if found else self.oauth2.user_id if self.oauth2 else ""

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits that change with the handle or its tokens, and reveal nothing of them.

        Those of OAuth 2 change every two hours, so their user stands for them.
        """
        text = f"{self.handle}\n{self.access_token}\n{self.access_token_secret}"
        if self.oauth2:
            text += f"\n{self.oauth2.user_id}"
        return digest(text)

    @property
    def entry(self) -> dict[str, str | int | datetime]:
        """What the file has of it: no key for what is empty."""
        entry: dict[str, str | int | datetime] = dict(
            zip(ACCOUNT_KEYS, (self.access_token, self.access_token_secret), strict=True)
        )
        if of := self.oauth2:
            entry |= dict(zip(OAUTH2_KEYS, (of.access_token, of.refresh_token), strict=True))
            entry |= {EXPIRES_AT: of.expires_at.replace(microsecond=0), OAUTH2_USER: int(of.user_id or 0)}
        return {key: value for key, value in entry.items() if value}

    def signing(self, *, oauth2: bool) -> Account:
        """Return it with the tokens alone that sign for an API: of OAuth 2 where it takes them, else the others."""
        return Account(self.handle, oauth2=self.oauth2) if oauth2 and self.oauth2 else replace(self, oauth2=None)


@dataclass(frozen=True, slots=True)
class Accounts:
    """The app and its accounts by normalised handle: none before the first has authorised the app.

    `path` is that of the file, into which refreshed tokens go; None for accounts that are of no file.
    """

    app: App
    by_handle: Mapping[str, Account]
    path: Path | None = None

    def raise_if_none(self) -> None:
        """Raise InputError where no handle has authorised the app yet."""
        if not self.by_handle:
            raise InputError(f"{self.path} holds no account yet: run engagement authorize HANDLE for each handle")

    @property
    def fingerprints(self) -> Mapping[str, str]:
        """That of each handle's tokens."""
        return {handle: account.fingerprint for handle, account in self.by_handle.items()}

    def signing(self, *, oauth2: bool) -> Accounts:
        """Return them with one kind of token each, those that sign for an API which takes OAuth 2 or does not."""
        return replace(self, by_handle={name: each.signing(oauth2=oauth2) for name, each in self.by_handle.items()})


def digest(text: str) -> str:
    """Return twelve hex digits that change with a text and reveal nothing of it."""
    return hashlib.sha256(text.encode()).hexdigest()[:FINGERPRINT_DIGITS]


def flaw(token: str) -> str:
    """Return the first character that no token holds, as in `a no-break space (U+00A0)`; empty where there is none."""
    found = FOREIGN.search(token)
    if not found:
        return ""
    sign = found[0]
    name = CONTROLS.get(sign) or unicodedata.name(sign, "control character").lower()
    return f"{'an' if name[0] in 'aeio' else 'a'} {name} (U+{ord(sign):04X})"


def load(path: Path) -> Accounts:
    """Read and validate accounts.toml; warn where others on the machine can read it, or a token has blanks about it."""
    text, document = read(path)
    if path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        logger.warning("%s can be read by others on this machine: chmod 600 %s", path, path)
    accounts = _validated(document, path, text)
    if padded := [place for place, token in tokens_of(document) if token != token.strip(BLANKS)]:
        told = ", ".join(f"{'.'.join(place)} in line {line_of(text, place)}" for place in padded)
        logger.warning("%s: blanks or a line end before or after a token are left out: %s", path, told)
    private_file.remove_leftovers(path)
    return accounts


def glance(path: Path) -> Accounts:
    """Read and validate accounts.toml. Raises as `load` does; it warns of nothing and changes nothing."""
    text, document = read(path)
    return _validated(document, path, text)


def remember(path: Path) -> None:
    """Have every secret of an accounts file masked from now on, whatever else is wrong with the file or its place."""
    with suppress(OSError):
        register(*TEXT.findall(path.read_bytes().decode(errors="replace")))
    with suppress(InputError):
        register(*(token for _, token in tokens_of(read(path)[1])))


def save(path: Path, account: Account) -> None:
    """Write an account's tokens into accounts.toml, whose mode is 0600 then; all else in it stays, comments too.

    So do tokens of a kind that `account` lacks.

    Raises InputError, with the file as it was, where it cannot be read, changed or written. Several may save at once:
    each reads what the one before has written.
    """
    for key, value in account.entry.items():
        if isinstance(value, str) and (wrong := flaw(value)):
            raise InputError(f"the new {key} of {account.handle} holds {wrong}, so nothing is written to {path}")
    read(path)  # since a lock would make the folder of a file that is not there
    with private_file.alone(path):
        private_file.remove_asides(path)
        text, document = read(path)
        _validated(document, path, text)
        private_file.write(path, with_tokens(text, document, account.handle, account.entry, path))


def _validated(document: dict[str, Any], path: Path, text: str) -> Accounts:
    register(*(token for _, token in tokens_of(document)))
    app = document.get("app", {})
    accounts = document.get("accounts", {})
    if not isinstance(app, dict) or not isinstance(accounts, dict):
        raise InputError(f"{path} needs an [app] table and one [accounts.HANDLE] table for each handle")
    by_name = {name: _handle(name, path) for name in accounts}
    missing = _missing(app, (*APP_KEYS, *(key for key in OPTIONAL_APP_KEYS if key in app)), "app")
    for name, tokens in accounts.items():
        missing += _missing(tokens, _wanted(tokens), f"accounts.{name}")
    if missing:
        raise InputError(f"{path} lacks {', '.join(missing)}: each must be non-empty text in quotes")
    tokens = {place: token.strip(BLANKS) for place, token in tokens_of(document)}
    if wrong := [(place, flaw(token)) for place, token in tokens.items() if flaw(token)]:
        told = "; ".join(f"{'.'.join(place)} in line {line_of(text, place)} holds {sign}" for place, sign in wrong)
        raise InputError(f"{path}: {told}: copy it again, without what does not belong to it")
    by_handle = {handle: _account(handle, accounts[name]) for name, handle in by_name.items()}
    if len(by_handle) < len(accounts):
        raise InputError(f"{path} holds the same handle twice: handles differ in more than case or an @")
    of_app = {key: tokens["app", key] for key in (*APP_KEYS, *OPTIONAL_APP_KEYS) if key in app}
    return Accounts(App(**of_app), by_handle, path)


def _account(handle: str, table: Mapping[str, Any]) -> Account:
    """Return the account of a table that has passed."""
    key, secret = (table.get(name, "").strip(BLANKS) for name in ACCOUNT_KEYS)
    access, refresh = (table.get(name, "").strip(BLANKS) for name in OAUTH2_KEYS)
    if not access:
        return Account(handle, key, secret)
    until, user = table.get(EXPIRES_AT), table.get(OAUTH2_USER)
    if not isinstance(until, datetime) or not until.tzinfo:
        until = LONG_AGO
    user_id = str(user) if str(user).isdecimal() else ""
    return Account(handle, key, secret, UserTokens(access, refresh, until, user_id))


def _handle(name: str, path: Path) -> str:
    try:
        return parse_handle(name)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None


def _wanted(table: Any) -> tuple[str, ...]:  # noqa: ANN401 - whatever TOML held
    """Return the keys that the table of an account must have: those of each kind that it has some of."""
    given = table if isinstance(table, dict) else {}
    kinds = [kind for kind in (ACCOUNT_KEYS, OAUTH2_KEYS) if any(key in given for key in kind)]
    return tuple(key for kind in kinds or [ACCOUNT_KEYS] for key in kind)


def _missing(table: Any, keys: tuple[str, ...], name: str) -> list[str]:  # noqa: ANN401 - whatever TOML held
    values = table if isinstance(table, dict) else {}
    return [f"{name}.{key}" for key in keys if not (isinstance(values.get(key), str) and values[key].strip())]
