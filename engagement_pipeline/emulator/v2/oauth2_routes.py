"""The pages and token calls of OAuth 2 over HTTP, with the faults of the wire.

In: HTTP. Out: HTTP. The page grants at once and asks for no login; `&handle=…` names the handle that grants.

    GET /2/oauth2/authorize, /i/oauth2/authorize   POST /2/oauth2/token   POST /2/oauth2/revoke
"""

from collections.abc import Callable
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from engagement_pipeline.emulator.bodies import TooLargeError, read_form, too_large
from engagement_pipeline.emulator.dials import Faults
from engagement_pipeline.emulator.refusals import Refusal
from engagement_pipeline.emulator.v2 import problems
from engagement_pipeline.emulator.v2.dials import Dials
from engagement_pipeline.emulator.v2.journal import Journal
from engagement_pipeline.emulator.v2.oauth2 import Answer, Desk
from engagement_pipeline.emulator.v2.problems import Problem
from engagement_pipeline.emulator.wire import disturbed, json_response, sent

FOUND = 302


def oauth2_routes(desk: Desk, faults: Faults[Dials], journal: Journal) -> list[Route]:
    """Return the routes of OAuth 2."""

    async def authorize(request: Request) -> Response:
        try:
            url = desk.authorize(request.query_params, granted=faults.dials.granted_scopes)
        except Problem as problem:
            return json_response(problem.body, status=problem.status)
        return RedirectResponse(url, FOUND)

    def called(call: Callable[..., Answer]) -> Callable[[Request], object]:
        async def endpoint(request: Request) -> Response:
            number = journal.received()
            handle = None
            try:
                form = dict(parse_qsl(await read_form(request)))
                response = await disturbed(faults, number)
                if response is None:
                    authorization = request.headers.get("authorization", "")
                    handle, answer = call(authorization, form, public=faults.dials.public_client)
                    response = await sent(request, lambda: orjson.dumps(answer), faults, number)
            except TooLargeError:
                response = too_large()
            except (Problem, Refusal) as refused:
                form_of_429 = faults.dials.rate_form
                problem = refused if isinstance(refused, Problem) else problems.of_refusal(refused, form=form_of_429)
                response = json_response(problem.body, status=problem.status)
            journal.answered(number, request, handle, response.status_code)
            return response

        return endpoint

    return [
        Route("/2/oauth2/authorize", authorize, methods=["GET"]),
        Route("/i/oauth2/authorize", authorize, methods=["GET"]),
        Route("/2/oauth2/token", called(desk.token), methods=["POST"]),
        Route("/2/oauth2/revoke", called(desk.revoke), methods=["POST"]),
    ]
