"""What the explorer shows, as a URL says it: so a view can be kept, shared and loaded again.

In: the query of a URL, and what the lake can be asked for. Out: View, or InputError in one line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from engagement_pipeline.core.days import parse_day
from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.handles import normalised
from engagement_pipeline.core.metrics import HISTORICAL_SINCE
from engagement_pipeline.core.nearest import nearest
from engagement_pipeline.core.tweet_ids import parse_tweet_id
from engagement_pipeline.explore.choices import zones

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from engagement_pipeline.explore.choices import Choices

    Query = Mapping[str, Sequence[str]]

METRICS = HISTORICAL.types
DEFAULT_METRIC = "impressions"
DEFAULT_DAYS = 28
DEFAULT_ZONE = "UTC"
MOST_METRICS = 4
MOST_TWEETS = 6  # curves that can be told apart
MOST_DAYS = 400
TWEET = re.compile(r"(?:https?://\S+/status(?:es)?/)?([0-9]{1,19})(?:[/?#]\S*)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is shown.

    handles: of these accounts; of all if there is none.
    tweets: of these Tweets; of all Tweets of the handles if there is none.
    metrics: the engagement types, at least one. The first decides which Tweets are the top ones.
    first, last: the days of the time zone, both included.
    zone: the name of the time zone.
    """

    handles: tuple[str, ...]
    tweets: tuple[int, ...]
    metrics: tuple[str, ...]
    first: date
    last: date
    zone: str

    @property
    def days(self) -> list[date]:
        """Each day of the range."""
        return [self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1)]

    def query(self, *, tweets: Iterable[int] | None = None) -> str:
        """Return the query of the URL that shows this, or the same of other Tweets."""
        chosen = self.tweets if tweets is None else tuple(tweets)
        pairs = [("handle", handle) for handle in self.handles]
        pairs += [("metric", metric) for metric in self.metrics]
        pairs += [("first", str(self.first)), ("last", str(self.last)), ("zone", self.zone)]
        pairs += [("tweets", " ".join(map(str, chosen)))] if chosen else []
        return urlencode(pairs)


def view(query: Query, known: Choices) -> View:
    """Read what to show; what the query leaves out is the last four weeks of impressions, of all handles, in UTC.

    Raises InputError for what cannot be shown.
    """
    end = known.last or date.today()  # noqa: DTZ011 - of an empty lake, nothing is shown
    last = _day("last", query) or end
    first = _day("first", query) or max(last - timedelta(days=DEFAULT_DAYS - 1), HISTORICAL_SINCE)
    if first > last:
        raise InputError(f"the first day, {first}, is after the last, {last}: choose an earlier first day")
    if (last - first).days >= MOST_DAYS:
        raise InputError(f"{first} to {last} are more than {MOST_DAYS} days: choose fewer")
    return View(
        handles=_handles(query.get("handle", ()), known),
        tweets=_tweets(_one("tweets", query)),
        metrics=_metrics(query.get("metric", ())),
        first=first,
        last=last,
        zone=_zone(_one("zone", query) or DEFAULT_ZONE),
    )


def _one(name: str, query: Query) -> str:
    """Return a value that is given once; empty if it is not given."""
    return (query.get(name) or [""])[-1].strip()


def _day(name: str, query: Query) -> date | None:
    text = _one(name, query)
    if not text:
        return None
    try:
        day = parse_day(text)
    except ValueError as error:
        raise InputError(f"the {name} day cannot be read: {error}") from None
    if day < HISTORICAL_SINCE:
        raise InputError(f"the API has no counts before {HISTORICAL_SINCE}: choose a later {name} day")
    return day


def _handles(texts: Iterable[str], known: Choices) -> tuple[str, ...]:
    chosen = dict.fromkeys(normalised(text) for text in texts)
    for handle in chosen:
        if handle not in known.handles:
            raise InputError(f"the lake has no Tweet of {handle!r}{_meant(handle, known.handles)}")
    return tuple(handle for handle in known.handles if handle in chosen)


def _metrics(names: Iterable[str]) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys(names))
    for name in chosen:
        if name not in METRICS:
            raise InputError(f"there is no metric {name!r}{_meant(name, METRICS)}")
    if len(chosen) > MOST_METRICS:
        raise InputError(f"{len(chosen)} metrics are too many for one page: choose {MOST_METRICS} at most")
    return chosen or (DEFAULT_METRIC,)


def _tweets(text: str) -> tuple[int, ...]:
    """Read Tweets as their IDs or links, with spaces or commas between them."""
    found: list[int] = []
    for word in re.split(r"[\s,;]+", text):
        if not word:
            continue
        tweet = TWEET.fullmatch(word)
        try:
            found.append(parse_tweet_id(tweet[1] if tweet else word))
        except ValueError:
            raise InputError(f"{word!r} is not the ID or the link of a Tweet") from None
    chosen = tuple(dict.fromkeys(found))
    if len(chosen) > MOST_TWEETS:
        raise InputError(f"{len(chosen)} Tweets are too many to compare: choose {MOST_TWEETS} at most")
    return chosen


def _zone(name: str) -> str:
    if name not in zones():
        raise InputError(f"there is no time zone {name!r}{_meant(name, zones())}")
    return name


def _meant(word: str, known: Iterable[str]) -> str:
    near = nearest(word, known)
    return f": did you mean {near}?" if near else ": choose one that is offered"
