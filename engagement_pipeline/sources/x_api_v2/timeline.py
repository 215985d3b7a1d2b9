"""X API v2: the Posts of an account, a page of its timeline at a time. A client can ask it, as it asks a Source.

In: a handle or its user ID, and where a page begins. Out: the request; then the user ID, or the Posts of a page.

The vendor's description and its pages spell fields in two ways, by the words `post` and `tweet`. A request is in one of
them, and an answer is read in both. Reposts are left out: nobody counts them under an ID of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson

from engagement_pipeline.core.endpoints import TIMELINE, Endpoint
from engagement_pipeline.core.errors import ApiError, RefusedError, ResponseError, UnavailableError
from engagement_pipeline.core.model import HttpRequest, Rate, Request, Terms
from engagement_pipeline.core.posts import POST, QUOTE, REPLY, Post
from engagement_pipeline.core.redaction import shown
from engagement_pipeline.core.tables import TWEETS
from engagement_pipeline.sources import audit
from engagement_pipeline.sources.x_api_v2 import problems, rate, timeline_shape
from engagement_pipeline.sources.x_api_v2.shape import HEADERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engagement_pipeline.core.model import Answer
    from engagement_pipeline.core.shape import Shape

__all__ = [
    "HEADERS",
    "TERMS",
    "error_of",
    "http_request",
    "largest_answer",
    "most_values",
    "posts_read",
    "rate_of",
    "shape",
]

TERMS = Terms(  # an account asks for a few pages, far fewer than it may, so no setting says how many
    address="x_api_url",
    rate="",
    seconds=rate.WINDOW,
    per_account=True,
    in_flight=1,
    oauth2=True,
)
REACH = 3_200  # Posts: the newest ones, which a timeline shows
PAGE = 100  # Posts, the most that a page has
LARGEST_PAGE = 16 * 2**20  # bytes: a long Post has 25,000 characters, and the Post that it quotes comes along
MOST_VALUES = 2**19  # a long Post may be full of links, and so may be the Post that it quotes
USER, POSTS = "user", "timeline"
SHAPES = {USER: timeline_shape.ACCOUNT, POSTS: timeline_shape.PAGE}
WORDS = ("post", "tweet")  # how the description spells it, and how the pages do
FIELDS = ("created_at", "lang", "entities", "attachments")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The Posts of a page without reposts, and the token of the next page, empty on the last."""

    posts: tuple[Post, ...]
    next_token: str


def http_request(request: Request) -> HttpRequest:
    """Write a request: its path has all of it."""
    return HttpRequest(method="GET", path=request.endpoint.path)


def largest_answer(_: Request) -> int:
    """Return the most bytes that an answer can have."""
    return LARGEST_PAGE


def most_values(_: Request) -> int:
    """Return the most JSON values that an answer can have."""
    return MOST_VALUES


def shape(request: Request) -> Shape:
    """Return what an answer may hold: that about an account, or a page."""
    return SHAPES[request.endpoint.name]


def posts_read(_: Request, body: bytes) -> tuple[int, ...]:
    """Return the Posts of a page, reposts included; not those that it brings along, which nobody says are counted."""
    try:
        found = _root(body).get("data")
        return tuple(int(each["id"]) for each in found) if isinstance(found, list) else ()
    except (ResponseError, KeyError, TypeError, ValueError):
        return ()


def error_of(answer: Answer, *, handle: str, asked_at: datetime) -> ApiError:
    """Return the error that says what an answer other than 200 means, and whether a retry can help."""
    error = problems.error_of(answer, handle=handle, asked_at=asked_at)
    if error.status == HTTPStatus.TOO_MANY_REQUESTS and not isinstance(error, RefusedError):
        message = f"{answer.url.partition('?')[0]} answered 429: account {handle} has used up its reads of 15 minutes."
        return UnavailableError(message, account=handle, status=error.status, texts=error.texts)
    return error


def rate_of(headers: Mapping[str, str], *, asked_at: datetime, seconds: float, spent: bool) -> Rate:
    """Read what is left and until when. The limit is none to space requests by: an account asks for a few pages."""
    told = rate.rate_of(headers, asked_at=asked_at, seconds=seconds, spent=spent)
    return Rate(remaining=told.remaining, reset_in=told.reset_in)


