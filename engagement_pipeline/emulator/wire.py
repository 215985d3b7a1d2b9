"""How an answer goes out, whatever the API: compressed if the client accepts that, and with the faults of the wire.

In: a request, its number, the body of a 200 or a refusal. Out: the HTTP response.
"""

import asyncio
import gzip
import re
from collections.abc import Callable, Mapping
from email.utils import formatdate
from http import HTTPStatus

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engagement_pipeline.emulator.dials import D, Faults
from engagement_pipeline.emulator.refusals import Refusal

# A full response of 2.8 MB becomes some 100 KB in 7 ms; level 6 would halve that in 10 ms more.
GZIP_LEVEL = 1
STATUSES = (429, 500, 502, 503)
GZIP = re.compile(r"gzip(\s*;\s*q=(0\.(?!0+$)[0-9]{1,3}|1(\.0*)?))?")  # a weight of 0 means not acceptable
PROXY_PAGE = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


def json_response(content: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON response; orjson writes dataclasses and datetimes."""
    return Response(orjson.dumps(content), status, headers, "application/json")


class Dated:
    """Adds the header `date` to each response that has none: that of the machine's clock."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""

        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault("date", formatdate(usegmt=True))
            await send(message)

        await self._app(scope, receive, dated)


async def disturbed(faults: Faults[D], number: int) -> Response | None:
    """Wait if the answer is to be slow, and return what comes in its place. Raises Refusal for a status."""
    if faults.happens("slow", number):
        await asyncio.sleep(faults.dials.slow_seconds)
    for status in STATUSES:
        if faults.happens(f"status_{status}", number):
            raise Refusal(status, f"{HTTPStatus(status).phrase}: a fault of this emulator")
    if faults.happens("html_error", number):
        return HTMLResponse(PROXY_PAGE, status_code=502)
    return None


async def sent(request: Request, make: Callable[[], bytes], faults: Faults[D], number: int) -> Response:
    """Return a 200 with the JSON that `make` returns, with the faults of the transfer."""
    packed = accepts_gzip(request)

    def body() -> bytes:
        made = make()
        if faults.happens("broken_json", number):
            made = made[: len(made) // 2]
        if not packed:
            return made
        made = gzip.compress(made, GZIP_LEVEL, mtime=0)
        return made[: len(made) // 2] if faults.happens("truncated_gzip", number) else made

    # In a thread: compression releases the interpreter, so a second request runs at the same time.
    content = await run_in_threadpool(body)
    headers = {"content-encoding": "gzip"} if packed else {}
    kind = _CutResponse if faults.happens("reset", number) else Response
    return kind(content, headers=headers, media_type="application/json")


class _CutResponse(Response):
    """Announces the whole body, sends half of it, and lets the server close the connection."""

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})


def accepts_gzip(request: Request) -> bool:
    """Tell whether the client takes a gzipped body."""
    codings = request.headers.get("accept-encoding", "").lower().split(",")
    return any(GZIP.fullmatch(coding.strip()) for coding in codings)


def packed(request: Request, response: Response) -> Response:
    """Return a response as it is, or compressed if the client accepts that."""
    if not accepts_gzip(request):
        return response
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    body = gzip.compress(bytes(response.body), GZIP_LEVEL, mtime=0)
    return Response(body, response.status_code, headers | {"content-encoding": "gzip"})
