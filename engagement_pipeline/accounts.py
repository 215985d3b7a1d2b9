"""Whose tokens sign a request.

In: accounts.toml, in the layout that the README shows. Out: Accounts, validated as a whole, so that
one message names everything that is missing. Secrets never print: no repr here holds one.
"""

from __future__ import annotations

import logging
import re
import stat
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engagement_pipeline.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

logger = logging.getLogger(__name__)

APP_KEYS = ("consumer_key", "consumer_secret")
ACCOUNT_KEYS = ("access_token", "access_token_secret")
HANDLE = re.compile(r"[a-z0-9_]+", re.ASCII)  # it becomes part of file names, so nothing else may be in it


@dataclass(frozen=True, slots=True)
class App:
    """The registered app: it signs every request, and its contract sets the rate."""

    consumer_key: str = field(repr=False)
    consumer_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Account:
    """A handle that gave the app its tokens."""

    handle: str
    access_token: str = field(repr=False)
    access_token_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Accounts:
    """The app and its accounts by normalised handle."""

    app: App
    by_handle: Mapping[str, Account]


def normalised(handle: str) -> str:
    """Return a handle as we compare it: no @, no case, as the vendor does."""
    return handle.strip().removeprefix("@").lower()


def load(path: Path) -> Accounts:
    """Read and validate accounts.toml; warn where others on the machine can read it."""
    try:
        mode = path.stat().st_mode
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: the README shows what it holds") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML: {_position_only(error)}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        logger.warning("%s can be read by others on this machine: chmod 600 %s", path, path)
    return _validated(document, path)


def _position_only(error: Exception) -> str:
    """Return where a TOML document breaks; the rest of the parser's text may quote a secret."""
    text = str(error)
    return text[text.rindex("(at ") :].strip("()") if "(at " in text else "it is not UTF-8 text"


def _validated(document: dict[str, Any], path: Path) -> Accounts:
    app = document.get("app", {})
    accounts = document.get("accounts", {})
    if not isinstance(app, dict) or not isinstance(accounts, dict) or not accounts:
        raise InputError(f"{path} needs an [app] table and one [accounts.HANDLE] table for each handle")
    for handle in accounts:
        if not HANDLE.fullmatch(normalised(handle)):
            raise InputError(f"{path}: {handle!r} is not a handle: letters, digits and _ only")
    missing = _missing(app, APP_KEYS, "app")
    for handle, tokens in accounts.items():
        missing += _missing(tokens, ACCOUNT_KEYS, f"accounts.{handle}")
    if missing:
        raise InputError(f"{path} lacks {', '.join(missing)}: each must be non-empty text in quotes")
    by_handle = {
        normalised(handle): Account(normalised(handle), *(tokens[key] for key in ACCOUNT_KEYS))
        for handle, tokens in accounts.items()
    }
    if len(by_handle) < len(accounts):
        raise InputError(f"{path} holds the same handle twice: handles differ in more than case or an @")
    return Accounts(App(*(app[key] for key in APP_KEYS)), by_handle)


def _missing(table: Any, keys: tuple[str, ...], name: str) -> list[str]:  # noqa: ANN401 - whatever TOML held
    values = table if isinstance(table, dict) else {}
    return [f"{name}.{key}" for key in keys if not (isinstance(values.get(key), str) and values[key].strip())]
