"""Who may ask the explorer, and what a browser may do with its answers.

In: a request. Out: a refusal, or the answer with headers. The explorer listens on the loopback address alone, but a web
page in a browser of this machine reaches that too, also by another name for it. So it answers only what a browser sends
for the explorer's own pages, or for an address that somebody typed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

from engagement_pipeline.core.loopback import is_loopback

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

OWN_SITES = {"same-origin", "none"}  # none: typed into the address bar
# Charts are drawn by a script of our own, which sets styles; nothing is asked of another place.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
NOT_KEPT = "no-store"  # by a browser: the numbers change with each pull


class Guard:
    """Stands before an app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or have it answered with our headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", NOT_KEPT)
            await send(message)

        await (_refusal(Headers(scope=scope)) or self._app)(scope, receive, with_headers)


def _refusal(headers: Headers) -> PlainTextResponse | None:
    """Return the answer to a request that is not for us; None if it is."""
    host = headers.get("host", "")
    if not is_loopback(_name(host)):
        return PlainTextResponse(
            "The explorer answers under this machine's own names alone: 127.0.0.1 or localhost", 421
        )
    own = headers.get("origin", f"http://{host}") == f"http://{host}"
    if not own or headers.get("sec-fetch-site", "none") not in OWN_SITES:
        text = "Pages of other sites may not ask here. If you followed a link, put it into the address bar instead"
        return PlainTextResponse(text, 403)
    return None


def _name(host: str) -> str | None:
    """Return the name in a Host header, without its port."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
