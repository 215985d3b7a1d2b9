"""The text of accounts.toml: its keys, where each stands, and the same text with the tokens of one account in it.

In: the file, in the layout that the README shows. Out: its text and the document that it is, or an error without any of
its secrets.
"""

from __future__ import annotations

import tomllib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.handles import normalised

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

APP_KEYS = ("consumer_key", "consumer_secret")
OPTIONAL_APP_KEYS = ("bearer_token", "client_id", "client_secret")
ACCOUNT_KEYS = ("access_token", "access_token_secret")
OAUTH2_KEYS = ("oauth2_access_token", "oauth2_refresh_token")
EXPIRES_AT, OAUTH2_USER = "oauth2_expires_at", "oauth2_user_id"  # no secrets, so no text: all text is masked


def read(path: Path) -> tuple[str, dict[str, Any]]:
    """Return the text of the file, and the document that it is."""
    try:
        text = path.read_bytes().decode("utf-8-sig")  # some editors begin a file with a mark
        return text, tomllib.loads(text)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: engagement init writes one") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML: {_position_only(error)}") from None
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}; get permission, or name another in ENGAGEMENT_ACCOUNTS"
        ) from None


def tokens_of(document: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the place of each token and key of a document, as in ("accounts", "ann", "access_token"), and its text."""
    app, accounts = document.get("app"), document.get("accounts")
    tables: list[tuple[tuple[str, ...], Any, tuple[str, ...]]] = [(("app",), app, (*APP_KEYS, *OPTIONAL_APP_KEYS))]
    if isinstance(accounts, dict):
        tables += [(("accounts", name), tokens, (*ACCOUNT_KEYS, *OAUTH2_KEYS)) for name, tokens in accounts.items()]
    for place, table, keys in tables:
        if isinstance(table, dict):
            yield from (((*place, key), table[key]) for key in keys if isinstance(table.get(key), str))


def line_of(text: str, place: tuple[str, ...]) -> int:
    """Return the line of the text, counted from 1, with which its document holds the value at a place."""
    lines = text.split("\n")
    for number in range(1, len(lines)):
        with suppress(tomllib.TOMLDecodeError):  # a value of several lines is not over yet
            if place in dict(tokens_of(tomllib.loads("\n".join([*lines[:number], ""])))):
                return number
    return len(lines)


def with_tokens(text: str, document: dict[str, Any], handle: str, tokens: Mapping[str, Any], path: Path) -> str:
    """Return the text of the file with an account's tokens in it."""
    tables = document.setdefault("accounts", {})
    name = next((name for name in tables if normalised(name) == handle), handle)
    try:
        changed = _replaced(text, name, tokens) if name in tables else _appended(text, name, tokens)
        tables[name] = tables.get(name, {}) | tokens
        harmed = tomllib.loads(changed) != document
    except (ValueError, TOMLKitError):  # an inline table of accounts cannot be added to, for one
        harmed = True
    if harmed:
        raise InputError(f"{path} cannot take the tokens of {handle}: write its accounts as [accounts.HANDLE] tables")
    return changed


def _position_only(error: Exception) -> str:
    """Return where a TOML document breaks; the rest of the parser's text may quote a secret."""
    text = str(error)
    return text[text.rindex("(at ") :].strip("()") if "(at " in text else "it is not UTF-8 text"


def _replaced(text: str, name: str, tokens: Mapping[str, Any]) -> str:
    """Return the document with the tokens of an account that it holds already in the old ones' place.

    New keys stand below the old ones, so that no comment changes what it stands above.
    """
    document: Any = tomlkit.parse(text)  # its own types do not say what may be indexed
    table = document["accounts"][name]
    old = {key: token for key, token in tokens.items() if key in table}
    for key, token in old.items():
        table[key] = token
    changed = tomlkit.dumps(document)
    if len(old) == len(tokens):
        return changed
    last = max(
        line_of(changed, place) for place, _ in tokens_of(tomllib.loads(changed)) if place[:2] == ("accounts", name)
    )
    lines = changed.split("\n")
    new = tomlkit.dumps({key: token for key, token in tokens.items() if key not in old}).rstrip("\n")
    return "\n".join([*lines[:last], new, *lines[last:]])


def _appended(text: str, name: str, tokens: Mapping[str, Any]) -> str:
    """Return the document with a table for a new account at its end: no comment changes what it stands above."""
    return f"{text.rstrip()}\n\n{tomlkit.dumps({'accounts': {name: tokens}})}"
