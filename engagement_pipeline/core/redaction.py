"""Removes secrets from what a server said, before anybody sees or stores it. A server may repeat a header it was sent.

In: a text or a body, and the known secrets. Out: the same, with … for each secret and for all that looks like one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

SHOWN_CHARACTERS = 200  # of a text of the API's in an error message
SHORTEST_SECRET = 8  # characters; a shorter one would mask words, and no vendor issues one
TOKEN_LIKE = re.compile(r"[\w%+/=~-]{16,}", re.ASCII)  # the form of an encoded token, and of few other things
NO_TOKEN = re.compile(r"\d+|[_/-]?(?:[a-z]{1,15}[_/-])*[a-z]{1,15}[_/=-]?", re.ASCII)  # a Tweet's ID; words_like_this


def hidden(body: bytes, secrets: Iterable[str]) -> bytes:
    """Return a body with … for each of the secrets, in plain form or as a URL or JSON writes it."""
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            for written in {secret, quote(secret, safe=""), secret.replace("/", r"\/")}:
                body = body.replace(written.encode(), "…".encode())
    return body


def masked(text: str) -> str:
    """Return a text with … for whatever may be a token."""
    return TOKEN_LIKE.sub(lambda run: run[0] if NO_TOKEN.fullmatch(run[0]) else "…", text)


def shown(text: str) -> str:
    """Return what a server said in the form of an error message: masked, on one line, and short."""
    flat = masked(" ".join(text.split()))
    return flat if len(flat) <= SHOWN_CHARACTERS else flat[:SHOWN_CHARACTERS] + "…"