def user(handle: str) -> Request:
    """Ask for the user ID of a handle, by its own tokens."""
    return _request(USER, handle, f"/2/users/by/username/{handle}", {}, posts=0)


def page(handle: str, user_id: str, *, word: str, since: int | None = None, token: str = "") -> Request:
    """Ask for a page of a timeline: Posts newer than `since`, from where `token` leads; `word` is one of WORDS."""
    expansions, fields = ["attachments.media_keys"], [*FIELDS, f"note_{word}"]
    if word == "post":
        expansions.append("referenced_posts.id")  # which it has as an expansion only
    else:
        fields.append("referenced_tweets")
    query = {
        "max_results": str(PAGE),
        "exclude": "retweets",
        f"{word}.fields": ",".join(fields),
        "expansions": ",".join(expansions),
        "media.fields": "media_key,type",
        "since_id": str(since or ""),
        "pagination_token": token,
    }
    given = {name: value for name, value in query.items() if value}
    return _request(POSTS, handle, f"/2/users/{user_id}/tweets", given, posts=PAGE)


def _request(name: str, handle: str, path: str, query: Mapping[str, str], *, posts: int) -> Request:
    """Write a request to an endpoint that gives so many Posts at most."""
    endpoint = Endpoint(
        name=name,
        source=TIMELINE,
        path=f"{path}?{urlencode(query)}" if query else path,
        table=TWEETS,
        types=(),
        max_tweets=posts,
    )
    return Request(endpoint=endpoint, handle=handle, tweet_ids=(), types=(), window=None)


def read_user(body: bytes) -> str:
    """Return the user ID. Raises ResponseError if there is none, with what the API says."""
    root = _root(body)
    data = root.get("data")
    user_id = str(data.get("id", "")) if isinstance(data, dict) else ""
    if not (user_id.isascii() and user_id.isdecimal()):
        said = "; ".join(problem.text for problem in problems.problems_of(root))
        raise ResponseError(f"X knows no such account ({said or 'nothing said'})", path="data.id")
    return user_id


def read_page(body: bytes) -> Page:
    """Read a page. Raises ResponseError if it is none."""
    root = _root(body)
    if not isinstance(root.get("meta"), dict):
        said = "; ".join(problem.text for problem in problems.problems_of(root))
        raise ResponseError(f"it is no page of a timeline ({said or 'nothing said'})", path="meta")
    try:
        kinds = {media["media_key"]: str(media["type"]) for media in (root.get("includes") or {}).get("media", [])}
        posts = [_post(found, kinds) for found in root.get("data") or []]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        told = shown(f"{type(error).__name__}: {error}")
        raise ResponseError(f"it holds what is no Post ({told})", path="data") from None
    return Page(posts=tuple(filter(None, posts)), next_token=str(root["meta"].get("next_token") or ""))


def _root(body: bytes) -> dict[str, Any]:
    audit.check(body, address=TERMS.address, largest=LARGEST_PAGE, most_values=MOST_VALUES)
    try:
        root = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ResponseError(f"the body is not JSON ({error})", path="the root") from None
    if not isinstance(root, dict):
        raise ResponseError("the body is not an object", path="the root")
    return root


def _post(found: Mapping[str, Any], kinds: Mapping[str, str]) -> Post | None:
    """Return a Post of a page, None for a repost. `kinds` has the kind of each media key."""
    references = {each["type"] for each in found.get("referenced_posts") or found.get("referenced_tweets") or []}
    if references & {"reposted", "retweeted"}:
        return None
    entities = found.get("entities") or {}
    keys = tuple((found.get("attachments") or {}).get("media_keys") or ())
    note = found.get("note_post") or found.get("note_tweet") or {}
    return Post(
        tweet_id=int(found["id"]),
        created_at=datetime.fromisoformat(found["created_at"]) if found.get("created_at") else None,
        kind=REPLY if "replied_to" in references else QUOTE if "quoted" in references else POST,
        lang=str(found.get("lang") or ""),
        text=str(note.get("text") or found.get("text") or ""),
        media_kinds=tuple(kinds[key] for key in keys if key in kinds),
        media_keys=keys,
        links=tuple(
            str(url["expanded_url"])
            for url in entities.get("urls") or []
            if url.get("expanded_url") and "media_key" not in url
        ),
    )
