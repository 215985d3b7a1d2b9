"""The routes beside the API: the vendor's token endpoints, and /admin for tests against the emulator.

In: HTTP. Out: HTTP. The server listens only on the loopback address, so /admin needs no key. But a web page in a
browser of this machine reaches it too. So /admin refuses what a browser sends for another site, also by another name
for this address. None of these routes reads a large body.

    POST /oauth/request_token   GET /oauth/authorize   POST /oauth/access_token   POST /oauth2/token
    GET, POST, DELETE /admin/faults      GET /admin/requests        the Engagement API
    GET, POST, DELETE /admin/v2/faults   GET /admin/v2/requests     X API v2
"""

import html
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from urllib.parse import parse_qsl, urlencode

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from engagement_pipeline.emulator.bodies import FORM, TooLargeError, read_body, read_form, too_large
from engagement_pipeline.emulator.dials import D, Faults
from engagement_pipeline.emulator.refusals import Refusal
from engagement_pipeline.emulator.tokens import TokenDesk
from engagement_pipeline.emulator.wire import json_response
from engagement_pipeline.emulator.world import HANDLES

HOSTS = {"127.0.0.1", "localhost", "[::1]"}
OWN_SITES = {"same-origin", "none"}  # none: typed into the address bar


Endpoint = Callable[[Request], Awaitable[Response]]


def refused(refusal: Refusal) -> Response:
    """Return the response for a refusal."""
    return json_response({"errors": list(refusal.errors)}, status=refusal.status)


def _or_refused(endpoint: Endpoint) -> Endpoint:
    """Let an endpoint answer with the refusal that it raises."""

    @wraps(endpoint)
    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Refusal as refusal:
            return refused(refusal)
        except TooLargeError:
            return too_large()

    return answered


def token_routes(desk: TokenDesk) -> list[Route]:
    """Return the routes of the vendor's token host."""

    def signed(step: Callable[[str, str, str], dict[str, str]]) -> Endpoint:
        @_or_refused
        async def endpoint(request: Request) -> Response:
            fields = step(str(request.url), request.headers.get("authorization", ""), await read_form(request))
            return Response(urlencode(fields), media_type=FORM)

        return endpoint

    @_or_refused
    async def authorize(request: Request) -> Response:
        token = request.query_params.get("oauth_token", "")
        handle = request.query_params.get("handle", HANDLES[0].name)
        return HTMLResponse(_pin_page(token, handle, desk.authorize(token, handle)))

    @_or_refused
    async def bearer(request: Request) -> Response:
        form = dict(parse_qsl(await read_form(request)))
        return json_response(desk.bearer(request.headers.get("authorization", ""), form.get("grant_type", "")))

    return [
        Route("/oauth/request_token", signed(desk.request_token), methods=["POST"]),
        Route("/oauth/authorize", authorize, methods=["GET"]),
        Route("/oauth/access_token", signed(desk.access_token), methods=["POST"]),
        Route("/oauth2/token", bearer, methods=["POST"]),
    ]


def admin_routes(at: str, faults: Faults[D], requests_so_far: Callable[[], Mapping[str, object]]) -> list[Route]:
    """Return the routes that set the dials of an API and show its log, under the path `at`."""

    async def set_faults(request: Request) -> Response:
        try:
            faults.set(**orjson.loads(await read_body(request)))
        except (TypeError, ValueError) as error:  # TypeError: JSON, but no object
            return json_response({"errors": [str(error)]}, status=400)
        return json_response(faults.read())

    async def read_faults(_request: Request) -> Response:
        return json_response(faults.read())

    async def reset_faults(_request: Request) -> Response:
        faults.reset()
        return json_response(faults.read())

    async def requests(_request: Request) -> Response:
        return json_response(requests_so_far())

    return [
        Route(f"{at}/faults", _own_site_only(set_faults), methods=["POST"]),
        Route(f"{at}/faults", _own_site_only(read_faults), methods=["GET"]),
        Route(f"{at}/faults", _own_site_only(reset_faults), methods=["DELETE"]),
        Route(f"{at}/requests", _own_site_only(requests), methods=["GET"]),
    ]


def _own_site_only(endpoint: Endpoint) -> Endpoint:
    """Refuse what a browser was made to send by a page of another site, and bodies that are too large."""

    async def guarded(request: Request) -> Response:
        host = request.headers.get("host", "")
        if re.sub(":[0-9]+$", "", host) not in HOSTS:
            return _objection(421, f"The Host must be this machine's own: {', '.join(sorted(HOSTS))}")
        origin = request.headers.get("origin", f"http://{host}")
        if origin != f"http://{host}" or request.headers.get("sec-fetch-site", "none") not in OWN_SITES:
            return _objection(403, "Pages of other sites may not ask here")
        try:
            return await endpoint(request)
        except TooLargeError:
            return too_large()

    return guarded


def _objection(status: int, text: str) -> Response:
    return json_response({"errors": [text]}, status=status)


def _pin_page(token: str, handle: str, pin: str) -> str:
    queries = {brand.name: urlencode({"oauth_token": token, "handle": brand.name}) for brand in HANDLES}
    links = "".join(f'<li><a href="?{html.escape(query)}">{name}</a></li>' for name, query in queries.items())
    return (
        "<!doctype html><title>Authorize</title>"
        f"<p>@{html.escape(handle)} authorises the app. Enter this PIN there: <code>{pin}</code></p>"
        f"<p>Authorise as another handle:</p><ul>{links}</ul>"
    )
