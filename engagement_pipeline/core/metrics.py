"""The metric dictionary: what each engagement type counts, which endpoints serve it, to whom, and since when.

In: nothing. Out: METRICS, and the types of an endpoint. The plan, the flattening and the catalogue read them.
Source: the vendor's documentation of the Engagement API: the overview, and the reference of the three endpoints.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from engagement_pipeline.core.endpoints import ENDPOINTS, HISTORICAL_SINCE, TOTALS, WITH_SERIES

if TYPE_CHECKING:
    from collections.abc import Mapping

REACTIONS_SINCE = date(2015, 9, 15)  # reference of /historical: favorites, retweets and replies are zero before
RECENT_TWEETS = {TOTALS: 90}  # overview: impressions and engagements of Tweets of the last 90 days
VIDEO_TWEETS = dict.fromkeys(ENDPOINTS, 1_800)  # overview: video_views of Tweets of 1,800 days or less


@dataclass(frozen=True, slots=True)
class Metric:
    """One engagement type under the API's own name.

    `public`: the app's bearer token can read it on /totals, for any public Tweet. Everything else needs the tokens of
    the Tweet's owner. `oldest_tweet_days`: the greatest age of a Tweet in days, by endpoint; no entry is no limit. The
    API lists an older Tweet as unsupported, and returns a zero that nobody measured. `since`: the first UTC day that
    /historical measures, or None if it does not serve the type. /28hr and /totals have no such day.
    """

    name: str
    endpoints: tuple[str, ...]
    meaning: str
    caveat: str = ""
    _: KW_ONLY
    public: bool = False
    oldest_tweet_days: Mapping[str, int] = field(default_factory=dict)
    since: date | None = HISTORICAL_SINCE


RENAMED = {"media_clicks": "media_engagements"}  # changelog: former names, which the API no longer accepts
METRICS = (
    Metric("app_install_attempts", WITH_SERIES, "clicks to install an app from the Tweet"),
    Metric("app_opens", WITH_SERIES, "times an app was opened from the Tweet"),
    Metric("detail_expands", WITH_SERIES, "clicks to see the Tweet in full"),
    Metric("email_tweet", WITH_SERIES, "times the Tweet was sent by e-mail"),
    Metric(
        "engagements",
        ENDPOINTS,
        "all interactions with the Tweet, organic and promoted",
        "not the sum of the other types, by design; /totals: Tweets of the last 90 days only",
        oldest_tweet_days=RECENT_TWEETS,
    ),
    Metric(
        "favorites",
        ENDPOINTS,
        "likes",
        "/historical: zero before 2015-09-15, which nobody measured and is not stored",
        public=True,
        since=REACTIONS_SINCE,
    ),
    Metric("hashtag_clicks", WITH_SERIES, "clicks on a hashtag of the Tweet"),
    Metric(
        "impressions",
        ENDPOINTS,
        "times the Tweet was seen, organic only",
        "/totals: Tweets of the last 90 days only",
        oldest_tweet_days=RECENT_TWEETS,
    ),
    Metric("media_engagements", WITH_SERIES, "clicks on media of the Tweet", "was once called media_clicks"),
    Metric("media_views", WITH_SERIES, "views of media of the Tweet"),
    Metric("permalink_clicks", WITH_SERIES, "clicks on the Tweet's own link"),
    Metric("quote_tweets", (TOTALS,), "quotes of the Tweet", public=True, since=None),
    Metric(
        "replies",
        ENDPOINTS,
        "replies to the Tweet",
        "/historical: zero before 2015-09-15, which nobody measured and is not stored",
        public=True,
        since=REACTIONS_SINCE,
    ),
    Metric(
        "retweets",
        ENDPOINTS,
        "reposts of the Tweet",
        "/historical: zero before 2015-09-15, which nobody measured and is not stored",
        public=True,
        since=REACTIONS_SINCE,
    ),
    Metric(
        "url_clicks",
        WITH_SERIES,
        "clicks on a link in the Tweet",
        "may be positive for a Tweet without a link",
    ),
    Metric("user_follows", WITH_SERIES, "follows of the author from the Tweet"),
    Metric("user_profile_clicks", WITH_SERIES, "clicks on the author's name or picture"),
    Metric(
        "video_views",
        ENDPOINTS,
        "views of a video in the Tweet",
        "Tweets of at most 1,800 days; /totals counts the video wherever it was posted",
        public=True,
        oldest_tweet_days=VIDEO_TWEETS,
    ),
)


def types_of(endpoint: str, *, public: bool = False) -> tuple[str, ...]:
    """Return the engagement types that `endpoint` serves, in alphabetical order.

    With `public`, return only the types that it serves to the bearer token: five on /totals, none elsewhere.
    """
    if public and endpoint != TOTALS:
        return ()
    return tuple(metric.name for metric in METRICS if endpoint in metric.endpoints and (metric.public or not public))
