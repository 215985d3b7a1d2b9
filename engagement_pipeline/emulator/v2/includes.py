"""The expansions of a page of Posts: the accounts, media and Posts that it refers to, each once.

In: Posts, the expansions asked for. Out: `includes`, and a Problem object for each Post that cannot be shown.
"""

from collections.abc import Sequence
from typing import Any

from engagement_pipeline.emulator.content import Media, content_of
from engagement_pipeline.emulator.v2 import problems
from engagement_pipeline.emulator.v2.posts import ACCOUNTS, Post, Wish, objects
from engagement_pipeline.emulator.v2.users import user
from engagement_pipeline.emulator.world import Tweet, World

VIDEO_MS = 32_500


def expanded(world: World, posts: Sequence[Post], wanted: Wish) -> dict[str, Any]:
    """Return `includes` and `errors`, each if there is something in it."""
    shown, errors = _referenced(world, posts, wanted)
    users = {name: user(ACCOUNTS[name], wanted.user_fields) for post in posts for name in _accounts(post, wanted)}
    media = {
        found.key: _media(found, wanted)
        for post in posts
        for found in post.content.media
        if "attachments.media_keys" in wanted.expansions
    }
    includes = {"users": [*users.values()], "media": [*media.values()], f"{wanted.word}s": shown}
    parts = {"includes": {name: part for name, part in includes.items() if part}, "errors": errors}
    return {name: part for name, part in parts.items() if part}


def _referenced(world: World, posts: Sequence[Post], wanted: Wish) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the objects of the Posts referred to, and the errors of those that are not there any more."""
    parameter = f"referenced_{wanted.word}s.id"
    if parameter not in wanted.expansions:
        return [], []
    named = {post.content.referenced.tweet_id: post.content.referenced for post in posts if post.content.referenced}
    there = [Post(tweet, content_of(world.seed, tweet)) for tweet in named.values() if tweet.state == "ok"]
    errors = [
        problems.partial("resource-not-found", str(key), resource="tweet", parameter=parameter, field="")
        for key, tweet in named.items()
        if tweet.state != "ok"
    ]
    return objects(world, there, wanted), errors


def _accounts(post: Post, wanted: Wish) -> list[str]:
    """Return the names of the accounts that the expansions lead to from a Post."""
    referenced: Tweet | None = post.content.referenced
    names = [post.tweet.handle] if "author_id" in wanted.expansions else []
    if referenced:
        if "in_reply_to_user_id" in wanted.expansions and post.content.reference == "replied_to":
            names.append(referenced.handle)
        if f"referenced_{wanted.word}s.id.author_id" in wanted.expansions and referenced.state == "ok":
            names.append(referenced.handle)
    if "entities.mentions.username" in wanted.expansions:
        names += [name for name in ACCOUNTS if f"@{name}" in post.content.text]
    return names


def _media(media: Media, wanted: Wish) -> dict[str, Any]:
    whole: dict[str, Any] = {"media_key": media.key, "type": media.kind, "width": 1_200, "height": 675}
    if media.kind == "video":
        whole["duration_ms"] = VIDEO_MS
    else:
        whole["url"] = f"https://pbs.example.com/media/{media.key}.jpg"
    return {
        name: value for name, value in whole.items() if name in wanted.media_fields or name in ("media_key", "type")
    }
