"""The endpoints: what one request may hold, who may ask, and which table an answer fills.

In: nothing. Out: Endpoint objects. Whatever differs between endpoints is an attribute here.
Source: the vendor's documentation of the Engagement API, its overview and its reference of the three endpoints. For
/analytics and /media, it is the vendor's description of X API v2, which states no days of a window: they are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from engagement_pipeline.core import tables
from engagement_pipeline.core.metrics import METRICS

if TYPE_CHECKING:
    from engagement_pipeline.core.table import Table


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Endpoint:
    """One endpoint of a vendor API.

    name: as in the lake's folders and the command's options.
    source: the folder in sources/ that writes its requests and reads its answers.
    table: the table that its answers fill.
    types: the engagement types that it serves to the owner's tokens, in alphabetical order.
    public_types: the types that it serves to the app's bearer token, for any public Tweet.
    unit: what a request names, in words. Where it is no Tweet, its number stands in the place of a Tweet's ID.
    max_tweets: the most of these in a request.
    max_days: the most UTC days in a request; None if the endpoint knows only the present.
    summed: whether an answer has one sum for all days of its window; it is kept by the last of them.
    period: how far back that present reaches; None for all time.
    resume: how long an unfinished pull can be resumed; None for the setting resume_hours.
    """

    name: str
    source: str
    path: str
    table: Table
    types: tuple[str, ...]
    public_types: tuple[str, ...] = ()
    unit: str = "Tweet"
    max_tweets: int
    max_days: int | None = None
    summed: bool = False
    period: timedelta | None = None
    resume: timedelta | None = None

    def __str__(self) -> str:
        return self.name

    __repr__ = __str__

    def __reduce__(self) -> tuple[object, ...]:
        """Be the same endpoint in another process, where the same one is asked for."""
        return _named, (self.name,)


def _named(name: str) -> Endpoint:
    return ENDPOINTS[name]


def _served(endpoint: str, *, public: bool = False) -> tuple[str, ...]:
    """Return the types that the metric dictionary says an endpoint serves, in alphabetical order."""
    return tuple(metric.name for metric in METRICS if endpoint in metric.endpoints and (metric.public or not public))


MAX_DAYS = 28  # of one request to /historical
HISTORICAL = Endpoint(
    name="historical",
    source="engagement",
    path="/insights/engagement/historical",
    table=tables.ENGAGEMENTS,
    types=_served("historical"),
    max_tweets=25,
    max_days=MAX_DAYS,
)
RECENT = Endpoint(
    name="28hr",
    source="engagement",
    path="/insights/engagement/28hr",
    table=tables.RECENT,
    types=_served("28hr"),
    max_tweets=25,
    period=timedelta(hours=28),
    resume=timedelta(hours=1),  # later, the last 28 hours are different ones
)
TOTALS = Endpoint(
    name="totals",
    source="engagement",
    path="/insights/engagement/totals",
    table=tables.TOTALS,
    types=_served("totals"),
    public_types=_served("totals", public=True),
    max_tweets=250,
)
ANALYTICS = Endpoint(
    name="analytics",
    source="x_api_v2",
    path="/2/tweets/analytics",
    table=tables.ENGAGEMENTS,
    types=_served("analytics"),
    max_tweets=100,
    max_days=MAX_DAYS,
)
ANALYTICS_TOTALS = Endpoint(  # of the same path: the API's own sums, to audit the hours by
    name="analytics_totals",
    source="x_api_v2",
    path=ANALYTICS.path,
    table=tables.WINDOW_TOTALS,
    types=ANALYTICS.types,
    max_tweets=ANALYTICS.max_tweets,
    max_days=MAX_DAYS,
    summed=True,
)
MEDIA = Endpoint(
    name="media",
    source="x_api_v2_media",  # apart from the counts of Tweets: it asks for media, and has a lake of its own
    path="/2/media/analytics",
    table=tables.ENGAGEMENTS,
    types=_served("media"),
    unit="media key",
    max_tweets=100,
    max_days=MAX_DAYS,
)
TIMELINE = "x_api_v2_timeline"  # the source of the Posts of accounts: its endpoints fill the roster, and no table
ENDPOINTS = {endpoint.name: endpoint for endpoint in (TOTALS, RECENT, HISTORICAL, ANALYTICS, ANALYTICS_TOTALS, MEDIA)}
# The endpoint of each source that tells the hours, and so fills the table engagements of its lake.
HOURLY = {endpoint.source: endpoint for endpoint in (HISTORICAL, ANALYTICS, MEDIA)}
OF_TWEETS = {source: endpoint for source, endpoint in HOURLY.items() if endpoint is not MEDIA}


def filling(table: Table) -> tuple[Endpoint, ...]:
    """Return the endpoints that fill a table."""
    return tuple(endpoint for endpoint in ENDPOINTS.values() if endpoint.table is table)
