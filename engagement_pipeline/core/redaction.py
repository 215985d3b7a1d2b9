"""Removes secrets from whatever is shown or stored: messages, tracebacks, log records, bodies.

In: each secret, which its holder tells to `register`, and any text or body. Out: the same, with … for each secret and
for all that looks like one. A server may repeat a header that it was sent, and an exception what it was given.

    register      tokens and keys of accounts.toml, fetched tokens, the webhook's address; kept for the whole process
    redacted      a text without them        redacted_body   a body without them
    guard_logs    every log record of the process without them
    shown         what a server said, on one short line that is safe on a terminal
"""

from __future__ import annotations

import base64
import html
import json
import logging
import re
import threading
import traceback
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOWN_CHARACTERS = 200  # of a text of the API's in an error message
SHORTEST_SECRET = 8  # characters; a shorter one would mask words, and no vendor issues one
MASK = "…"
BODY_MASK = b"[a secret of ours]"  # no answer of the API holds this text, so it shows where a body held a secret
ODD_BYTES = "surrogateescape"  # how Python holds what is not UTF-8 in a variable of the environment
TOKEN_LIKE = re.compile(r"[\w%+/=~-]{16,}", re.ASCII)  # the form of an encoded token, and of few other things
NO_TOKEN = re.compile(r"\d+|[_/-]?(?:[a-z]{1,15}[_/-])*[a-z]{1,15}[_/=-]?", re.ASCII)  # a Tweet's ID; words_like_this
# What a terminal obeys instead of showing it: control characters, and marks that turn the direction of the text.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
NO_LETTERS = bytes(code for code in range(256) if not chr(code).isalpha() or code > 127)  # noqa: PLR2004 - ASCII
ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})")  # of JSON, in which it may write any character
ESCAPE_BYTES = re.compile(ESCAPE.pattern.encode())
KEY = re.compile(rb'"[a-z_]+":')  # of JSON; in a secret there is no quote
FEW_LETTERS = 2**16  # these are searched in no time; where there are more, most are the same keys again and again
LOGIN = re.compile(r"^(\w[\w+.-]*://)?(.*)@", re.DOTALL)  # of an address: its scheme, and what stands before its host
SURE_LETTERS = 16  # of a secret, in their order and nothing else between them: no other text has them


class _Writing:
    """One way of writing a secret: as text, as bytes, and the ASCII letters of these."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.bytes = text.encode(errors=ODD_BYTES)
        self.letters = self.bytes.translate(None, NO_LETTERS)
        # Mixed cases, since words of the API in a row have the letters of a secret that is made of such words.
        self.is_sure = len(self.letters) >= SURE_LETTERS and not self.letters.islower()


class _Known:
    """The secrets that the process has met, in each way of writing them. Safe to share by threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._secrets: frozenset[str] = frozenset()
        self.writings: tuple[_Writing, ...] = ()  # the longest first, so that none hides a part of another

    def add(self, secrets: frozenset[str]) -> None:
        with self._lock:
            if secrets <= self._secrets:
                return
            self._secrets |= secrets
            writings = {writing for secret in self._secrets for writing in _written(secret)}
            self.writings = tuple(map(_Writing, sorted(writings, key=len, reverse=True)))


_known = _Known()


def register(*secrets: str) -> None:
    """Have these masked from now on, wherever this module is asked; each without the white space about its parts.

    Bearer tokens are issued percent-encoded, so what they stand for is masked too.
    """
    forms = [form for secret in secrets for form in (secret, unquote(secret))]
    _known.add(frozenset(part for form in forms for part in form.split() if len(part) >= SHORTEST_SECRET))


def register_address(address: str) -> None:
    """Have an address that is a secret masked, and the part of it that an HTTP library names alone."""
    host, path = re.sub(r"^\w+://", "", address.rstrip("/")).partition("/")[::2]
    password = host.rpartition("@")[0].partition(":")[2]
    register(address, address.rstrip("/"), f"/{path}", path.rpartition("/")[2], password)


def register_login(address: str) -> None:
    """Have the password of an address masked, or the name where it has no password: some are tokens."""
    if login := LOGIN.match(address):
        name, _, password = login[2].partition(":")
        register(password or name)


def _written(secret: str) -> Iterator[str]:
    """Yield a secret as it is, and as a URL, JSON, HTML or Python write it."""
    yield secret
    for encoded in (
        quote(secret, "/", None, ODD_BYTES),
        quote(secret, "", None, ODD_BYTES),
        quote_plus(secret, "", None, ODD_BYTES),
    ):
        yield encoded
        yield re.sub("%..", lambda escape: escape[0].lower(), encoded)
        yield quote(encoded, safe="")  # in the text that a signature is made of
    for odd in (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]):
        yield odd
        yield odd.replace("/", r"\/")
    for form in ("%{:02X}", "%{:02x}", "\\u{:04x}", "\\u{:04X}", "&#{};", "&#x{:x};", "&#x{:X};"):
        yield re.sub(r"[^A-Za-z0-9]", lambda sign, form=form: form.format(ord(sign[0])), secret)  # type: ignore[misc]
    yield html.escape(secret)
    yield from _in_base64(secret)


