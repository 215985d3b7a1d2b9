"""What an answer holds that its documents do not have, written down before anybody goes on with the answer.

In: an answer, or what was read of a landed response. Out: rows of the table `shapes`, each once in the life of a lake.

A 200 is looked at by who reads its counts. Of a refusal, the words say what is done next: so they are looked at too.
What a server says in an outage, when the rate is used up or under a wrong address changes nothing.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from engagement_pipeline import sources
from engagement_pipeline.core.shape import news_of_headers
from engagement_pipeline.lake import shapes

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from engagement_pipeline.core.model import Answer, Request
    from engagement_pipeline.core.shape import News
    from engagement_pipeline.lake.raw import Pull
    from engagement_pipeline.lake.storages import Storage

REFUSALS = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


def look(storage: Storage, request: Request, answer: Answer, asked_at: datetime) -> None:
    """Look at the headers of an answer, and at the words of a refusal."""
    news = news_of_headers(answer.headers, sources.source_of(request.endpoint).HEADERS)
    if answer.status in REFUSALS:
        news += sources.news_of(answer.body, request)
    if news:
        shapes.learn(storage, news, request, asked_at=asked_at, kept=False)


def landed(pull: Pull, request: Request, news: Collection[News], *, asked_at: datetime) -> None:
    """Write down what is news in a landed response."""
    if news:
        shapes.learn(pull.storage, news, request, asked_at=asked_at, pull=pull.name, kept=True)
