"""Reads a request body by the rules of the contract.

In: an endpoint, the body's bytes, the API's present time. Out: `Asked`, a request that can be answered; or a `Refusal`
with status 400 that names the broken rule. Other modules decide who may ask and which Tweets exist.

    body -> read() -> Asked -> answers.answer() -> bytes

Rules that the contract leaves open are marked "ours".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import orjson

from engagement_pipeline.emulator.refusals import bad_request

Endpoint = Literal["totals", "28hr", "historical"]
ENDPOINTS: tuple[Endpoint, ...] = ("totals", "28hr", "historical")

BOTH_TYPES = ("impressions", "engagements", "favorites", "retweets", "replies", "video_views")
SERIES_ONLY_TYPES = (
    "media_views",
    "media_engagements",
    "url_clicks",
    "hashtag_clicks",
    "detail_expands",
    "permalink_clicks",
    "app_install_attempts",
    "app_opens",
    "email_tweet",
    "user_follows",
    "user_profile_clicks",
)
TYPES: Mapping[Endpoint, tuple[str, ...]] = {
    "totals": (*BOTH_TYPES, "quote_tweets"),
    "28hr": BOTH_TYPES + SERIES_ONLY_TYPES,
    "historical": BOTH_TYPES + SERIES_ONLY_TYPES,
}
PUBLIC_TYPES = frozenset({"favorites", "retweets", "replies", "quote_tweets", "video_views"})

MOST_TWEETS: Mapping[Endpoint, int] = {"totals": 250, "28hr": 25, "historical": 25}
MOST_GROUPINGS = 3
LONGEST_WINDOW = timedelta(days=28)
FIRST_MOMENT = datetime(2014, 9, 1, tzinfo=UTC)
RECENT_HOURS = timedelta(hours=28)
LARGEST_ID = 2**63 - 1

TWEET, TYPE, DAY, HOUR = "tweet.id", "engagement.type", "engagement.day", "engagement.hour"
NAMES = (TWEET, TYPE, DAY, HOUR)
OTHER_SPELLINGS = {"Tweet.id": TWEET}  # as a guide of the vendor writes it
FOUR_WAY = ((TWEET, TYPE, DAY, HOUR), (TYPE, TWEET, DAY, HOUR))

# The keys beside the groupings at the root of a response; a grouping of that name would be ambiguous.
UNAVAILABLE = "unavailable_tweet_ids"
UNSUPPORTED_IMPRESSIONS = "unsupported_for_impressions_engagements_tweet_ids"
UNSUPPORTED_VIDEO_VIEWS = "unsupported_for_video_views_tweet_ids"
RESERVED = frozenset({"start", "end", "errors", UNAVAILABLE, UNSUPPORTED_IMPRESSIONS, UNSUPPORTED_VIDEO_VIEWS})

MOMENT = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\dZ)?", re.ASCII)
DIGITS = re.compile(r"[1-9][0-9]{0,18}")


@dataclass(frozen=True)
class Window:
    """Whole UTC hours from `start` (included) to `end` (excluded)."""

    start: datetime
    end: datetime

    @property
    def hours(self) -> int:
        """Return the number of hours."""
        return int((self.end - self.start).total_seconds()) // 3600


@dataclass(frozen=True)
class Asked:
    """A request that follows the rules. IDs and types are in the order of the request, each once.

    `groupings` maps a name to its `group_by`. `window` is None on /totals. `at` is the time of the request.
    """

    endpoint: Endpoint
    tweet_ids: tuple[int, ...]
    types: tuple[str, ...]
    groupings: Mapping[str, tuple[str, ...]]
    window: Window | None
    at: datetime


def read(endpoint: Endpoint, body: bytes, *, now: datetime, max_age_days: int | None) -> Asked:
    """Return what the body asks for. Raises Refusal (400) if it breaks a rule.

    `now` is an aware datetime. `max_age_days` limits how far back /historical goes, as newer contracts do. None means
    2014-09-01, as in the oldest contracts.
    """
    fields = _fields(endpoint, body)
    tweet_ids = _tweet_ids(endpoint, fields.get("tweet_ids"))
    types = _types(endpoint, fields.get("engagement_types"))
    groupings = _groupings(endpoint, fields.get("groupings"))
    window = None
    if endpoint == "28hr":
        window = Window(hour_of(now - RECENT_HOURS), hour_after(now))
    elif endpoint == "historical":
        window = _historical_window(fields, now=now, max_age_days=max_age_days)
    return Asked(endpoint, tweet_ids, types, groupings, window, now)


def hour_of(moment: datetime) -> datetime:
    """Return the start of the hour that holds the moment."""
    return moment.replace(minute=0, second=0, microsecond=0)


def hour_after(moment: datetime) -> datetime:
    """Return the first full hour that is not before the moment."""
    start = hour_of(moment)
    return start if start == moment else start + timedelta(hours=1)


def _fields(endpoint: Endpoint, body: bytes) -> dict[str, Any]:
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"The request body is not valid JSON: {error}") from error
    if not isinstance(fields, dict):
        raise bad_request("The request body must be a JSON object")
    known = {"tweet_ids", "engagement_types", "groupings"}
    if endpoint == "historical":
        known |= {"start", "end"}
    # Ours: refuse a misspelt field, because without it the answer would be to another question.
    if unknown := sorted(fields.keys() - known):
        raise bad_request(f"Unknown fields for /{endpoint}: {', '.join(unknown)}")
    return fields


def _tweet_ids(endpoint: Endpoint, given: object) -> tuple[int, ...]:
    if not isinstance(given, list) or not given:
        raise bad_request("tweet_ids must be a non-empty array")
    # Ours: the limit is on what is sent, so a repeated ID counts each time, but is answered once.
    if len(given) > MOST_TWEETS[endpoint]:
        raise bad_request(f"Too many tweet_ids: {len(given)}, /{endpoint} takes {MOST_TWEETS[endpoint]}")
    return tuple(dict.fromkeys(_tweet_id(item) for item in given))


def _tweet_id(item: object) -> int:
    text = str(item) if isinstance(item, int) and not isinstance(item, bool) else item
    if not isinstance(text, str) or not DIGITS.fullmatch(text) or int(text) > LARGEST_ID:
        raise bad_request(f"Not a Tweet ID: {orjson.dumps(item).decode()}")
    return int(text)


def _types(endpoint: Endpoint, given: object) -> tuple[str, ...]:
    if not isinstance(given, list) or not given:
        raise bad_request("engagement_types must be a non-empty array")
    for item in given:
        if item not in TYPES[endpoint]:
            raise bad_request(f"Not an engagement type of /{endpoint}: {orjson.dumps(item).decode()}")
    return tuple(dict.fromkeys(given))


def _groupings(endpoint: Endpoint, given: object) -> dict[str, tuple[str, ...]]:
    if not isinstance(given, dict) or not 1 <= len(given) <= MOST_GROUPINGS:
        raise bad_request(f"groupings must be an object of 1 to {MOST_GROUPINGS} groupings")
    groupings = {name: _group_by(endpoint, name, grouping) for name, grouping in given.items()}
    if sum(len(group_by) == len(NAMES) for group_by in groupings.values()) > 1:
        raise bad_request("Only one grouping of a request may group by all four")
    return groupings


def _group_by(endpoint: Endpoint, name: str, grouping: object) -> tuple[str, ...]:
    if name in RESERVED or not name:
        raise bad_request(f"Not a name for a grouping: {orjson.dumps(name).decode()}")
    if not isinstance(grouping, dict) or grouping.keys() != {"group_by"}:
        raise bad_request(f'Grouping {name} must be an object of the form {{"group_by": [...]}}')
    given = grouping["group_by"]
    if not isinstance(given, list) or not given:
        raise bad_request(f"group_by of grouping {name} must be a non-empty array")
    legal = NAMES[:2] if endpoint == "totals" else NAMES
    given = [OTHER_SPELLINGS.get(item, item) if isinstance(item, str) else item for item in given]
    for item in given:
        if item not in legal:
            raise bad_request(f"Grouping {name}: /{endpoint} cannot group by {orjson.dumps(item).decode()}")
    group_by = tuple(given)
    if len(set(group_by)) < len(group_by):
        raise bad_request(f"Grouping {name} repeats a group")
    if len(group_by) == len(NAMES) and group_by not in FOUR_WAY:
        orders = " or ".join(", ".join(order) for order in FOUR_WAY)
        raise bad_request(f"Grouping {name}: a grouping by all four must be {orders}")
    return group_by


def _historical_window(fields: Mapping[str, Any], *, now: datetime, max_age_days: int | None) -> Window:
    if "start" not in fields and "end" not in fields:
        end = hour_of(now)
        window = Window(end - LONGEST_WINDOW, end)
    elif "start" in fields and "end" in fields:
        start, end = _moment("start", fields["start"]), _moment("end", fields["end"])
        # Ours: check the end after snapping, so the current hour is refused; all hours served are over.
        if end > now or hour_after(end) > now:
            raise bad_request(f"end must not be in the future: {fields['end']}, now {wire_time(now)}")
        if start >= end:
            raise bad_request("start must be before end")
        window = Window(hour_of(start), hour_after(end))
    else:
        # Ours: the documents do not mention one without the other.
        raise bad_request("start and end are given together or not at all")
    # Ours: check the length after snapping too, so a response never holds more than 672 hours.
    if window.end - window.start > LONGEST_WINDOW:
        raise bad_request(f"The period is longer than 28 days: {wire_time(window.start)} to {wire_time(window.end)}")
    earliest = FIRST_MOMENT
    if max_age_days is not None:
        earliest = max(earliest, hour_of(now) - timedelta(days=max_age_days))
    if window.start < earliest:
        raise bad_request(
            f"start is before the oldest data: {wire_time(window.start)}, data from {wire_time(earliest)}"
        )
    return window


def _moment(field: str, given: object) -> datetime:
    if not isinstance(given, str) or not MOMENT.fullmatch(given):
        raise bad_request(f"{field} must look like 2026-01-31 or 2026-01-31T12:24:00Z")
    try:
        return datetime.fromisoformat(given).replace(tzinfo=UTC)
    except ValueError as error:
        raise bad_request(f"{field} is not a date: {given}") from error


def wire_time(moment: datetime) -> str:
    """Return the moment as the API writes it: 2026-01-31T12:00:00Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
