"""The metric dictionary: what each engagement type counts, where it is served and what to beware of.

In: nothing. Out: METRICS and the names by endpoint; the plan, the flattening and the catalogue ask here.
Source: the vendor's documentation of the Engagement API.
"""

from __future__ import annotations

from dataclasses import dataclass

HISTORICAL = "historical"
RECENT = "28hr"
TOTALS = "totals"
EVERYWHERE = (TOTALS, RECENT, HISTORICAL)
WITH_SERIES = (RECENT, HISTORICAL)


@dataclass(frozen=True, slots=True)
class Metric:
    """One engagement type under the API's own name."""

    name: str
    endpoints: tuple[str, ...]
    meaning: str
    caveat: str = ""


METRICS = (
    Metric("app_install_attempts", WITH_SERIES, "clicks to install an app from the Tweet"),
    Metric("app_opens", WITH_SERIES, "times an app was opened from the Tweet"),
    Metric("detail_expands", WITH_SERIES, "clicks to see the Tweet in full"),
    Metric("email_tweet", WITH_SERIES, "times the Tweet was sent by e-mail"),
    Metric(
        "engagements",
        EVERYWHERE,
        "all interactions with the Tweet, organic and promoted",
        "not the sum of the other types, by design; /totals: Tweets of the last 90 days only",
    ),
    Metric("favorites", EVERYWHERE, "likes", "/historical: zero before 2015-09-15"),
    Metric("hashtag_clicks", WITH_SERIES, "clicks on a hashtag of the Tweet"),
    Metric(
        "impressions",
        EVERYWHERE,
        "times the Tweet was seen, organic only",
        "/totals: Tweets of the last 90 days only",
    ),
    Metric("media_engagements", WITH_SERIES, "clicks on media of the Tweet", "was once called media_clicks"),
    Metric("media_views", WITH_SERIES, "views of media of the Tweet"),
    Metric("permalink_clicks", WITH_SERIES, "clicks on the Tweet's own link"),
    Metric("quote_tweets", (TOTALS,), "quotes of the Tweet"),
    Metric("replies", EVERYWHERE, "replies to the Tweet", "/historical: zero before 2015-09-15"),
    Metric("retweets", EVERYWHERE, "reposts of the Tweet", "/historical: zero before 2015-09-15"),
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
        EVERYWHERE,
        "views of a video in the Tweet",
        "Tweets of at most 1,800 days; /totals counts the video wherever it was posted",
    ),
)


def types_of(endpoint: str) -> tuple[str, ...]:
    """Return the engagement types that `endpoint` serves, in alphabetical order."""
    return tuple(metric.name for metric in METRICS if endpoint in metric.endpoints)
