"""One form to an authorisation host, and the meaning of its answer, whatever kind of token it gives.

In: the host's URL, a form and who signs it. Out: a 200 within bounds, or an error of errors.py. Nothing is logged, and
no message holds a secret.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import requests
from requests.auth import AuthBase

from engagement_pipeline.core import bounds
from engagement_pipeline.core.bounds import TooLargeError
from engagement_pipeline.core.errors import AccountError, EngagementError, InputError, UnavailableError
from engagement_pipeline.core.reach import unreachable
from engagement_pipeline.core.redaction import shown

if TYPE_CHECKING:
    from engagement_pipeline.core.model import Answer

for _signer in ("oauthlib", "requests_oauthlib"):  # at DEBUG they log the tokens and the signed header
    logging.getLogger(_signer).setLevel(logging.INFO)
LARGEST_ANSWER = 2**16  # bytes; the longest, with a bearer token, has some 200
NOT_LET_IN = (requests.codes.bad_request, requests.codes.unauthorized, requests.codes.forbidden)
# Errors are {"message": …, "code": …}, and those of OAuth 2 {"error": …, "error_description": …}.
MESSAGE = re.compile(r'"(?:message|error_description)"\s*:\s*"([^"]+)"')


class Bearer(AuthBase):
    """Puts a bearer token into a request."""

    def __init__(self, token: str) -> None:
        self.token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put it there."""
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


def send(
    method: str,
    url: str,
    *,
    auth: AuthBase,
    account: str,
    setting: str,
    remedy: str,
    timeout_seconds: float,
    data: dict[str, str] | None = None,
) -> Answer:
    """Return a 200, or raise what any other answer means; `remedy` mends a refusal of these keys, tokens or PIN.

    `account` is the handle that authorises the app, empty where the app asks for itself. The host stands in `setting`.
    """
    try:
        with bounds.bounded_session() as session:
            answer = bounds.send(
                session, method, url, seconds=timeout_seconds, largest=LARGEST_ANSWER, auth=auth, data=data
            )
    except TooLargeError as error:
        raise UnavailableError(
            f"{url} answered with more than {error.most:,} bytes, and no answer of this host is that large: "
            "is a proxy in the way?",
            account=account,
        ) from None
    except requests.exceptions.RequestException as error:
        raise UnavailableError(unreachable(url, error, url=url, setting=setting), account=account) from None
    if answer.status != requests.codes.ok:
        raise _error_of(answer, account=account, setting=setting, remedy=remedy)
    return answer


def incomplete(answer: Answer, lacking: str, *, account: str) -> UnavailableError:
    """Return the error of a 200 that lacks what it must have."""
    return unavailable(answer, f"without {lacking}", account=account)


def unavailable(answer: Answer, how: str, *, account: str) -> UnavailableError:
    """Return the error of a 200 with which nobody can do anything, as in "without a token"."""
    return UnavailableError(
        f"{answer.url} answered 200 {how}: is a proxy in the way?", account=account, status=answer.status
    )


def _error_of(answer: Answer, *, account: str, setting: str, remedy: str) -> EngagementError:
    """Return what an answer other than 200 means."""
    status, said = answer.status, _said(answer)
    refusal = f"{answer.url} answered {status} ({said or 'nothing'}){answer.leads}"
    texts = [said] if said else []
    if status in NOT_LET_IN:
        who = f"account {account}" if account else "the app"
        return AccountError(f"{who}: {refusal}: {remedy}", account=account, status=status, texts=texts)
    if status == requests.codes.too_many_requests or status >= requests.codes.server_error:
        return UnavailableError(
            f"{refusal}: the vendor's side, try again later", account=account, status=status, texts=texts
        )
    if not account:
        return AccountError(f"the app: {refusal}: check {setting}", account=account, status=status, texts=texts)
    return InputError(f"{refusal}: check {setting}")


def _said(answer: Answer) -> str:
    """Return what an error body says on one short line, without anything that may be a token."""
    return shown("; ".join(MESSAGE.findall(answer.text)) or answer.text)
