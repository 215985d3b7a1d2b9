"""Refreshes of OAuth 2 tokens with a host that is a function; as a program, refreshes that are killed or meet.

python rotating.py ROOT    in ROOT, a folder for each step at which a refresh was killed, `killed` has its name; and
                           `both`, where two processes have refreshed at once, `spent` has what they spent
"""

import json
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

from engagement_pipeline.core.errors import AccountError
from engagement_pipeline.core.model import Answer
from engagement_pipeline.transport import rotation

FILE = """\
[app]
consumer_key = "KeyOfAnnsApp1"
consumer_secret = "SecretOfAnnsApp1"
client_id = "ClientOfAnnsApp1"

[accounts.ann]  # the first
oauth2_access_token = "AccessToken-1"
oauth2_refresh_token = "RefreshToken-1"
oauth2_expires_at = 2026-01-01T00:00:00Z
oauth2_user_id = 99
"""
MOST_STEPS = 100
NOW = datetime(2026, 2, 1, tzinfo=UTC)


class Host:
    """A token host: it gives the next pair for the newest refresh token, and refuses all others."""

    def __init__(self):
        self.number = 1
        self.asked = 0

    def __call__(self, before):
        self.asked += 1
        if before.refresh_token != f"RefreshToken-{self.number}":
            raise AccountError("spent", account="ann", status=400)
        self.number += 1
        return answer(pair(self.number))


def pair(number, **changes):
    """Return what a token host answers; None takes a field away."""
    fields = {
        "token_type": "bearer",
        "expires_in": 7200,
        "access_token": f"AccessToken-{number}",
        "refresh_token": f"RefreshToken-{number}",
    }
    return {name: value for name, value in (fields | changes).items() if value is not None}


def answer(fields):
    """Return the 200 with these fields, or with these bytes."""
    body = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    return Answer(url="https://host/2/oauth2/token", status=200, headers={}, body=body, size=len(body))


def accounts_file(folder):
    """Write an accounts file, and return its path."""
    path = folder / "accounts.toml"
    path.write_text(FILE)
    path.chmod(0o600)
    return path


def rotated(path, ask, *, stale="AccessToken-1", handle="ann"):
    """Refresh the tokens of a handle where the file still has the stale one."""
    return rotation.rotated(
        path, handle, is_stale=lambda tokens: tokens.access_token == stale, ask=ask, seconds=10, now=lambda: NOW
    )


def kill_at_each_step(root):
    """Kill a refresh before each call of the system that counts, each time in a folder of its own."""
    for steps in range(1, MOST_STEPS):
        folder = root / f"{steps:03}"
        folder.mkdir()
        path = accounts_file(folder)
        child = os.fork()
        if not child:
            _killed_at(steps, path, told=(folder / "killed").open("w"))
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            (folder / "killed").write_text("not killed")
            return
    raise SystemExit("more steps than were tried")


def _killed_at(steps, path, *, told):
    left = [steps]

    def killing(function, name):
        def called(*arguments, **named):
            step(f"before {name}")
            return function(*arguments, **named)

        return called

    def step(name):
        left[0] -= 1
        if not left[0]:
            told.write(name)
            told.flush()
            os.kill(os.getpid(), signal.SIGKILL)

    for name in ("fsync", "open"):
        setattr(os, name, killing(getattr(os, name), name))
    for name in ("replace", "unlink"):  # which some Pythons take from elsewhere
        setattr(Path, name, killing(getattr(Path, name), name))

    def ask(_):
        step("before the answer")
        return answer(pair(2))

    rotated(path, ask)


def refresh_in_two_processes(folder):
    """Let two processes refresh at once; each notes what it spends, and what it has then."""
    path = accounts_file(folder)

    def ask(before):
        with (folder / "spent").open("a") as file:
            file.write(f"{before.refresh_token}\n")
        return answer(pair(2))

    children = []
    for number in range(2):
        child = os.fork()
        if not child:
            (folder / f"had-{number}").write_text(rotated(path, ask).access_token)
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


def prepare(root):
    """Leave in `root` a folder for each step at which a refresh was killed, and `both`, where two have met.

    In each folder, `killed` has the name of the step; `spent` has what the two have spent.
    """
    kill_at_each_step(root)
    (root / "both").mkdir()
    refresh_in_two_processes(root / "both")
