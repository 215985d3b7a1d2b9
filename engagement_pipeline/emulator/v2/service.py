"""X API v2 over HTTP: the order of the checks on a request.

In: HTTP. Out: HTTP, and a log of the requests. A request passes these stages, and the first that refuses it answers:

    route 404 405 -> auth 401 -> kind of token, scopes 403 -> rate 429 -> faults -> plan 403, cap 429 -> parameters 400

A request counts to the rate once its token is allowed. Each user has a budget of its own for each endpoint, and so has
the app alone.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from email.utils import formatdate
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engagement_pipeline.emulator.auth import Gate
from engagement_pipeline.emulator.dials import UNKNOWN_HEADERS, Faults
from engagement_pipeline.emulator.rate import Meter
from engagement_pipeline.emulator.refusals import Refusal
from engagement_pipeline.emulator.v2 import metrics, problems
from engagement_pipeline.emulator.v2.dials import Dials
from engagement_pipeline.emulator.v2.endpoints import ANALYTICS_RATE, Endpoint, endpoints
from engagement_pipeline.emulator.v2.journal import Journal, LoggedRequest
from engagement_pipeline.emulator.v2.oauth2 import Desk
from engagement_pipeline.emulator.v2.oauth2_routes import oauth2_routes
from engagement_pipeline.emulator.v2.problems import Problem
from engagement_pipeline.emulator.v2.question import Caller, Question, Reads
from engagement_pipeline.emulator.wire import disturbed, json_response, packed, sent
from engagement_pipeline.emulator.world import World

WINDOW_SECONDS = 900


class Service:
    """X API v2: its dials, its rates, its log, and the world that it shares with the Engagement API."""

    def __init__(
        self,
        *,
        world: World,
        gate: Gate,
        latency: float = 0,
        analytics_rate: int = ANALYTICS_RATE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.faults = Faults(world.seed, Dials())
        self.journal = Journal()
        self._world = world
        self._gate = gate
        self._desk = Desk(gate.credentials, clock=self._clock)
        self._latency = latency
        self._machine_clock = clock
        self._endpoints = endpoints(analytics_rate)
        self._meters: dict[tuple[str, str | None], Meter] = {}
        self._reads = Reads(world)

    @property
    def requests(self) -> list[LoggedRequest]:
        """Return the requests under /2, oldest first (the last 10,000)."""
        return self.journal.requests

    def counts(
        self, tweet_ids: Sequence[int], names: Sequence[str], first_hour: datetime, hours: int
    ) -> metrics.Counts:
        """Return what the API shows now, shape [tweet, metric, hour], with the differences that dials plant."""
        return metrics.of_tweets(self._world, tweet_ids, names, metrics.Hours(first_hour, hours), self.faults.dials)

    def routes(self) -> list[Route]:
        """Return the routes of the endpoints and of OAuth 2."""
        data = [Route(endpoint.path, partial(self._answer, endpoint), methods=["GET"]) for endpoint in self._endpoints]
        return [*data, *oauth2_routes(self._desk, self.faults, self.journal)]

    def _clock(self) -> float:
        return self._machine_clock() + self.faults.dials.clock_ahead_seconds

    async def _answer(self, endpoint: Endpoint, request: Request) -> Response:
        """Answer a request, and log it."""
        number = self.journal.received()
        await asyncio.sleep(self._latency)
        handle = None
        headers = {"date": formatdate(self._clock(), usegmt=True)}
        try:
            caller = self._caller(request)
            handle = caller.handle
            endpoint.check_allowed(caller)
            meter = self._meter(endpoint, caller)
            within_rate = meter.take()
            if self.faults.dials.rate_headers:
                headers |= meter.headers()
            if not within_rate:
                raise problems.rate_limited(self.faults.dials.rate_form)
            response = await self._judged(endpoint, request, caller, number)
        except (Problem, Refusal) as refused:
            form = self.faults.dials.rate_form
            problem = refused if isinstance(refused, Problem) else problems.of_refusal(refused, form=form)
            response = packed(request, json_response(problem.body, status=problem.status))
        if self.faults.happens("unknown_headers", number):
            headers |= UNKNOWN_HEADERS
        response.headers.update(headers)
        self.journal.answered(number, request, handle, response.status_code)
        return response

    def _caller(self, request: Request) -> Caller:
        """Return who asks. Raises Refusal or Problem (401)."""
        dials = self.faults.dials
        authorization = request.headers.get("authorization", "")
        scheme, _, token = authorization.partition(" ")
        user = self._desk.caller(token.strip()) if scheme.lower() == "bearer" else None
        if user is not None:
            if user.handle in dials.revoked_handles:
                raise problems.blank(401)
            return user
        handle = self._gate.caller(
            request.method,
            str(request.url),
            authorization,
            revoked=dials.revoked_handles,
            ahead=dials.clock_ahead_seconds,
        )
        return Caller("OAuth 1.0a User Context" if handle else "OAuth 2.0 Application-Only", handle)

    def _meter(self, endpoint: Endpoint, caller: Caller) -> Meter:
        key = (endpoint.path, caller.handle)
        if key not in self._meters:
            limit = endpoint.per_user if caller.handle else endpoint.per_app
            self._meters[key] = Meter(limit, seconds=WINDOW_SECONDS, headers="x-rate-limit", clock=self._clock)
        return self._meters[key]

    async def _judged(self, endpoint: Endpoint, request: Request, caller: Caller, number: int) -> Response:
        """Answer a request that has passed auth and rate. Raises Refusal or Problem."""
        if instead := await disturbed(self.faults, number):
            return instead
        app_id = self._gate.credentials.app_id
        if endpoint.enterprise and self.faults.dials.client_not_enrolled:
            raise problems.not_enrolled(app_id)
        if endpoint.per_user and self.faults.dials.usage_capped:
            raise problems.usage_capped(app_id)
        pairs = request.query_params.multi_items()
        question = Question(pairs, request.path_params, caller, self._world, self.faults, self._reads, app_id, number)

        def body() -> bytes:
            return self.faults.damaged(endpoint.answer(question), number, endpoint.damages)

        return await sent(request, body, self.faults, number)
