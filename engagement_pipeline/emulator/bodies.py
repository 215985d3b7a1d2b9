"""Reads the bodies of requests that need to be small: forms, and the dials of /admin."""

from starlette.requests import Request
from starlette.responses import Response

from engagement_pipeline.emulator.wire import json_response

LARGEST_BODY = 2**16  # bytes; all dials together are 2,000
FORM = "application/x-www-form-urlencoded"


class TooLargeError(Exception):
    """A body with more than LARGEST_BODY."""


def too_large() -> Response:
    """Return the 413 for a body with more than LARGEST_BODY."""
    return json_response({"errors": [f"The body must not have more than {LARGEST_BODY:,} bytes"]}, status=413)


async def read_body(request: Request) -> bytes:
    """Return the body of a request; raises TooLargeError before it is read whole."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_BODY:
            raise TooLargeError
    return body


async def read_form(request: Request) -> str:
    """Return the body if it is form-encoded; only such a body is part of an OAuth 1.0a signature."""
    is_form = request.headers.get("content-type", "").startswith(FORM)
    return (await read_body(request)).decode("utf-8", "replace") if is_form else ""
