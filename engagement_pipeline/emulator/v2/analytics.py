"""GET /2/tweets/analytics and GET /2/media/analytics: which resources can be served, and what is said of the others.

In: a question. Out: the JSON of the 200, with a Problem object for each resource that is not served; or a `Problem`
for the whole request.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from engagement_pipeline.emulator.v2 import metrics, problems, query, window
from engagement_pipeline.emulator.v2.question import Question
from engagement_pipeline.emulator.v2.series import SERIES, Form, Gap, written

MOST = 100
POST_ID = re.compile(r"[0-9]{1,19}")
MEDIA_KEY = re.compile(r"[0-9]+_[0-9]+")


def tweets(question: Question) -> bytes:
    """Answer GET /2/tweets/analytics. Raises Problem (400)."""
    params = query.given(question.pairs, ("ids", "start_time", "end_time", "granularity", "analytics.fields"))
    ids = query.listed(params, "ids", pattern=POST_ID, most=MOST)
    granularity = query.choice(params, "granularity", legal=("hourly", "daily", "weekly", "total"), default="total")
    fields = query.fields(params, "analytics.fields", legal=("id", SERIES, *metrics.TYPES)) or ("id",)
    span = window.read(params, granularity=granularity, now=question.world.now(), limits=question.dials)
    asked = tuple(name for name in fields if name in metrics.TYPES)

    def flaw(key: str) -> str:
        tweet = question.world.tweet(int(key))
        if tweet is None or tweet.state == "deleted" or tweet.tweet_id in question.dials.vanished_tweet_ids:
            return "resource-not-found"
        if tweet.handle != question.caller.handle:
            return "not-authorized-for-resource"
        return "resource-unavailable" if tweet.state == "protected" else ""  # ours

    served, errors, gaps = _sorted(question, ids, flaw, resource="tweet", parameter="ids", field=(*asked, "id")[0])
    counts = metrics.of_tweets(question.world, [int(key) for key in served], asked, span.hours, question.dials)
    form = Form("id", fields, question.dials.total_form)
    question.reads.add(served)
    return _body(written(form, span, keys=served, metrics=asked, counts=counts, gaps=gaps), errors)


def _sorted(
    question: Question,
    keys: Sequence[str],
    flaw: Callable[[str], str],
    *,
    resource: str,
    parameter: str,
    field: str,
) -> tuple[list[str], list[dict[str, Any]], dict[str, tuple[str, Gap]]]:
    """Return what is served, the errors of the rest, and of which of those served `field` is left out.

    `flaw` returns the kind of the error of a key, "" for none; the dial `partial_errors` overrules it.
    """
    served: list[str] = []
    errors: list[dict[str, Any]] = []
    gaps: dict[str, tuple[str, Gap]] = {}
    for key in keys:
        kind = question.dials.partial_errors.get(key) or flaw(key)
        if kind:
            errors.append(problems.partial(kind, key, resource=resource, parameter=parameter, field=field))
        if kind in problems.OF_A_FIELD:
            gaps[key] = (field, "null" if kind == "field-hydration-failure" else "absent")
        if not kind or key in gaps:
            served.append(key)
    return served, errors, gaps


def _body(data: Sequence[orjson.Fragment], errors: Sequence[dict[str, Any]]) -> bytes:
    parts: dict[str, Any] = {}
    if data:
        parts["data"] = data
    if errors:
        parts["errors"] = errors
    return orjson.dumps(parts)
