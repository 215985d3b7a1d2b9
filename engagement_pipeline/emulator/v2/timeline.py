"""GET /2/users/{id}/tweets: the Posts of an account, newest first, a page at a time.

In: a question. Out: the JSON of a page, or a `Problem` for the whole request. A token says where a page begins or ends;
it holds no more than an ID, so pages keep their places when Posts are added.

Ours: only the owner sees protected Posts. The newest 3,200 (or 800) Posts are counted before any is left out.
"""

import base64
import binascii
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import orjson

from engagement_pipeline.emulator.content import content_of, reposts_of_day
from engagement_pipeline.emulator.v2 import problems, query
from engagement_pipeline.emulator.v2.includes import expanded
from engagement_pipeline.emulator.v2.posts import ACCOUNTS, Post, objects, parameters, wish
from engagement_pipeline.emulator.v2.question import Question
from engagement_pipeline.emulator.world import FIRST_DAY, Handle, Tweet, tweets_of_day

Meta = dict[str, Any]
FEWEST, MOST, DEFAULT = 5, 100, 10
REACH_WITHOUT_REPLIES = 800
PARAMETERS = ("max_results", "pagination_token", "start_time", "end_time", "since_id", "until_id", "exclude")
POST_ID = re.compile(r"[0-9]{1,19}")
TOKEN = re.compile(r"([np])([0-9]{1,19})")


@dataclass(frozen=True)
class Place:
    """Where a page lies: the newest Posts before an ID (older), or the oldest ones after it (newer)."""

    way: Literal["n", "p"]
    post_id: int

    @property
    def token(self) -> str:
        """Return the token of the place, in which clients see nothing."""
        return base64.b32encode(f"{self.way}{self.post_id}".encode()).decode().rstrip("=").lower()

    @classmethod
    def of(cls, token: str) -> "Place":
        """Return the place of a token. Raises Problem (400)."""
        padded = token.upper() + "=" * (-len(token) % 8)
        try:
            found = TOKEN.fullmatch(base64.b32decode(padded).decode())
        except (binascii.Error, UnicodeDecodeError, ValueError):
            found = None
        if found is None:
            raise problems.invalid("pagination_token", [token], f"The `pagination_token` [{token}] is not valid")
        return cls("n" if found[1] == "n" else "p", int(found[2]))


@dataclass(frozen=True)
class Span:
    """The times and IDs between which Posts are asked for; None is no limit."""

    start: datetime | None
    end: datetime | None
    since: int | None
    until: int | None

    @classmethod
    def of(cls, params: Mapping[str, str]) -> "Span":
        """Read it. Raises Problem (400)."""
        ids = {
            name: query.listed(params, name, pattern=POST_ID, most=1)[0]
            for name in ("since_id", "until_id")
            if name in params
        }
        since, until = ids.get("since_id"), ids.get("until_id")
        return cls(
            query.moment(params, "start_time"),
            query.moment(params, "end_time"),
            None if since is None else int(since),
            None if until is None else int(until),
        )

    def holds(self, tweet: Tweet) -> bool:
        """Tell whether a Tweet is within; the start is, and the end and both IDs are not."""
        return (
            (self.start is None or tweet.created >= self.start)
            and (self.end is None or tweet.created < self.end)
            and (self.since is None or tweet.tweet_id > self.since)
            and (self.until is None or tweet.tweet_id < self.until)
        )


def timeline(question: Question) -> bytes:
    """Answer GET /2/users/{id}/tweets. Raises Problem (400)."""
    params = query.given(question.pairs, (*PARAMETERS, *parameters(question.dials.spelling)))
    user_id = question.path["id"]
    if not POST_ID.fullmatch(user_id):
        raise problems.invalid("id", [user_id], f"The `id` query parameter value [{user_id}] is not valid")
    size = query.whole(params, "max_results", least=FEWEST, most=MOST, default=DEFAULT)
    wanted = wish(params, spelling=question.dials.spelling)
    span = Span.of(params)
    excluded = query.fields(params, "exclude", legal=("replies", "retweets"))
    token = params.get("pagination_token")
    place = Place.of(token) if token is not None else None
    account = next((found for found in ACCOUNTS.values() if str(found.author_id) == user_id), None)
    if account is None:
        error = problems.partial("resource-not-found", user_id, resource="user", parameter="id", field="")
        return orjson.dumps({"errors": [error]})
    posts = [post for post in _reached(question, account, excluded) if span.holds(post.tweet)]
    page, meta = _page(question, posts, place, size)
    question.reads.add(str(post.tweet.tweet_id) for post in page)
    data = {"data": objects(question.world, page, wanted)} if page else {}
    return orjson.dumps(data | expanded(question.world, page, wanted) | {"meta": meta})


def _reached(question: Question, account: Handle, excluded: Collection[str]) -> list[Post]:
    """Return the newest Posts of an account that the timeline reaches, without what is excluded."""
    reach = question.dials.timeline_reach
    if "replies" in excluded:
        reach = min(reach, REACH_WITHOUT_REPLIES)
    kinds = {"replied_to" if name == "replies" else "reposted" for name in excluded}
    newest = _posts(question, account)
    reached = [post for post, _ in zip(newest, range(reach), strict=False)]
    return [post for post in reached if post.content.reference not in kinds]


def _posts(question: Question, account: Handle) -> Iterator[Post]:
    """Yield all Posts of an account that the caller may see, newest first."""
    world, now = question.world, question.world.now()
    seen = {"ok", "protected"} if account.name == question.caller.handle else {"ok"}
    for age in range((now.date() - FIRST_DAY).days + 1):
        day = now.date() - timedelta(days=age)
        posts = [Post(tweet, content_of(world.seed, tweet)) for tweet in tweets_of_day(world.seed, account, day)]
        posts += [Post(repost.tweet, repost.content) for repost in reposts_of_day(world.seed, account, day)]
        for post in sorted(posts, key=lambda post: -post.tweet.tweet_id):
            vanished = post.tweet.tweet_id in question.dials.vanished_tweet_ids
            if post.tweet.created <= now and post.tweet.state in seen and not vanished:
                yield post


def _page(question: Question, posts: Sequence[Post], place: Place | None, size: int) -> tuple[Sequence[Post], Meta]:
    """Return the Posts of a page and its `meta`."""
    start, end = 0, size
    if place is not None:
        start = sum(post.tweet.tweet_id >= place.post_id for post in posts)
        end = start + size
        if place.way == "p":
            end = sum(post.tweet.tweet_id > place.post_id for post in posts)
            start = max(0, end - size)
    if question.hit_by("empty_pages") and posts[start:]:
        return [], {"result_count": 0, "next_token": Place("n", posts[start].tweet.tweet_id + 1).token}
    if question.hit_by("repeated_pages") and place is not None and place.way == "n":
        start, end = max(0, start - size), start
    page = posts[start:end]
    meta: Meta = {"result_count": len(page)}
    if page:
        newest, oldest = page[0].tweet.tweet_id, page[-1].tweet.tweet_id
        meta |= {"newest_id": str(newest), "oldest_id": str(oldest)}
        if posts[end:]:
            meta["next_token"] = Place("n", oldest).token
        if start:
            meta["previous_token"] = Place("p", newest).token
    return page, meta
