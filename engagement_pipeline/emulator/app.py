"""The web application: routes, and the order of the checks on a request.

In: HTTP. Out: HTTP, and a log of the requests. A request to an engagement endpoint passes these stages, and the first
that refuses it answers:

    route 404 405 -> auth 401 -> rate 429 -> faults -> gzip 406 -> app 403 -> rules 400 -> Tweets 403 400

A request counts to the rate once it has passed auth, because only then is its app known.
"""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from engagement_pipeline.emulator import answers, refusals, rules
from engagement_pipeline.emulator.auth import Gate
from engagement_pipeline.emulator.dials import UNKNOWN_HEADERS, Faults
from engagement_pipeline.emulator.faults import DAMAGES, Dials
from engagement_pipeline.emulator.rate import Meter
from engagement_pipeline.emulator.refusals import Refusal
from engagement_pipeline.emulator.rules import Asked, Endpoint, Window
from engagement_pipeline.emulator.side_routes import admin_routes, refused, token_routes
from engagement_pipeline.emulator.tokens import TokenDesk
from engagement_pipeline.emulator.v2 import Service as XApi
from engagement_pipeline.emulator.v2.problems import blank
from engagement_pipeline.emulator.wire import Dated, accepts_gzip, disturbed, json_response, packed, sent
from engagement_pipeline.emulator.world import HANDLES, World

_log = logging.getLogger(__name__)

LOG_LENGTH = 10_000
AUTHOR_IDS = {handle.name: handle.author_id for handle in HANDLES}


@dataclass(frozen=True)
class LoggedRequest:
    """A request to an engagement endpoint, and the status of its answer.

    `handle` is who signed; None for the app alone or nobody. Tweets, types and window are empty or None if the body
    broke a rule. The window is also None on /totals. `number` counts from 1.
    """

    number: int
    endpoint: Endpoint
    handle: str | None
    tweet_ids: tuple[int, ...]
    types: tuple[str, ...]
    window: Window | None
    status: int


class Service:
    """One emulated API: its world, its credentials, its rate, its faults, and the log."""

    def __init__(
        self,
        *,
        world: World,
        gate: Gate,
        meter: Meter,
        latency: float = 0,
        require_gzip: bool = False,
        max_age_days: int | None = None,
    ) -> None:
        if latency < 0:
            raise ValueError(f"latency must be 0 or more seconds, got {latency:g}")
        self.world = world
        self.gate = gate
        self.meter = meter
        self.faults = Faults(world.seed, Dials())
        self.log: deque[LoggedRequest] = deque(maxlen=LOG_LENGTH)
        self.desk = TokenDesk(gate, seed=world.seed)
        self._received = 0
        self._latency = latency
        self._require_gzip = require_gzip
        self._max_age_days = max_age_days

    def history(self) -> dict[str, object]:
        """Return the number of requests to the engagement endpoints, and the last of them."""
        return {"count": self._received, "requests": list(self.log)}

    async def engagement(self, request: Request) -> Response:
        """Answer /insights/engagement/…, and log it."""
        endpoint: Endpoint = next(name for name in rules.ENDPOINTS if request.url.path.endswith(f"/{name}"))
        self._received += 1
        number = self._received
        try:
            asked = self._read(endpoint, request, await request.body())
        except ClientDisconnect:  # the client ended in the middle of its request, and reads no answer
            return Response(status_code=HTTPStatus.BAD_REQUEST)
        await asyncio.sleep(self._latency)
        handle = None
        headers: dict[str, str] = {}
        try:
            handle = self.gate.caller(
                request.method,
                str(request.url),
                request.headers.get("authorization", ""),
                revoked=self.faults.dials.revoked_handles,
            )
            if handle is None and endpoint != "totals":
                raise refusals.unauthenticated("Unknown Authorization Type")
            within_rate = self.meter.take()
            if self.faults.dials.rate_headers:
                headers = self.meter.headers()
            if not within_rate:
                raise refusals.too_many_requests()
            response = await self._judge(request, asked, handle, number)
        except Refusal as refusal:
            response = packed(request, refused(refusal))
        if self.faults.happens("unknown_headers", number):
            headers |= UNKNOWN_HEADERS
        response.headers.update(headers)
        entry = (asked.tweet_ids, asked.types, asked.window) if isinstance(asked, Asked) else ((), (), None)
        self.log.append(LoggedRequest(number, endpoint, handle, *entry, response.status_code))
        return response

    def _read(self, endpoint: Endpoint, request: Request, body: bytes) -> Asked | Refusal:
        """Read the body early, so that the log shows what a refused request asked for."""
        try:
            if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
                raise refusals.bad_request("The Content-Type must be application/json")
            return rules.read(endpoint, body, now=self.world.now(), max_age_days=self._max_age_days)
        except Refusal as refusal:
            return refusal

    async def _judge(self, request: Request, asked: Asked | Refusal, handle: str | None, number: int) -> Response:
        """Answer a request that has passed auth and rate. Raises Refusal."""
        if instead := await disturbed(self.faults, number):
            return instead
        if self._require_gzip and not accepts_gzip(request):
            raise refusals.needs_gzip()
        if self.faults.dials.app_not_approved:
            raise refusals.app_not_approved()
        if isinstance(asked, Refusal):
            raise asked
        return await sent(request, partial(self._body, asked, handle, number), self.faults, number)

    def _body(self, asked: Asked, handle: str | None, number: int) -> bytes:
        dials = self.faults.dials
        tweets = answers.sort_tweets(
            asked,
            self.world,
            author_id=None if handle is None else AUTHOR_IDS[handle],
            vanished=dials.vanished_tweet_ids,
            spelling=dials.forbidden_spelling,
        )
        return self.faults.damaged(answers.answer(asked, tweets, self.world), number, DAMAGES)


def create_app(service: Service, v2: XApi) -> Starlette:
    """Return the ASGI application of both emulated APIs: their endpoints, the token host, and /admin for each."""
    engagement = [
        Route(f"/insights/engagement/{name}", service.engagement, methods=["POST"]) for name in rules.ENDPOINTS
    ]
    app = Starlette(
        routes=[
            *engagement,
            *v2.routes(),
            *token_routes(service.desk),
            *admin_routes("/admin", service.faults, service.history),
            *admin_routes("/admin/v2", v2.faults, v2.journal.history),
        ],
        middleware=[Middleware(Dated)],
        exception_handlers={404: _no_such_route, 405: _no_such_route, Exception: _own_mistake},
    )
    app.router.redirect_slashes = False  # one slash more is another URL, so a 404
    return app


async def _no_such_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    told = f"{HTTPStatus(error.status_code).phrase}: {request.method} {request.url.path}"
    of_v2 = request.url.path.startswith("/2/")
    body = blank(error.status_code).body if of_v2 else {"errors": [told]}
    return packed(request, json_response(body, status=error.status_code, headers=error.headers))


async def _own_mistake(request: Request, error: Exception) -> Response:
    """Log a defect of the emulator itself: the server logs nothing, and a client would take a 500 for a fault."""
    _log.error("the emulator failed on %s %s", request.method, request.url.path, exc_info=error)
    return json_response({"errors": [f"A defect of the emulator: {error!r}"]}, status=500)
