"""Every way the emulator says no: the status and the words of the contract.

A broken rule raises a `Refusal`, and app.py turns it into the HTTP answer. Engagement endpoints answer
`{"errors": ["…"]}`. Token endpoints, another host of the vendor, answer `{"errors": [{"message": …, "code": …}]}`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

ForbiddenSpelling = Literal["author", "tweets", "unnamed"]


class Refusal(Exception):  # noqa: N818  not an error of this program, but its answer
    """An answer other than 200: its `status`, and the list under `errors`."""

    def __init__(self, status: int, *errors: str | Mapping[str, Any]) -> None:
        super().__init__(status, *errors)
        self.status = status
        self.errors = errors


def bad_request(fact: str) -> Refusal:
    """Return the 400 for a request that breaks a rule."""
    return Refusal(400, fact)


def protected() -> Refusal:
    """Return the 400 for a whole batch with a protected Tweet; the vendor's text names no ID."""
    return Refusal(400, "Tweet ID(s) are unavailable")


def unauthenticated(reason: str) -> Refusal:
    """Return the 401 with its reason."""
    return Refusal(401, f"Your account could not be authenticated. Reason: {reason}")


def forbidden_tweets(ids_by_author: Mapping[int, Sequence[int]], spelling: ForbiddenSpelling) -> Refusal:
    """Return the 403 for Tweets that the caller does not own, in one of three spellings that clients have seen."""
    if spelling == "unnamed":
        return Refusal(403, "Forbidden to access tweets")
    if spelling == "tweets":
        every_id = sorted(tweet_id for ids in ids_by_author.values() for tweet_id in ids)
        return Refusal(403, f"Forbidden to access tweets: {'; '.join(map(str, every_id))}")
    texts = [
        f"Forbidden to access tweets for author id {author}: {', '.join(map(str, ids))}"
        for author, ids in sorted(ids_by_author.items())
    ]
    return Refusal(403, *texts)


def forbidden_metrics(types: Iterable[str]) -> Refusal:
    """Return the 403 for engagement types that a bearer token may not read."""
    return Refusal(403, f"Forbidden to access metrics: {', '.join(types)}")


def app_not_approved() -> Refusal:
    """Return the 403 for an app without access to the product."""
    return Refusal(403, "Your application id is not authorized.")


def needs_gzip() -> Refusal:
    """Return the 406 for a request that does not accept gzip."""
    return Refusal(406, "This request requires gzip compression. Send the header Accept-Encoding: gzip")


def too_many_requests() -> Refusal:
    """Return the 429 for a request over the contracted rate."""
    return Refusal(429, "Too many requests. The rate per minute is used up; wait for the next minute")


def token_refused(status: int, code: int, message: str) -> Refusal:
    """Return a refusal of the token endpoints, with the vendor's error code."""
    return Refusal(status, {"message": message, "code": code})
