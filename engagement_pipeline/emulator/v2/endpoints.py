"""The endpoints of X API v2: who may ask each how often, and what answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from engagement_pipeline.emulator.dials import Damage
from engagement_pipeline.emulator.v2 import analytics, problems, timeline, usage, users
from engagement_pipeline.emulator.v2.damages import OF_ALL, OF_ANALYTICS
from engagement_pipeline.emulator.v2.question import Caller, Question

ANALYTICS_RATE = 300  # ours for media: it is in no table
TWEETS, USERS = "tweet.read", "users.read"


@dataclass(frozen=True)
class Endpoint:
    """One endpoint, with its requests in 15 minutes for each user and for the app alone; 0 is never.

    `scopes` are those that an OAuth 2 user token must have. `enterprise` endpoints are refused on other plans.
    """

    path: str
    answer: Callable[[Question], bytes]
    scopes: frozenset[str]
    per_user: int
    per_app: int = 0
    enterprise: bool = False
    damages: Mapping[str, Damage] = field(default_factory=lambda: OF_ALL)

    def check_allowed(self, caller: Caller) -> None:
        """Raise Problem (403) for a kind of credential that it does not take, or a token that lacks a scope."""
        users = ("OAuth 1.0a User Context", "OAuth 2.0 User Context") if self.per_user else ()
        supported = (*users, *(("OAuth 2.0 Application-Only",) if self.per_app else ()))
        if caller.kind not in supported:
            raise problems.unsupported_authentication(supported)
        if caller.scopes is not None and not self.scopes <= caller.scopes:
            raise problems.blank(403)


def endpoints(analytics_rate: int) -> tuple[Endpoint, ...]:
    """Return all endpoints; a contract sets the rate of the analytics, for Posts and for media."""
    both = frozenset({TWEETS, USERS})
    return (
        Endpoint("/2/tweets/analytics", analytics.tweets, both, analytics_rate, enterprise=True, damages=OF_ANALYTICS),
        Endpoint(
            "/2/media/analytics",
            analytics.media,
            frozenset({TWEETS}),
            analytics_rate,
            enterprise=True,
            damages=OF_ANALYTICS,
        ),
        Endpoint("/2/users/me", users.me, both, 75),
        Endpoint("/2/users/by/username/{username}", users.by_username, both, 900, 300),
        Endpoint("/2/users/{id}/tweets", timeline.timeline, both, 900, 10_000),
        Endpoint("/2/usage/tweets", usage.usage, frozenset(), 0, 50),
    )
