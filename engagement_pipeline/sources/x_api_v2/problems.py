"""What X API v2 says went wrong: with one Post, in a 200, or with the whole request.

In: the objects under `errors`, or a whole Answer. Out: for each Post, why there is no count of it; or one error of
errors.py. The vendor writes an error as a Problem object, or as a code with a message. Whatever looks like a secret is
masked here.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson

from engagement_pipeline.core.errors import AccountError, ApiError, RefusedError, UnavailableError
from engagement_pipeline.core.model import NotServed
from engagement_pipeline.core.redaction import masked, shown
from engagement_pipeline.core.tables import FORBIDDEN, MISSING, UNAVAILABLE
from engagement_pipeline.sources import skew, windows

if TYPE_CHECKING:
    from datetime import datetime

    from engagement_pipeline.core.model import Answer

OUTCOMES = {  # by the end of a Problem's type; of any other, the Post may be served by the next request
    "resource-not-found": UNAVAILABLE,
    "resource-unavailable": UNAVAILABLE,
    "disallowed-resource": UNAVAILABLE,
    "not-authorized-for-resource": FORBIDDEN,
}
OF_A_FIELD = {"not-authorized-for-field", "field-unauthorized", "field-hydration-failure"}  # the Post itself is served
NOT_ENROLLED, USAGE_CAPPED = "client-not-enrolled", "usage-capped"
TEXTS = ("message", "detail", "title")  # of an error object, the one that says most first


@dataclass(frozen=True, slots=True)
class Problem:
    """What an answer says of one Post, or of all if `resource` is empty; `kind` is the end of its type."""

    kind: str
    resource: str
    text: str

    @property
    def reason(self) -> NotServed:
        """Why there is no count of the Post."""
        return NotServed(OUTCOMES.get(self.kind, MISSING), self.text)


def problems_of(root: dict[str, Any]) -> list[Problem]:
    """Return what a body says under `errors`; what is no object there is taken for a text."""
    errors = root.get("errors") or []
    return [_problem(each) for each in (errors if isinstance(errors, list) else [errors])]


def _problem(error: Any) -> Problem:  # noqa: ANN401 - JSON holds anything
    if not isinstance(error, dict):
        return Problem("", "", shown(str(error)))
    text = next((str(error[key]) for key in TEXTS if error.get(key)), "")
    kind = str(error.get("type") or "").rstrip("/").rpartition("/")[2]
    resource = error.get("resource_id") or error.get("value") or ""  # one kind has no value
    return Problem(kind, str(resource), shown(text or kind or str(error)))


def error_of(
    answer: Answer, *, handle: str, asked_at: datetime, instead: str = 'set source to "engagement"'
) -> ApiError:
    """Translate any status but 200 into the error that says whether a retry can help.

    `instead` is what to do on a plan without the analytics. Nothing in the texts looks like a secret.
    """
    status, url = answer.status, answer.url.partition("?")[0]
    root = _root(answer)
    texts = _texts(root, answer)
    said = shown("; ".join(texts)) or "nothing"
    capped = _kind(root) == USAGE_CAPPED
    if status == HTTPStatus.TOO_MANY_REQUESTS and not capped:
        message = f"{url} answered 429, the rate of account {handle} is used up: lower x_requests_per_15_minutes."
        return UnavailableError(message, account=handle, status=status, texts=texts)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        message = f"{url} answered {status} ({said}): the vendor's side, try again later."
        return UnavailableError(message, account=handle, status=status, texts=texts)
    not_enrolled = root.get("reason") == NOT_ENROLLED
    if status == HTTPStatus.UNAUTHORIZED or (status == HTTPStatus.FORBIDDEN and not not_enrolled):
        message = f"account {handle}: the API answered {status} ({said}): {_remedy(answer, handle, asked_at)}"
        return AccountError(message, account=handle, status=status, texts=texts)
    window = windows.refused_window(said, asked_at) if status == HTTPStatus.BAD_REQUEST else windows.RefusedWindow()
    hint = _of_plan(root, instead=instead) or window.hint or _hint(answer, said)
    return RefusedError(
        f"account {handle}: {url} answered {status} ({said}){hint}",
        account=handle,
        status=status,
        texts=texts,
        body=answer.body,
        asked_at=asked_at,
        longest_days=window.longest_days,
        oldest=window.oldest,
    )


def _of_plan(root: dict[str, Any], *, instead: str) -> str:
    """Return what an error body says of the app's plan, empty if it is about something else."""
    if _kind(root) == USAGE_CAPPED:
        return ": the app has read all Posts that its plan allows this month; a larger plan allows more"
    if root.get("reason") != NOT_ENROLLED:
        return ""
    needed = shown(str(root.get("required_enrollment") or ""))
    return (
        f": the app's plan lacks the analytics{f' (it needs: {needed})' if needed else ''}. They take an "
        f"Enterprise contract; until there is one, {instead}"
    )


def _hint(answer: Answer, said: str) -> str:
    """Return what to make of an answer that is the same for any account and any Post."""
    if answer.status < HTTPStatus.BAD_REQUEST:
        return f"{answer.leads}: is x_api_url right, or a proxy in the way?"
    if answer.status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        return ": is x_api_url right?"
    if windows.TOO_OLD.search(said):
        return ": the API goes back less far, so set history_days"
    return ": the API does not accept this request, so asking again cannot help"


def _remedy(answer: Answer, handle: str, asked_at: datetime) -> str:
    """Return what to do about an account that the API does not let in."""
    if wrong_clock := skew.remedy(answer, asked_at):
        return wrong_clock
    return f"check its tokens and the keys in the accounts file, or get new tokens with engagement authorize {handle}"


def _root(answer: Answer) -> dict[str, Any]:
    """Return the object that a body is, an empty one for a page of a proxy."""
    try:
        root = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return {}
    return root if isinstance(root, dict) else {}


def _kind(root: dict[str, Any]) -> str:
    return str(root.get("type") or "").rpartition("/")[2]


def _texts(root: dict[str, Any], answer: Answer) -> list[str]:
    """Return the masked texts of an error body, or whatever a proxy wrote."""
    found = [problem.text for problem in problems_of(root)]
    if not found:
        found = [str(root[key]) for key in TEXTS if root.get(key)][:1] or [answer.text.strip()]
    return [masked(text) for text in found if text]
