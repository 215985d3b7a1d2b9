"""The metric dictionary: what each engagement type counts, which endpoints serve it, to whom, and since when.

In: nothing. Out: METRICS. The endpoints, the reading of answers and the catalogue ask here.
Source: the vendor's documentation of the Engagement API, its overview and its reference of the three endpoints. For
`analytics` and `media`, it is the vendor's description of X API v2.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

HISTORICAL_SINCE = date(2014, 9, 1)  # reference of /historical: the oldest start that can be asked for
REACTIONS_SINCE = date(2015, 9, 15)  # the same: favorites, retweets and replies are zero before
WITH_SERIES = ("28hr", "historical")  # the endpoints that tell the hours
HOURLY = (*WITH_SERIES, "analytics")
EVERYWHERE = ("totals", *HOURLY)
VIDEO = ("totals", *WITH_SERIES)  # X API v2 counts the views of a video by its media key, elsewhere
ANALYTICS = ("analytics",)
MEDIA = ("media",)  # counts of a video by its media key, wherever it is shown
RECENT_TWEETS = {"totals": 90}  # overview: impressions and engagements of Tweets of the last 90 days
VIDEO_TWEETS = dict.fromkeys(VIDEO, 1_800)  # overview: video_views of Tweets of 1,800 days or less


@dataclass(frozen=True, slots=True)
class Metric:
    """One engagement type under the Engagement API's own name; `endpoints` are the names of those that serve it.

    `public`: the app's bearer token can read it on /totals, for any public Tweet. Everything else needs the tokens of
    the Tweet's owner. `oldest_tweet_days`: the greatest age of a Tweet in days, by endpoint; no entry is no limit. The
    API lists an older Tweet as unsupported, and returns a zero that nobody measured. `since`: the first UTC day that
    /historical measures, or None if it does not serve the type. The other endpoints have no such day. `title` is its
    name for people, `exported` its column in the vendor's export of Tweet activity, empty where that has none.
    """

    name: str
    endpoints: tuple[str, ...]
    meaning: str
    caveat: str = ""
    _: KW_ONLY
    title: str
    exported: str = ""
    public: bool = False
    oldest_tweet_days: Mapping[str, int] = field(default_factory=dict)
    since: date | None = HISTORICAL_SINCE


RENAMED = {"media_clicks": "media_engagements"}  # changelog: former names, which the API no longer accepts
METRICS = (
    Metric(
        "app_install_attempts",
        HOURLY,
        "clicks to install an app from the Tweet",
        title="App install attempts",
        exported="app installs",
    ),
    Metric("app_opens", HOURLY, "times an app was opened from the Tweet", title="App opens", exported="app opens"),
    Metric("bookmarks", ANALYTICS, "times the Tweet was saved as a bookmark", title="Bookmarks", since=None),
    Metric("cta_url_clicks", MEDIA, "clicks on the link that calls to action", title="Calls to a link", since=None),
    Metric("cta_watch_clicks", MEDIA, "clicks on the call to watch more", title="Calls to watch", since=None),
    Metric(
        "detail_expands",
        HOURLY,
        "clicks to see the Tweet in full",
        title="Detail expands",
        exported="detail expands",
    ),
    Metric(
        "email_tweet",
        HOURLY,
        "times the Tweet was sent by e-mail",
        title="Shares by e-mail",
        exported="email tweet",
    ),
    Metric(
        "engagements",
        EVERYWHERE,
        "all interactions with the Tweet, organic and promoted",
        "not the sum of the other types, by design; /totals: Tweets of the last 90 days only",
        title="Engagements",
        exported="engagements",
        oldest_tweet_days=RECENT_TWEETS,
    ),
    Metric(
        "favorites",
        EVERYWHERE,
        "likes",
        "/historical: zero before 2015-09-15, which nobody measured and is not stored",
        title="Likes",
        exported="likes",
        public=True,
        since=REACTIONS_SINCE,
    ),
    Metric(
        "hashtag_clicks",
        HOURLY,
        "clicks on a hashtag of the Tweet",
        title="Hashtag clicks",
        exported="hashtag clicks",
    ),
    Metric(
        "impressions",
        EVERYWHERE,
        "times the Tweet was seen, organic only",
        "/totals: Tweets of the last 90 days only",
        title="Impressions",
        exported="impressions",
        oldest_tweet_days=RECENT_TWEETS,
    ),
    Metric(
        "media_engagements",
        WITH_SERIES,
        "clicks on media of the Tweet",
        "was once called media_clicks",
        title="Media engagements",
        exported="media engagements",
    ),
    Metric("media_views", HOURLY, "views of media of the Tweet", title="Media views", exported="media views"),
    Metric(
        "permalink_clicks",
        HOURLY,
        "clicks on the Tweet's own link",
        title="Permalink clicks",
        exported="permalink clicks",
    ),
    Metric("play_from_tap", MEDIA, "times the video was started by a tap", title="Plays by tap", since=None),
    Metric("playback25", MEDIA, "times a quarter of the video was played", title="Played to 25 %", since=None),
    Metric("playback50", MEDIA, "times half of the video was played", title="Played to 50 %", since=None),
    Metric("playback75", MEDIA, "times three quarters of the video were played", title="Played to 75 %", since=None),
    Metric("playback_complete", MEDIA, "times the video was played to its end", title="Played to the end", since=None),
    Metric("playback_start", MEDIA, "times the video was started", title="Plays", since=None),
    Metric(
        "quote_tweets",
        ("totals", "analytics"),
        "quotes of the Tweet",
        "/totals has the sum of a Tweet's life, /analytics the hours",
        title="Quotes",
        public=True,
        since=None,
    ),
    Metric(
        "replies",
        EVERYWHERE,
        "replies to the Tweet",
        "/historical: zero before 2015-09-15, which nobody measured and is not stored",
        title="Replies",
        exported="replies",
        public=True,
        since=REACTIONS_SINCE,
    ),
    Metric(
        "retweets",
        EVERYWHERE,
        "reposts of the Tweet",
        "/historical: zero before 2015-09-15, which nobody measured and is not stored",
        title="Reposts",
        exported="retweets",
        public=True,
        since=REACTIONS_SINCE,
    ),
    Metric("shares", ANALYTICS, "times the Tweet was shared", title="Shares", since=None),
    Metric("unfollows", ANALYTICS, "followers who left the author from the Tweet", title="Unfollows", since=None),
    Metric("unlikes", ANALYTICS, "likes that were taken back", title="Likes taken back", since=None),
    Metric(
        "url_clicks",
        HOURLY,
        "clicks on a link in the Tweet",
        "may be positive for a Tweet without a link",
        title="Link clicks",
        exported="url clicks",
    ),
    Metric("user_follows", HOURLY, "follows of the author from the Tweet", title="Follows", exported="follows"),
    Metric(
        "user_profile_clicks",
        HOURLY,
        "clicks on the author's name or picture",
        title="Profile clicks",
        exported="user profile clicks",
    ),
    Metric(
        "video_views",
        (*VIDEO, *MEDIA),
        "views of a video in the Tweet",
        "Tweets of at most 1,800 days; /totals and /media count the video wherever it was posted",
        title="Video views",
        public=True,
        oldest_tweet_days=VIDEO_TWEETS,
    ),
    Metric("watch_time_ms", MEDIA, "milliseconds for which the video was watched", title="Watch time", since=None),
)
