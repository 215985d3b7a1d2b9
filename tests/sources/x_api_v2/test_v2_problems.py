"""Problems of X API v2: whatever an answer other than 200 holds, it becomes one error with one line."""

import json
from datetime import UTC, datetime

import pytest

from engagement_pipeline.core.errors import AccountError, RefusedError, UnavailableError
from engagement_pipeline.core.model import Answer
from engagement_pipeline.sources.x_api_v2.problems import error_of

ASKED_AT = datetime(2026, 1, 4, tzinfo=UTC)
URL = "https://api.x.com/2/tweets/analytics"
TOO_LONG = {
    "errors": [
        {"parameters": {"start_time": ["x"]}, "message": "The time between them must not exceed 7 days"},
    ],
    "title": "Invalid Request",
    "detail": "One or more parameters to your request was invalid.",
}


def told(status, body=b"", **headers):
    """Return the error of an answer."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = Answer(url=f"{URL}?ids=1,2", status=status, headers=headers, body=content, size=len(content))
    return error_of(answer, handle="ann", asked_at=ASKED_AT)


ANSWERS = {
    "spent": (429, {"errors": [{"code": 88, "message": "…"}]}, UnavailableError, "lower x_requests_per_15_minutes"),
    "down": (503, {"title": "Service Unavailable", "type": "about:blank"}, UnavailableError, "try again later"),
    "a page": (502, b"<html>", UnavailableError, "try again later"),
    "tokens": (401, {"title": "Unauthorized", "status": 401}, AccountError, "engagement authorize ann"),
    "scopes": (403, {"detail": "You may not read this."}, AccountError, "engagement authorize ann"),
    "too long": (
        400,
        TOO_LONG,
        RefusedError,
        "must not exceed 7 days): this is remembered, and the next pull asks for 7 days",
    ),
    "too long, by how much nobody knows": (
        400,
        {"detail": "the window is too long"},
        RefusedError,
        "this is remembered, and the next pull asks for half as many days a request",
    ),
    "too old": (400, {"detail": "start_time is too old"}, RefusedError, "set history_days"),
    "another 400": (400, {"detail": "no"}, RefusedError, "asking again cannot help"),
    "not there": (404, b"", RefusedError, "is x_api_url right?"),
    "a code alone": (404, {"code": 34, "message": "no such page"}, RefusedError, "no such page"),
    "a redirect": (302, b"", RefusedError, "is x_api_url right"),
    "not enrolled": (
        403,
        {"reason": "client-not-enrolled", "required_enrollment": "Enterprise", "detail": "no Project"},
        RefusedError,
        'it needs: Enterprise). They take an Enterprise contract; until there is one, set source to "engagement"',
    ),
    "capped": (
        429,
        {"title": "UsageCapExceeded", "detail": "Monthly cap", "type": "https://api.x.com/2/problems/usage-capped"},
        RefusedError,
        "this month",
    ),
}


@pytest.mark.parametrize(("status", "body", "kind", "hint"), ANSWERS.values(), ids=ANSWERS)
def test_each_answer_is_one_line_that_says_what_to_do(status, body, kind, hint):
    error = told(status, body)
    assert type(error) is kind
    assert (error.status, error.account) == (status, "ann")
    assert hint in str(error)
    assert "\n" not in str(error)


def test_no_line_repeats_the_query_with_a_hundred_posts():
    assert "ids=" not in str(told(500))


def test_a_clock_that_is_wrong_is_named():
    assert "60 minutes ahead of" in str(told(401, Date="Sat, 03 Jan 2026 23:00:00 GMT"))
