"""A body without some Tweets, as if they had not been asked for: it still passes the audit.

In: a body, and the Tweets that are to go. Out: the body, whose sums by type are less by their counts. Pure.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from engagement_pipeline.sources.engagement.request import CELLS, TWEET_SUMS, TYPE_SUMS

if TYPE_CHECKING:
    from engagement_pipeline.core.erased import Erased

BY_TWEET = (CELLS, TWEET_SUMS)  # the groupings with Tweets as their first keys
LIST_OF_TWEETS = "_tweet_ids"  # how the names of the API's lists of Tweets end


def without(body: bytes, erased: Erased) -> bytes:
    """Return the body without these Tweets. Raises ValueError where it is not JSON."""
    try:
        root = json.loads(body)
        if isinstance(root, dict):
            _take_from_sums(root, erased)
            root = {key: _members(key, value, erased) for key, value in root.items()}
        return json.dumps(erased.without(root), separators=(",", ":")).encode()
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _take_from_sums(root: dict[str, Any], erased: Erased) -> None:
    """Take the Tweets' sums from the sums by type; what is no number stays, and fails the audit as before."""
    by_tweet, by_type = root.get(TWEET_SUMS), root.get(TYPE_SUMS)
    if not isinstance(by_tweet, dict) or not isinstance(by_type, dict):
        return
    for tweet in by_tweet.keys() & erased.texts:
        sums = by_tweet[tweet] if isinstance(by_tweet[tweet], dict) else {}
        for name, count in sums.items():
            with suppress(KeyError, TypeError, ValueError):
                left = int(by_type[name]) - int(count)
                by_type[name] = str(left) if isinstance(by_type[name], str) else left


def _members(key: str, value: Any, erased: Erased) -> Any:  # noqa: ANN401 - any JSON
    """Return a part of the root; one with Tweets for keys or members, without these, however short their IDs are."""
    if key in BY_TWEET and isinstance(value, dict):
        return {tweet: of_tweet for tweet, of_tweet in value.items() if tweet not in erased.texts}
    if key.endswith(LIST_OF_TWEETS) and isinstance(value, list):
        return [tweet for tweet in value if str(tweet) not in erased.texts]
    return value
