"""Whose tokens sign a request.

In: accounts.toml, in the layout that the README shows. Out: Accounts, validated as a whole, so that
one message names everything that is missing; and the file again, with the tokens of one account written into it.
Secrets never print: no repr here holds one.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import stat
import tempfile
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from engagement_pipeline.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger(__name__)
APP_KEYS = ("consumer_key", "consumer_secret")
OPTIONAL_APP_KEYS = ("bearer_token",)
ACCOUNT_KEYS = ("access_token", "access_token_secret")
HANDLE = re.compile(r"[a-z0-9_]+", re.ASCII)  # it becomes part of file names, so nothing else may be in it
FINGERPRINT_DIGITS = 12  # 48 bits: enough to tell the tokens of one handle apart


@dataclass(frozen=True, slots=True)
class App:
    """The registered app: it signs every request, and its contract sets the rate.

    `bearer_token` is empty where the file holds none: it can be fetched with the consumer key.
    """

    consumer_key: str = field(repr=False)
    consumer_secret: str = field(repr=False)
    bearer_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Account:
    """A handle that gave the app its tokens."""

    handle: str
    access_token: str = field(repr=False)
    access_token_secret: str = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits that change with the handle or its tokens, and reveal nothing of them."""
        text = f"{self.handle}\n{self.access_token}\n{self.access_token_secret}"
        return hashlib.sha256(text.encode()).hexdigest()[:FINGERPRINT_DIGITS]


@dataclass(frozen=True, slots=True)
class Accounts:
    """The app and its accounts by normalised handle: none before the first has authorised the app."""

    app: App
    by_handle: Mapping[str, Account]

    @property
    def fingerprints(self) -> Mapping[str, str]:
        """That of each handle's tokens."""
        return {handle: account.fingerprint for handle, account in self.by_handle.items()}

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret that the file holds, longest first, so that none hides a part of another."""
        of_app = (getattr(self.app, key) for key in (*APP_KEYS, *OPTIONAL_APP_KEYS))
        of_accounts = (getattr(account, key) for account in self.by_handle.values() for key in ACCOUNT_KEYS)
        return tuple(sorted({*of_app, *of_accounts} - {""}, key=len, reverse=True))


def normalised(handle: str) -> str:
    """Return a handle as we compare it: no @, no case, as the vendor does."""
    return handle.strip().removeprefix("@").lower()


def parse_handle(text: str) -> str:
    """Read `@Some_Handle` as `some_handle`; raise ValueError with the fix."""
    handle = normalised(text)
    if not HANDLE.fullmatch(handle):
        raise ValueError(f"{text!r} is not a handle: letters, digits and _ only")
    return handle


def load(path: Path) -> Accounts:
    """Read and validate accounts.toml; warn where others on the machine can read it."""
    _, document = _read(path)
    if path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        logger.warning("%s can be read by others on this machine: chmod 600 %s", path, path)
    return _validated(document, path)


def save(path: Path, account: Account) -> None:
    """Write an account's tokens into accounts.toml, whose mode is 0600 then; all else in it stays, comments too.

    Raises InputError, with the file as it was, where it cannot be read, changed or written.
    """
    text, document = _read(path)
    _validated(document, path)
    tables = document.setdefault("accounts", {})
    name = next((name for name in tables if normalised(name) == account.handle), account.handle)
    tokens = {key: getattr(account, key) for key in ACCOUNT_KEYS}
    try:
        changed = _replaced(text, name, tokens) if name in tables else _appended(text, name, tokens)
        tables[name] = tables.get(name, {}) | tokens
        harmed = tomllib.loads(changed) != document
    except (ValueError, TOMLKitError):  # an inline table of accounts cannot be added to, for one
        harmed = True
    if harmed:
        raise InputError(
            f"{path} cannot take the tokens of {account.handle}: write its accounts as [accounts.HANDLE] tables"
        )
    _write_private(path, changed)


def _read(path: Path) -> tuple[str, dict[str, Any]]:
    """Return the text of the file, and the document that it is."""
    try:
        text = path.read_bytes().decode()
        return text, tomllib.loads(text)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: the README shows what it holds") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML: {_position_only(error)}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None


def _position_only(error: Exception) -> str:
    """Return where a TOML document breaks; the rest of the parser's text may quote a secret."""
    text = str(error)
    return text[text.rindex("(at ") :].strip("()") if "(at " in text else "it is not UTF-8 text"


def _validated(document: dict[str, Any], path: Path) -> Accounts:
    app = document.get("app", {})
    accounts = document.get("accounts", {})
    if not isinstance(app, dict) or not isinstance(accounts, dict):
        raise InputError(f"{path} needs an [app] table and one [accounts.HANDLE] table for each handle")
    by_name = {name: _handle(name, path) for name in accounts}
    missing = _missing(app, (*APP_KEYS, *(key for key in OPTIONAL_APP_KEYS if key in app)), "app")
    for name, tokens in accounts.items():
        missing += _missing(tokens, ACCOUNT_KEYS, f"accounts.{name}")
    if missing:
        raise InputError(f"{path} lacks {', '.join(missing)}: each must be non-empty text in quotes")
    by_handle = {
        handle: Account(handle, *(accounts[name][key] for key in ACCOUNT_KEYS)) for name, handle in by_name.items()
    }
    if len(by_handle) < len(accounts):
        raise InputError(f"{path} holds the same handle twice: handles differ in more than case or an @")
    return Accounts(App(**{key: app[key] for key in (*APP_KEYS, *OPTIONAL_APP_KEYS) if key in app}), by_handle)


def _handle(name: str, path: Path) -> str:
    try:
        return parse_handle(name)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None


def _missing(table: Any, keys: tuple[str, ...], name: str) -> list[str]:  # noqa: ANN401 - whatever TOML held
    values = table if isinstance(table, dict) else {}
    return [f"{name}.{key}" for key in keys if not (isinstance(values.get(key), str) and values[key].strip())]


def _replaced(text: str, name: str, tokens: Mapping[str, str]) -> str:
    """Return the document with the tokens of an account that it holds already in the old ones' place."""
    document: Any = tomlkit.parse(text)  # its own types do not say what may be indexed
    for key, token in tokens.items():
        document["accounts"][name][key] = token
    return tomlkit.dumps(document)


def _appended(text: str, name: str, tokens: Mapping[str, str]) -> str:
    """Return the document with a table for a new account at its end: no comment changes what it stands above."""
    return f"{text.rstrip()}\n\n{tomlkit.dumps({'accounts': {name: tokens}})}"


def _write_private(path: Path, text: str) -> None:
    """Replace a file by one that only its owner can read: a reader finds the old one or the new, never half of it."""
    target = path.resolve()  # where the path is a link, it stays one
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)  # of mode 0600 at once
        aside = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
            aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}; nothing in it has changed") from None