def _in_base64(secret: str) -> Iterator[str]:
    """Yield what Base64 makes of a secret that begins at the first, second or third byte of three, whatever is beside.

    Each character of it stands for 6 bits; those with bits of a neighbour are left out.
    """
    content = secret.encode(errors=ODD_BYTES)
    for before in range(3):
        whole = base64.b64encode(bytes(before) + content).decode()
        encoded = whole[-(-before * 8 // 6) : (before + len(content)) * 8 // 6]
        yield encoded
        yield encoded.replace("+", "-").replace("/", "_")


def redacted(text: str) -> str:
    """Return a text with … for each secret that is known; … alone where one is written in JSON's escapes."""
    for writing in _known.writings:
        if writing.text in text:
            text = text.replace(writing.text, MASK)
    plain = ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text) if "\\u" in text else ""
    return MASK if any(writing.text in plain for writing in _known.writings) else text


def redacted_body(body: bytes) -> bytes:
    """Return a body with BODY_MASK for each secret that is known; BODY_MASK alone where one is written in an odd way.

    However many secrets there are, a body of 3 MB takes some ms. Few of its letters are in no key that returns, and
    only a body with all letters of a secret, in their order, is searched for it.
    """
    letters = _few_letters(body)
    suspects = [writing for writing in _known.writings if writing.letters in letters]
    for writing in suspects:
        body = body.replace(writing.bytes, BODY_MASK)
    letters = body.translate(None, NO_LETTERS) if suspects else b""
    odd = any(writing.is_sure and writing.letters in letters for writing in suspects) or _in_escapes(body)
    return BODY_MASK if odd else body


def _few_letters(body: bytes) -> bytes:
    """Return the letters of a body in their order; where they are many, those of the keys that it begins with once."""
    letters = body.translate(None, NO_LETTERS)
    if len(letters) <= FEW_LETTERS:
        return letters
    keys = {*KEY.findall(body, 0, FEW_LETTERS)}
    for key in keys:
        body = body.replace(key, b"")
    return b"".join((body, *keys)).translate(None, NO_LETTERS)


def _in_escapes(body: bytes) -> bool:
    """Tell whether a body holds a secret with some of its characters in JSON's escapes."""
    if b"\\u" not in body:
        return False
    plain = ESCAPE_BYTES.sub(lambda escape: chr(int(escape[1], 16)).encode(errors="replace"), body)
    return any(writing.bytes in plain for writing in _known.writings)


def without_password(address: str) -> str:
    """Return an address without the name and password that may stand before its host.

    A password ends with the last @: people write theirs as it is, with a / or a # in it, and leave out the scheme.
    """
    return LOGIN.sub(r"\1", address)


def masked(text: str) -> str:
    """Return a text with … for each known secret, and for whatever may be a token."""
    return TOKEN_LIKE.sub(lambda run: run[0] if NO_TOKEN.fullmatch(run[0]) else MASK, redacted(text))


def printable(text: str) -> str:
    """Return a text in which no character commands a terminal: each such is written as Python escapes it."""
    return UNPRINTABLE.sub(lambda sign: sign[0].encode("unicode_escape").decode(), text)


def shown(text: str) -> str:
    """Return what a server said in the form of an error message: masked, on one line, and short."""
    flat = printable(masked(" ".join(text.split())))
    return flat if len(flat) <= SHOWN_CHARACTERS else flat[:SHOWN_CHARACTERS] + "…"


def traceback_of(error: BaseException) -> str:
    """Return an exception's traceback, with … for each secret in it."""
    return redacted("".join(traceback.format_exception(error)))


def guard_logs() -> None:
    """Have every log record of this process masked as it is made, whoever logs and whichever handler writes it."""
    logging.setLogRecordFactory(_masked_record)


def _masked_record(*arguments: object, **named: object) -> logging.LogRecord:
    record = logging.LogRecord(*arguments, **named)  # type: ignore[arg-type]  # passed on as they came
    try:
        told = record.getMessage()
    except Exception:  # noqa: BLE001 - arguments that do not fit, of which logging would tell, with the arguments
        record.msg, record.args = redacted(f"{record.msg} {record.args}"), ()
        return record
    if (safe := redacted(told)) != told:
        record.msg, record.args = safe, ()
    if record.exc_info and record.exc_info[1]:
        told = "".join(traceback.format_exception(record.exc_info[1]))
        if (safe := redacted(told)) != told:
            record.exc_info, record.exc_text = None, safe.rstrip("\n")
    return record
