"""One puller at a time an app: what the rate is shared by takes turns.

In: the accounts file, whose app the contract gives its rate, and who takes the turn. Out: a context that is
entered when the turn has come; whoever waits says for whom.

    accounts.toml.lock     beside the accounts file, symbolic links followed (core/file_lock.py)

Copies of an accounts file are files of their own, and pulls with them do not see each other: extract/turn.py takes a
turn in a store for those.
"""

from __future__ import annotations

import logging
import os
import socket
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from engagement_pipeline.core import file_lock
from engagement_pipeline.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

logger = logging.getLogger(__name__)


def holder(what: str) -> str:
    """Return what this process says to who waits for it; `what` is as in "the pull of 2026-01-04 to 2026-01-31"."""
    since = datetime.now(UTC).isoformat(" ", "minutes").removesuffix("+00:00")
    return f"{what} (process {os.getpid()} on {socket.gethostname()}, since {since} UTC)"


def tell(who: str) -> None:
    """Say for whom this process waits."""
    logger.warning("waiting for %s to end: an app's rate is for one at a time", who)


@contextmanager
def held(accounts: Path, *, what: str) -> Iterator[None]:
    """Take the app's turn for `what`.

    Raises InputError where the folder of the accounts file cannot be written.
    """
    real = accounts.resolve()
    path = real.with_name(real.name + ".lock")
    with ExitStack() as stack:
        try:
            waiting = partial(_tell, otherwise=f"another pull with {real}")
            stack.enter_context(file_lock.hold(path, what=holder(what), waiting=waiting))
        except OSError as error:
            raise InputError(
                f"{path} cannot be written ({error.strerror}): pulls that share an app take turns by it, so make it "
                "and its folder writable, or move the accounts file and name its place in the setting accounts"
            ) from None
        yield


def _tell(who: str, *, otherwise: str) -> None:
    tell(who or otherwise)
