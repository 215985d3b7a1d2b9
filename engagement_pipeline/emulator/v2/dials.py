"""The dials of X API v2: what its description leaves open, what differs from the Engagement API, and what goes wrong.

In: nothing. Out: `Dials`, beside those of the wire. damages.py has the faults in the content of a 200.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, get_args

from engagement_pipeline.emulator.dials import Chance, Flag, Kind, Number, Whole, WireDials, one_of, some_of
from engagement_pipeline.emulator.v2.metrics import Differences
from engagement_pipeline.emulator.v2.problems import PARTIAL, RateForm
from engagement_pipeline.emulator.v2.window import Limits

ErrorKinds = Annotated[
    Mapping[str, str],
    Kind(
        f"an object of Post IDs or media keys, each with one of {', '.join(PARTIAL)}",
        lambda value: isinstance(value, Mapping) and all(kind in PARTIAL for kind in value.values()),
        lambda value: {str(key): kind for key, kind in value.items()},
        dict,
    ),
]
Spelling = Literal["post", "tweet", "both"]
TotalForm = Literal["flat", "series", "both"]
SCOPES = ("offline.access", "tweet.read", "users.read")


@dataclass(frozen=True)
class Dials(Differences, Limits, WireDials):
    """How often each fault happens, and the settings that are not about chance."""

    # In the content of the analytics.
    null_counts: Chance = 0  # every seventh count is null
    null_metrics: Chance = 0  # the metrics of each first bucket are null
    null_timestamps: Chance = 0  # the timestamp of each last bucket is null
    off_hour_buckets: Chance = 0  # timestamps are half an hour later
    text_counts: Chance = 0  # counts as text
    unknown_metrics: Chance = 0  # a metric that nobody knows, beside each first one
    missing_metrics: Chance = 0  # the last metric stays away
    missing_buckets: Chance = 0  # buckets without a count stay away
    wrong_totals: Chance = 0  # the first flat count of the answer is one too high
    # On the timeline.
    repeated_pages: Chance = 0  # a page comes again, under the token of the next
    empty_pages: Chance = 0  # a page has no Posts, and the token leads on to the same ones
    # Settings.
    partial_errors: ErrorKinds = field(default_factory=dict)
    total_form: Annotated[TotalForm, one_of(*get_args(TotalForm))] = "flat"
    rate_form: Annotated[RateForm, one_of(*get_args(RateForm))] = "errors"
    client_not_enrolled: Flag = False
    usage_capped: Flag = False
    project_cap: Whole = 2_000_000
    project_usage: Whole = 0  # Posts read before, which /2/usage/tweets adds to those read here
    public_client: Flag = False  # the app names itself to the OAuth 2 token host, and has no secret
    granted_scopes: Annotated[tuple[str, ...], some_of(*SCOPES)] = SCOPES
    clock_ahead_seconds: Number = 0
    timeline_reach: Whole = 3_200
    spelling: Annotated[Spelling, one_of(*get_args(Spelling))] = "post"
