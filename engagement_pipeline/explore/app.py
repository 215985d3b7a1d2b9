"""The routes of the explorer.

    /               the page of a view, which its query names
    /sql            the answer to a query alone, for the page to put into its place
    /explore.js     what makes the page quick: it draws the charts and loads what a control changes
    /explore.css    its look
    /vega-….js      Vega-Lite, from the installed packages

In: a lake. Out: an ASGI app. Whatever goes wrong is one line in the page.
"""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from engagement_pipeline.charts import bundle
from engagement_pipeline.charts.pages import style
from engagement_pipeline.explore.aside import BundledScript, aside
from engagement_pipeline.explore.guard import Guard
from engagement_pipeline.explore.page import answer, page

if TYPE_CHECKING:
    from starlette.requests import Request

    from engagement_pipeline.lake.layout import Lake

_log = logging.getLogger(__name__)
HERE = Path(__file__).parent
JAVASCRIPT, CSS = "text/javascript", "text/css"
NO_SCRIPT = "The charts cannot be drawn: pip install '.[explore]' in a clone of the project installs what draws them"
MISTAKE = "A mistake of this program: the terminal in which engagement explore runs says where"
FOR_A_YEAR = {"cache-control": "private, max-age=31536000, immutable"}  # its address changes with it


def create_app(lake: Lake) -> Starlette:
    """Return the explorer of a lake."""

    async def whole(request: Request) -> Response:
        return HTMLResponse(await aside(partial(page, lake, _query(request))))

    async def sql(request: Request) -> Response:
        return HTMLResponse(await aside(partial(answer, lake, _query(request))))

    script = BundledScript()

    async def vega(_request: Request) -> Response:
        text = await script.text()
        return Response(text, media_type=JAVASCRIPT, headers=FOR_A_YEAR) if text else PlainTextResponse(NO_SCRIPT, 503)

    return Starlette(
        routes=[
            Route("/", whole),
            Route("/sql", sql),
            Route("/explore.js", partial(_text, (HERE / "explore.js").read_text(encoding="utf-8"), JAVASCRIPT)),
            Route("/explore.css", partial(_text, style() + (HERE / "explore.css").read_text(encoding="utf-8"), CSS)),
            Route(f"/vega-{bundle.VERSION}.js", vega),
        ],
        middleware=[Middleware(Guard)],
        exception_handlers={Exception: _own_mistake},
    )


def _query(request: Request) -> dict[str, list[str]]:
    return {name: request.query_params.getlist(name) for name in request.query_params}


async def _own_mistake(_request: Request, error: Exception) -> Response:
    """Log a mistake of the explorer itself, since the server logs nothing; secrets are masked there."""
    _log.error("the explorer failed: a mistake of this program", exc_info=error)
    return PlainTextResponse(MISTAKE, 500)


async def _text(text: str, kind: str, _request: Request) -> Response:
    return Response(text, media_type=kind)
