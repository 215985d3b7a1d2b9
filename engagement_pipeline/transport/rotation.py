"""New OAuth 2 tokens into accounts.toml, so that neither a crash nor another process loses them.

In: the accounts file, and who asks the token host. Out: tokens that are in the file.

A refresh token is good once: when the host answers, the old one is dead, and the new one is in that answer alone. So
the room for the answer is on the disk before the request leaves, and the answer is there before anything else is done.

    .accounts.toml.refresh        beside the accounts file, for its owner alone: for whom, what token it replaces, and
                                  the answer once it is there. It goes when accounts.toml has the tokens
    .accounts.toml.refresh.lock   one refresh at a time, by whichever process; the next finds the new tokens in the file

Whoever takes the lock finishes what a killed refresh has left. If that died before the answer was on the disk, the
refresh token may be spent: then the host refuses it, and the handle must authorise the app again.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime
from typing import IO, TYPE_CHECKING

import orjson

from engagement_pipeline.core.durable import sync_folder
from engagement_pipeline.core.errors import AccountError, InputError
from engagement_pipeline.transport import accounts, oauth2, private_file
from engagement_pipeline.transport.accounts import Account, digest
from engagement_pipeline.transport.token_host import LARGEST_ANSWER, incomplete

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from engagement_pipeline.core.model import Answer
    from engagement_pipeline.transport.accounts import UserTokens

WORK = ".refresh"


def keep(path: Path, account: Account, *, seconds: float) -> None:
    """Write the OAuth 2 tokens of a handle that has just authorised the app, in place of all earlier ones.

    A refresh that another process is at has so many `seconds` to end. Raises InputError as `accounts.save` does.
    """
    with _alone(path, seconds):
        _take_in(path)
        accounts.save(path, account)


def rotated(
    path: Path,
    handle: str,
    *,
    is_stale: Callable[[UserTokens], bool],
    ask: Callable[[UserTokens], Answer],
    seconds: float,
    now: Callable[[], datetime],
) -> UserTokens:
    """Return the tokens that the file has for a handle, refreshed if they are stale; those in the file are the newest.

    `ask` spends the refresh token, within so many `seconds`. Raises what it raises, AccountError for a handle without
    such tokens, and UnavailableError for an answer without any. Raises InputError for a file that cannot take tokens:
    then nothing is asked, or the answer is kept for the next refresh.
    """
    with _alone(path, seconds):
        _take_in(path)
        before = _held(path, handle)
        if not is_stale(before):
            return before
        answer = _asked(path, handle, before, ask, asked_at=now())
        _take_in(path)
        after = _held(path, handle)
    if after.access_token == before.access_token:
        raise incomplete(answer, "OAuth 2 tokens", account=handle)
    return after


def _alone(path: Path, seconds: float) -> AbstractContextManager[None]:
    """Wait for the turn: whoever has it may wait for an answer, and then for a save."""
    return private_file.alone(path, work=WORK, seconds=seconds + private_file.SAVE_SECONDS)


def _held(path: Path, handle: str) -> UserTokens:
    account = accounts.glance(path).by_handle.get(handle)
    if not account or not account.oauth2:
        raise AccountError(
            f"account {handle}: {path} has no OAuth 2 tokens of it any more: run {oauth2.command(handle)}",
            account=handle,
        )
    return account.oauth2


def _asked(
    path: Path, handle: str, before: UserTokens, ask: Callable[[UserTokens], Answer], *, asked_at: datetime
) -> Answer:
    """Ask, and have the answer on the disk when this returns."""
    place = private_file.beside(path, WORK)
    note = {"handle": handle, "replaces": digest(before.refresh_token), "asked_at": asked_at.isoformat()}
    try:
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            head = file.write(orjson.dumps(note) + b"\n")
            file.write(b" " * LARGEST_ANSWER)  # so that the disk has room for the answer
            _synced(file)
            sync_folder(place.parent)
            try:
                answer = ask(before)
            except BaseException:
                place.unlink()
                raise
            file.seek(head)
            file.write(answer.body)
            _synced(file)
    except OSError as error:
        raise InputError(
            f"{place} cannot be written ({error.strerror}), and without it new tokens may get lost: make its folder "
            "writable, with room"
        ) from None
    return answer


def _synced(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _take_in(path: Path) -> None:
    """Write the tokens of an answer that is on the disk into accounts.toml, if they replace those that it has."""
    place = private_file.beside(path, WORK)
    try:
        head, _, body = place.read_bytes().partition(b"\n")
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"{place} cannot be read ({error.strerror}), and it may hold new tokens: mend that") from None
    with suppress(ValueError, KeyError, TypeError):  # half a note: it died before anything was asked
        note = orjson.loads(head)
        handle, asked_at = str(note["handle"]), datetime.fromisoformat(note["asked_at"])
        held = accounts.glance(path).by_handle.get(handle)
        if held and held.oauth2 and note["replaces"] == digest(held.oauth2.refresh_token):
            _save(path, place, Account(handle, oauth2=oauth2.read(body, asked_at=asked_at, before=held.oauth2)))
    place.unlink()


def _save(path: Path, place: Path, account: Account) -> None:
    try:
        accounts.save(path, account)
    except InputError as error:
        raise InputError(f"{error}; new tokens of {account.handle} wait in {place} for the next refresh") from None
