"""What an answer holds that its documents do not have, written down before anybody goes on with the answer.

In: an answer, or what was read of a landed response. Out: rows of the table `shapes`, each once in the life of a lake.

A 200 with counts lands, and is looked at by who reads it; any other is looked at here. Of a refusal, the words say what
is done next: so they are looked at too. What a server says in an outage, when the rate is used up or under a wrong
address changes nothing.
"""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from engagement_pipeline import sources
from engagement_pipeline.core.shape import news_of_headers
from engagement_pipeline.lake import shapes

if TYPE_CHECKING:
    from collections.abc import Collection, Container
    from datetime import datetime

    from engagement_pipeline.core.model import Answer, Request
    from engagement_pipeline.core.shape import News
    from engagement_pipeline.lake.raw import Pull
    from engagement_pipeline.lake.storages import Storage

REFUSALS = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


def look(
    storage: Storage, request: Request, answer: Answer, asked_at: datetime, *, bodies: Container[int] = REFUSALS
) -> None:
    """Look at the headers of an answer, and at the body if its status is among those of `bodies`."""
    source = sources.asked(request.endpoint)
    news = news_of_headers(answer.headers, source.HEADERS)
    if answer.status in bodies:
        news += sources.news_of(answer.body, request)
    if news:
        named = request.tweet_ids or source.posts_read(request, answer.body)
        shapes.learn(storage, news, replace(request, tweet_ids=named), asked_at=asked_at, kept=False)


def look_at_all(storage: Storage, request: Request, answer: Answer, asked_at: datetime) -> None:
    """Look at an answer that does not land: at the body of a 200 too."""
    look(storage, request, answer, asked_at, bodies=REFUSALS | {HTTPStatus.OK})


def landed(pull: Pull, request: Request, news: Collection[News], *, asked_at: datetime) -> None:
    """Write down what is news in a landed response."""
    if news:
        shapes.learn(pull.storage, news, request, asked_at=asked_at, pull=pull.name, kept=True)
