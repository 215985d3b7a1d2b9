"""Every way X API v2 says no: HTTP Problem objects, as a whole answer and beside `data` in a 200.

A broken rule raises a `Problem`; service.py turns it into the HTTP answer. Wherever the vendor's words are known from
its answers, they are used; clients must not read more than `type`, `status`, `reason` and the IDs.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from engagement_pipeline.emulator.refusals import Refusal

TYPES_AT = "https://api.x.com/2/problems/"

# Kind: title, status, detail. The last two words of the vendor's URLs name the kind.
KINDS: Mapping[str, tuple[str, int, str]] = {
    "resource-not-found": ("Not Found Error", 404, "Could not find {what} with {parameter}: [{value}]."),
    "resource-unavailable": ("Resource Unavailable Error", 404, "The {what} {value} is not available."),
    "not-authorized-for-resource": (
        "Authorization Error",
        403,
        "Sorry, you are not authorized to see the {what} with {parameter}: [{value}].",
    ),
    "not-authorized-for-field": (
        "Field Authorization Error",
        403,
        "Sorry, you are not authorized to access '{field}' on the {what} with {parameter}: [{value}].",
    ),
    "field-unauthorized": ("Field Unauthorized", 403, "You may not read '{field}' of the {what} {value}."),
    "field-hydration-failure": ("Field Hydration Failure", 500, "'{field}' of the {what} {value} could not be read."),
    "invalid-request": ("Invalid Request", 400, "The {what} {value} cannot be asked for."),
    "disallowed-resource": ("Disallowed Resource", 403, "The {what} {value} is disallowed."),
    "internal-error": ("Internal Error", 500, "Something went wrong with the {what} {value}."),
    "about:blank": ("Service Unavailable", 503, "Service Unavailable"),
    "client-forbidden": ("Client Forbidden", 403, "This client may not see the {what} {value}."),
    "usage-capped": ("UsageCapExceeded", 429, "Usage cap exceeded: Monthly product cap"),
    "rate-limit-exceeded": ("Rate Limit Exceeded", 429, "Too many reads of the {what} {value}."),
}
CODE = "code"  # the other form of an error: a number and a message, and no ID
PARTIAL = (*KINDS, CODE)
OF_A_FIELD = ("not-authorized-for-field", "field-unauthorized", "field-hydration-failure")
NAMES_NO_PARAMETER = ("resource-unavailable",)
RATE_LIMITED = {"code": 88, "message": "Rate limit exceeded"}


class Problem(Exception):  # noqa: N818  not an error of this program, but its answer
    """An answer other than 200: its status and its body."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


def type_of(kind: str) -> str:
    """Return the `type` of a Problem object of that kind."""
    return kind if kind == "about:blank" else f"{TYPES_AT}{kind}"


def partial(kind: str, value: str, *, resource: str, parameter: str, field: str) -> dict[str, Any]:
    """Return the object under `errors` of a 200 for one resource: a "tweet" or "media" named by `value`.

    `field` is that of the kinds about a field. Each kind has the members that the description gives it.
    """
    if kind == CODE:
        return dict(RATE_LIMITED)
    title, status, detail = KINDS[kind]
    told: dict[str, Any] = {
        "type": type_of(kind),
        "title": title,
        "detail": detail.format(what=resource.capitalize(), parameter=parameter, value=value, field=field),
        "status": status,
    }
    if kind in ("about:blank", "usage-capped"):
        return told
    told |= {"resource_type": resource, "resource_id": value, "section": "data"}
    if kind in OF_A_FIELD:
        told["field"] = field
    if kind not in NAMES_NO_PARAMETER:
        told |= {"parameter": parameter, "value": value}
    return told


def blank(status: int, detail: str = "") -> Problem:
    """Return the answer for which a status says it all."""
    phrase = HTTPStatus(status).phrase
    return Problem(status, {"title": phrase, "type": "about:blank", "status": status, "detail": detail or phrase})


def invalid(parameter: str, values: Sequence[str], message: str) -> Problem:
    """Return the 400 for a parameter of a request."""
    return Problem(
        400,
        {
            "errors": [{"parameters": {parameter: list(values)}, "message": message}],
            "title": "Invalid Request",
            "detail": "One or more parameters to your request was invalid.",
            "type": type_of("invalid-request"),
        },
    )


def unsupported_authentication(supported: Sequence[str]) -> Problem:
    """Return the 403 for a credential of a kind that the endpoint does not take."""
    return Problem(
        403,
        {
            "title": "Unsupported Authentication",
            "detail": "Authenticating with this kind of credential is forbidden for this endpoint. "
            f"Supported authentication types are [{', '.join(supported)}].",
            "type": type_of("unsupported-authentication"),
            "status": 403,
        },
    )


def not_enrolled(app_id: int) -> Problem:
    """Return the 403 for an app with a plan that lacks the endpoint."""
    return Problem(
        403,
        {
            "client_id": str(app_id),
            "detail": "When authenticating requests to the X API v2 endpoints, you must use keys and tokens from a "
            "developer App that is attached to a Project.",
            "registration_url": "https://developer.x.com/en/docs/projects/overview",
            "title": "Client Forbidden",
            "required_enrollment": "Appropriate Level of API Access",
            "reason": "client-not-enrolled",
            "type": type_of("client-forbidden"),
        },
    )


def usage_capped(account_id: int) -> Problem:
    """Return the 429 for a project that has read all Posts of its month."""
    title, status, detail = KINDS["usage-capped"]
    return Problem(
        status,
        {
            "account_id": account_id,
            "title": title,
            "detail": detail,
            "type": type_of("usage-capped"),
            "period": "Monthly",
            "scope": "Product",
        },
    )


def rate_limited() -> Problem:
    """Return the 429 for a request over the rate."""
    return Problem(429, {"errors": [dict(RATE_LIMITED)]})


def of_refusal(refusal: Refusal) -> Problem:
    """Return a refusal of the parts that both APIs share, in this API's form."""
    if refusal.status == HTTPStatus.TOO_MANY_REQUESTS:
        return rate_limited()
    return blank(refusal.status, "" if refusal.status == HTTPStatus.UNAUTHORIZED else str(refusal.errors[0]))
