"""X API v2 over HTTP: its endpoints, and the order of the checks on a request.

In: HTTP. Out: HTTP, and a log of the requests. A request passes these stages, and the first that refuses it answers:

    route 404 405 -> auth 401 -> kind of token, scopes 403 -> rate 429 -> faults -> plan 403, cap 429 -> parameters 400

A request counts to the rate once it has passed auth. Each user has a budget of its own for each endpoint, and so has
the app alone.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import formatdate
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engagement_pipeline.emulator.auth import Gate
from engagement_pipeline.emulator.dials import Damage, Faults
from engagement_pipeline.emulator.rate import Meter
from engagement_pipeline.emulator.refusals import Refusal
from engagement_pipeline.emulator.v2 import analytics, metrics, problems
from engagement_pipeline.emulator.v2.damages import DAMAGES
from engagement_pipeline.emulator.v2.dials import Dials
from engagement_pipeline.emulator.v2.problems import Problem
from engagement_pipeline.emulator.v2.question import Caller, Question, Reads
from engagement_pipeline.emulator.wire import disturbed, json_response, packed, sent
from engagement_pipeline.emulator.world import World

LOG_LENGTH = 10_000
WINDOW_SECONDS = 900
ANALYTICS_RATE = 300  # in 15 minutes, a user


@dataclass(frozen=True)
class Endpoint:
    """One endpoint: who may ask it how often in 15 minutes (0: never), and what answers.

    `scopes` are those that an OAuth 2 user token must have. `enterprise` endpoints are refused on other plans.
    """

    path: str
    answer: Callable[[Question], bytes]
    scopes: frozenset[str]
    per_user: int
    per_app: int = 0
    enterprise: bool = False
    damages: Mapping[str, Damage] = field(default_factory=dict)

    @property
    def supported(self) -> list[str]:
        """Return the kinds of credentials that it takes, in the vendor's words."""
        users = ["OAuth 1.0a User Context", "OAuth 2.0 User Context"] if self.per_user else []
        return [*users, *(["OAuth 2.0 Application-Only"] if self.per_app else [])]


READ_POSTS = frozenset({"tweet.read", "users.read"})


def endpoints(analytics_rate: int) -> tuple[Endpoint, ...]:
    """Return all endpoints; a contract sets the rate of the analytics of Posts."""
    return (
        Endpoint("/2/tweets/analytics", analytics.tweets, READ_POSTS, analytics_rate, enterprise=True, damages=DAMAGES),
    )


@dataclass(frozen=True)
class LoggedRequest:
    """A request to an endpoint under /2, and the status of its answer.

    `path` is that of the request, `query` its parameters as sent. `handle` is who signed; None for the app alone or
    nobody. `number` counts from 1.
    """

    number: int
    path: str
    handle: str | None
    query: Mapping[str, str]
    status: int

    @property
    def ids(self) -> tuple[str, ...]:
        """Return the Post IDs or media keys that were asked for."""
        found = self.query.get("ids", self.query.get("media_keys", ""))
        return tuple(found.split(",")) if found else ()


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
        self.log: deque[LoggedRequest] = deque(maxlen=LOG_LENGTH)
        self._world = world
        self._gate = gate
        self._latency = latency
        self._machine_clock = clock
        self._endpoints = endpoints(analytics_rate)
        self._meters: dict[tuple[str, str | None], Meter] = {}
        self._reads = Reads(world)
        self._received = 0

    @property
    def requests(self) -> list[LoggedRequest]:
        """Return the requests to the endpoints under /2, oldest first (the last 10,000)."""
        return list(self.log)

    def history(self) -> dict[str, object]:
        """Return the number of requests under /2, and the last of them."""
        return {"count": self._received, "requests": list(self.log)}

    def counts(
        self, tweet_ids: Sequence[int], names: Sequence[str], first_hour: datetime, hours: int
    ) -> metrics.Counts:
        """Return what the API shows now, shape [tweet, metric, hour], with the differences that dials plant."""
        return metrics.of_tweets(self._world, tweet_ids, names, metrics.Hours(first_hour, hours), self.faults.dials)

    def routes(self) -> list[Route]:
        """Return the routes of the endpoints."""
        return [Route(endpoint.path, partial(self._answer, endpoint), methods=["GET"]) for endpoint in self._endpoints]

    def _clock(self) -> float:
        return self._machine_clock() + self.faults.dials.clock_ahead_seconds

    async def _answer(self, endpoint: Endpoint, request: Request) -> Response:
        """Answer a request, and log it."""
        self._received += 1
        number = self._received
        await asyncio.sleep(self._latency)
        handle = None
        headers = {"date": formatdate(self._clock(), usegmt=True)}
        try:
            caller = self._caller(request)
            handle = caller.handle
            _check_allowed(endpoint, caller)
            meter = self._meter(endpoint, caller)
            within_rate = meter.take()
            if self.faults.dials.rate_headers:
                headers |= meter.headers()
            if not within_rate:
                raise problems.rate_limited()
            response = await self._judged(endpoint, request, caller, number)
        except (Problem, Refusal) as refused:
            problem = refused if isinstance(refused, Problem) else problems.of_refusal(refused)
            response = packed(request, json_response(problem.body, status=problem.status))
        response.headers.update(headers)
        query = dict(request.query_params.multi_items())
        self.log.append(LoggedRequest(number, request.url.path, handle, query, response.status_code))
        return response

    def _caller(self, request: Request) -> Caller:
        """Return who asks. Raises Refusal (401)."""
        handle = self._gate.caller(
            request.method,
            str(request.url),
            request.headers.get("authorization", ""),
            revoked=self.faults.dials.revoked_handles,
            ahead=self.faults.dials.clock_ahead_seconds,
        )
        return Caller("OAuth 1.0a User Context" if handle else "OAuth 2.0 Application-Only", handle)

    def _meter(self, endpoint: Endpoint, caller: Caller) -> Meter:
        key = (endpoint.path, caller.handle)
        limit = endpoint.per_user if caller.handle else endpoint.per_app
        if key not in self._meters:
            self._meters[key] = Meter(limit, seconds=WINDOW_SECONDS, headers="x-rate-limit", clock=self._clock)
        return self._meters[key]

    async def _judged(self, endpoint: Endpoint, request: Request, caller: Caller, number: int) -> Response:
        """Answer a request that has passed auth and rate. Raises Refusal or Problem."""
        if instead := await disturbed(self.faults, number):
            return instead
        if endpoint.enterprise and self.faults.dials.client_not_enrolled:
            raise problems.not_enrolled(self._gate.credentials.app_id)
        if self.faults.dials.usage_capped:
            raise problems.usage_capped(self._gate.credentials.app_id)
        question = Question(
            request.query_params.multi_items(),
            request.path_params,
            caller,
            self._world,
            self.faults,
            self._reads,
            number,
        )

        def body() -> bytes:
            return self.faults.damaged(endpoint.answer(question), number, endpoint.damages)

        return await sent(request, body, self.faults, number)


def _check_allowed(endpoint: Endpoint, caller: Caller) -> None:
    """Raise Problem (403) for a kind of credential that the endpoint does not take, or one that lacks a scope."""
    if caller.kind not in endpoint.supported:
        raise problems.unsupported_authentication(endpoint.supported)
    if caller.scopes is not None and not endpoint.scopes <= caller.scopes:
        raise problems.blank(403)
