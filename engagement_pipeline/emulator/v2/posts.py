"""Post objects of X API v2, in either spelling of their fields.

In: Posts of a timeline, the fields and expansions asked for. Out: Post objects. includes.py has what they refer to.

The description says `post.fields`, `repost_count`, `referenced_posts`, and gives the author and the Posts referred to
as expansions only. The vendor's pages say `tweet.fields`, `retweet_count`, `referenced_tweets`, and have fields for
both. Ours: the type `reposted` of the former is `retweeted` in the latter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from engagement_pipeline.emulator.content import Content
from engagement_pipeline.emulator.v2 import query
from engagement_pipeline.emulator.v2.problems import invalid
from engagement_pipeline.emulator.v2.users import FIELDS as USER_FIELDS
from engagement_pipeline.emulator.world import AUTHORS, Tweet, World

Word = Literal["post", "tweet"]
MEDIA_FIELDS = (
    *("alt_text", "duration_ms", "height", "media_key", "non_public_metrics", "organic_metrics", "preview_image_url"),
    *("promoted_metrics", "public_metrics", "type", "url", "variants", "width"),
)
COMMON_FIELDS = (
    *("article", "attachments", "card_uri", "community_id", "context_annotations", "conversation_id", "created_at"),
    *("display_text_range", "edit_controls", "entities", "geo", "id", "lang", "media_metadata", "non_public_metrics"),
    *("organic_metrics", "possibly_sensitive", "promoted_metrics", "public_metrics", "reply_settings", "scopes"),
    *("source", "text", "withheld"),
)
# What public_metrics count, and under which name.
COUNTED = {
    "retweets": "{}_count",
    "replies": "reply_count",
    "favorites": "like_count",
    "quote_tweets": "quote_count",
    "bookmarks": "bookmark_count",
    "impressions": "impression_count",
}
ACCOUNTS = {author.name: author for author in AUTHORS}


@dataclass(frozen=True)
class Post:
    """A Tweet or a repost on a timeline, and what it says."""

    tweet: Tweet
    content: Content


@dataclass(frozen=True)
class Wish:
    """What a request wants of each Post: the word for it, its fields, the expansions and their fields."""

    word: Word
    fields: frozenset[str]
    expansions: frozenset[str]
    user_fields: frozenset[str]
    media_fields: frozenset[str]


def parameters(spelling: str) -> tuple[str, ...]:
    """Return the parameters that say what is wanted, for a spelling or for both."""
    words = [word for word in ("post", "tweet") if spelling in (word, "both")]
    return (*(f"{word}.fields" for word in words), "expansions", "user.fields", "media.fields")


def wish(params: Mapping[str, str], *, spelling: str) -> Wish:
    """Return what is wanted; `spelling` is "post", "tweet" or "both". Raises Problem (400)."""
    if {"post.fields", "tweet.fields"} <= params.keys():
        text = "The query parameters [post.fields] and [tweet.fields] exclude each other"
        raise invalid("tweet.fields", [params["tweet.fields"]], text)
    of_pages = "tweet.fields" in params or "referenced_tweets" in params.get("expansions", "")
    word: Word = "tweet" if spelling == "tweet" or (spelling == "both" and of_pages) else "post"
    fields = [*COMMON_FIELDS, f"edit_history_{word}_ids", f"note_{word}"]
    if word == "tweet":
        fields += ["author_id", "in_reply_to_user_id", "referenced_tweets"]
    expansions = [
        *("attachments.media_keys", "attachments.media_source_post", "author_id", "in_reply_to_user_id"),
        *("entities.mentions.username", f"referenced_{word}s.id", f"referenced_{word}s.id.author_id"),
    ]
    return Wish(
        word,
        frozenset(query.fields(params, f"{word}.fields", legal=fields)),
        frozenset(query.fields(params, "expansions", legal=expansions)),
        frozenset(query.fields(params, "user.fields", legal=USER_FIELDS)),
        frozenset(query.fields(params, "media.fields", legal=MEDIA_FIELDS)),
    )


def objects(world: World, posts: Sequence[Post], wanted: Wish) -> list[dict[str, Any]]:
    """Return the Post objects of a page, or of those that it refers to."""
    counts = np.zeros((len(posts), len(COUNTED)), dtype=np.int64)
    if "public_metrics" in wanted.fields:
        shown = [row for row, post in enumerate(posts) if post.content.reference != "reposted"]
        counts[shown] = world.lifetime([posts[row].tweet.tweet_id for row in shown], [*COUNTED])
    return [_object(post, wanted, row.tolist()) for post, row in zip(posts, counts, strict=True)]


def _object(post: Post, wanted: Wish, counts: Sequence[int]) -> dict[str, Any]:
    """Return one Post object; `counts` are those of COUNTED."""
    tweet, said, word = post.tweet, post.content, wanted.word
    answers = said.referenced if said.reference == "replied_to" else None
    names = [name.format("repost" if word == "post" else "retweet") for name in COUNTED.values()]
    whole: dict[str, Any] = {
        "id": str(tweet.tweet_id),
        "text": said.text,
        f"edit_history_{word}_ids": [str(tweet.tweet_id)],
        "created_at": tweet.created.strftime("%Y-%m-%dT%H:%M:%S.") + f"{tweet.created.microsecond // 1000:03}Z",
        "lang": said.lang,
        "conversation_id": str((answers or tweet).tweet_id),
        "possibly_sensitive": False,
        "reply_settings": "everyone",
        "public_metrics": dict(zip(names, counts, strict=True)),
        "author_id": str(tweet.author_id),
        "attachments": {"media_keys": [media.key for media in said.media]} if said.media else None,
        "entities": _entities(post),
        "in_reply_to_user_id": str(answers.author_id) if answers else None,
        f"referenced_{word}s": _references(said, word),
    }
    asked = {"id", "text", f"edit_history_{word}_ids"} | wanted.fields
    asked |= {expansion.partition(".")[0] for expansion in wanted.expansions}
    return {name: value for name, value in whole.items() if name in asked and value is not None}


def _references(said: Content, word: Word) -> list[dict[str, str]] | None:
    if said.referenced is None:
        return None
    kind = "retweeted" if said.reference == "reposted" and word == "tweet" else str(said.reference)
    return [{"type": kind, "id": str(said.referenced.tweet_id)}]


def _entities(post: Post) -> dict[str, list[dict[str, Any]]] | None:
    """Return the links, hashtags and mentions of a text; places are in code points. A link to media has its key."""
    said = post.content
    urls = [
        _place(said.text, short) | {"url": short, "expanded_url": long, "display_url": long.partition("://")[2]}
        for short, long in said.links
    ]
    page = f"https://x.com/{post.tweet.handle}/status/{post.tweet.tweet_id}"
    for number, media in enumerate(said.media, start=1):
        place = _place(said.text, said.media_link) | {"url": said.media_link, "media_key": media.key}
        shown = {"photo": f"photo/{number}"}.get(media.kind, "video/1")
        urls.append(place | {"expanded_url": f"{page}/{shown}", "display_url": f"pic.x.com/{said.media_link[-10:]}"})
    found = {
        "urls": urls,
        "hashtags": [_place(said.text, f"#{tag}") | {"tag": tag} for tag in said.hashtags],
        "mentions": [
            _place(said.text, f"@{name}") | {"username": name, "id": str(account.author_id)}
            for name, account in ACCOUNTS.items()
            if f"@{name}" in said.text
        ],
    }
    return {name: places for name, places in found.items() if places} or None


def _place(text: str, part: str) -> dict[str, Any]:
    start = text.index(part)
    return {"start": start, "end": start + len(part)}
