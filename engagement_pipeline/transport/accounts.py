"""Whose tokens sign a request.

In: accounts.toml, in the layout that the README shows. Out: Accounts, validated as a whole, so that
one message names everything that is missing; and the file again, with the tokens of one account written into it.
Secrets never print: no repr here holds one, and each is registered to be masked as soon as there is an object with it.

Tokens are visible ASCII without quotation marks. White space about one is left out, with a warning. Any other character
that a copy has brought along is an error with its name and line, since the API would say `401` and no more.
"""

from __future__ import annotations

import hashlib
import logging
import re
import stat
import tomllib
import unicodedata
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import tomlkit
from tomlkit.exceptions import TOMLKitError

from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.handles import normalised, parse_handle
from engagement_pipeline.core.redaction import register
from engagement_pipeline.transport import private_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

logger = logging.getLogger(__name__)
APP_KEYS = ("consumer_key", "consumer_secret")
OPTIONAL_APP_KEYS = ("bearer_token",)
ACCOUNT_KEYS = ("access_token", "access_token_secret")
USER_ID = re.compile(r"(\d+)-")  # an access token begins with it
FINGERPRINT_DIGITS = 12  # 48 bits: enough to tell the tokens of one handle apart
BLANKS = " \t\r\n"  # what a copy leaves about a token; no token has any
FOREIGN = re.compile(r"""[^!-~]|["']""")  # what no token holds: all but visible ASCII, and quotation marks
CONTROLS = {"\t": "tab", "\n": "line end", "\r": "carriage return", '"': "quotation mark"}  # as people call them
TEXT = re.compile(r"""["']([^"'\n]+)["']""")  # of TOML, however broken


@dataclass(frozen=True, slots=True)
class App:
    """The registered app: it signs every request, and its contract sets the rate.

    `bearer_token` is empty where the file holds none: it can be fetched with the consumer key.
    """

    consumer_key: str = field(repr=False)
    consumer_secret: str = field(repr=False)
    bearer_token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        """Register what must not be seen, the header that fetches a bearer token included."""
        pair = f"{quote_plus(self.consumer_key)}:{quote_plus(self.consumer_secret)}"
        basic = b64encode(pair.encode()).decode()
        register(self.consumer_key, self.consumer_secret, self.bearer_token, basic, basic.rstrip("="))


@dataclass(frozen=True, slots=True)
class Account:
    """A handle that gave the app its tokens."""

    handle: str
    access_token: str = field(repr=False)
    access_token_secret: str = field(repr=False)

    def __post_init__(self) -> None:
        """Register what must not be seen."""
        register(self.access_token, self.access_token_secret)

    @property
    def user_id(self) -> str:
        """The user ID at the start of the access token, empty if there is none."""
        found = USER_ID.match(self.access_token)
        return found[1] if found else ""

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
    text, document = _read(path)
    if path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        logger.warning("%s can be read by others on this machine: chmod 600 %s", path, path)
    accounts = _validated(document, path, text)
    if padded := [place for place, token in _tokens(document) if token != token.strip(BLANKS)]:
        told = ", ".join(f"{'.'.join(place)} in line {_line(text, place)}" for place in padded)
        logger.warning("%s: blanks or a line end before or after a token are left out: %s", path, told)
    private_file.remove_leftovers(path)
    return accounts


def handles(path: Path) -> tuple[str, ...]:
    """Return the handles of accounts.toml, sorted. Raises as `load` does; it warns of nothing and changes nothing."""
    text, document = _read(path)
    return tuple(sorted(_validated(document, path, text).by_handle))


def remember(path: Path) -> None:
    """Have every secret of an accounts file masked from now on, whatever else is wrong with the file or its place."""
    with suppress(OSError):
        register(*TEXT.findall(path.read_bytes().decode(errors="replace")))
    with suppress(InputError):
        register(*(token for _, token in _tokens(_read(path)[1])))


def save(path: Path, account: Account) -> None:
    """Write an account's tokens into accounts.toml, whose mode is 0600 then; all else in it stays, comments too.

    Raises InputError, with the file as it was, where it cannot be read, changed or written. Several may save at once:
    each reads what the one before has written.
    """
    for key in ACCOUNT_KEYS:
        if wrong := flaw(getattr(account, key)):
            raise InputError(f"the new {key} of {account.handle} holds {wrong}, so nothing is written to {path}")
    _read(path)  # since a lock would make the folder of a file that is not there
    with private_file.alone(path):
        private_file.remove_asides(path)
        text, document = _read(path)
        _validated(document, path, text)
        private_file.write(path, _with_tokens(text, document, account, path))


def _with_tokens(text: str, document: dict[str, Any], account: Account, path: Path) -> str:
    """Return the text of the file with an account's tokens in it."""
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
    return changed


def _read(path: Path) -> tuple[str, dict[str, Any]]:
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


def _position_only(error: Exception) -> str:
    """Return where a TOML document breaks; the rest of the parser's text may quote a secret."""
    text = str(error)
    return text[text.rindex("(at ") :].strip("()") if "(at " in text else "it is not UTF-8 text"


def _tokens(document: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the place of each token and key of a document, as in ("accounts", "ann", "access_token"), and its text."""
    app, accounts = document.get("app"), document.get("accounts")
    tables: list[tuple[tuple[str, ...], Any, tuple[str, ...]]] = [(("app",), app, (*APP_KEYS, *OPTIONAL_APP_KEYS))]
    if isinstance(accounts, dict):
        tables += [(("accounts", name), tokens, ACCOUNT_KEYS) for name, tokens in accounts.items()]
    for place, table, keys in tables:
        if isinstance(table, dict):
            yield from (((*place, key), table[key]) for key in keys if isinstance(table.get(key), str))


def _line(text: str, place: tuple[str, ...]) -> int:
    """Return the line of the text, counted from 1, with which its document holds the value at a place."""
    lines = text.split("\n")
    for number in range(1, len(lines)):
        with suppress(tomllib.TOMLDecodeError):  # a value of several lines is not over yet
            if place in dict(_tokens(tomllib.loads("\n".join([*lines[:number], ""])))):
                return number
    return len(lines)


def _validated(document: dict[str, Any], path: Path, text: str) -> Accounts:
    register(*(token for _, token in _tokens(document)))
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
    tokens = {place: token.strip(BLANKS) for place, token in _tokens(document)}
    if wrong := [(place, flaw(token)) for place, token in tokens.items() if flaw(token)]:
        told = "; ".join(f"{'.'.join(place)} in line {_line(text, place)} holds {sign}" for place, sign in wrong)
        raise InputError(f"{path}: {told}: copy it again, without what does not belong to it")
    by_handle = {
        handle: Account(handle, *(tokens["accounts", name, key] for key in ACCOUNT_KEYS))
        for name, handle in by_name.items()
    }
    if len(by_handle) < len(accounts):
        raise InputError(f"{path} holds the same handle twice: handles differ in more than case or an @")
    of_app = {key: tokens["app", key] for key in (*APP_KEYS, *OPTIONAL_APP_KEYS) if key in app}
    return Accounts(App(**of_app), by_handle)


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
