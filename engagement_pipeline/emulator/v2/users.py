"""GET /2/users/me and GET /2/users/by/username/{username}: the accounts of the world."""

import re
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import orjson

from engagement_pipeline.emulator.chance import hash64
from engagement_pipeline.emulator.v2 import problems, query
from engagement_pipeline.emulator.v2.question import Question
from engagement_pipeline.emulator.world import AUTHORS, FIRST_DAY, HANDLES, Handle

DEFAULTS = ("id", "name", "username")
FIELDS = (
    *("affiliation", "created_at", "description", "entities", "id", "location", "most_recent_post_id", "name"),
    *("pinned_post_id", "profile_image_url", "protected", "public_metrics", "url", "username", "verified"),
    *("verified_type", "withheld"),
)
USERNAME = re.compile(r"[A-Za-z0-9_]{1,15}")


def me(question: Question) -> bytes:
    """Answer GET /2/users/me: the account that signed."""
    fields = _fields(question)
    account = next(handle for handle in HANDLES if handle.name == question.caller.handle)
    return orjson.dumps({"data": user(account, fields)})


def by_username(question: Question) -> bytes:
    """Answer GET /2/users/by/username/{username}; like the vendor's, names have no case. Raises Problem (400)."""
    fields = _fields(question)
    name = question.path["username"]
    if not USERNAME.fullmatch(name):
        text = f"The `username` query parameter value [{name}] does not match ^{USERNAME.pattern}$"
        raise problems.invalid("username", [name], text)
    for account in AUTHORS:
        if account.name == name.lower():
            return orjson.dumps({"data": user(account, fields)})
    error = problems.partial("resource-not-found", name, resource="user", parameter="username", field="")
    return orjson.dumps({"errors": [error]})


def user(account: Handle, fields: Collection[str]) -> dict[str, Any]:
    """Return the user object of an account with the fields asked for, beside those that are always there."""
    since = datetime.combine(FIRST_DAY, datetime.min.time()) - timedelta(days=hash64(account.name) % 1_000)
    whole = {
        "id": str(account.author_id),
        "name": account.name.capitalize(),
        "username": account.name,
        "created_at": f"{since:%Y-%m-%dT%H:%M:%S}.000Z",
        "description": f"The brand {account.name}, which exists nowhere else",
        "protected": False,
        "verified": False,
        "public_metrics": {"followers_count": 1_000 + account.author_id % 90_000, "following_count": 120},
    }
    return {name: value for name, value in whole.items() if name in DEFAULTS or name in fields}


def _fields(question: Question) -> tuple[str, ...]:
    params = query.given(question.pairs, ("user.fields",))
    return query.fields(params, "user.fields", legal=FIELDS)
