"""The contract over real HTTP, one row a rule: who may ask for what, and what comes.

The rules of a request's body have their rows in test_emulator_rules.py, those of HTTP itself in
test_emulator_contract_http.py.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest
import requests
from emulator_client import (
    FOUR_WAY,
    NO_WINDOW,
    NOW,
    PUBLIC,
    SERIES,
    ask,
    ask_as_consumer,
    ask_with_bearer,
    body,
    by,
    foreign,
    healthy,
    tweets,
)

from engagement_pipeline.emulator import HANDLES, Emulator, rules
from engagement_pipeline.emulator.world import tweets_of_day

TWEET, TYPE, DAY, HOUR = FOUR_WAY
BEARER, CONSUMER, NOBODY = "bearer", "consumer", "nobody"
APP_ALONE = {BEARER: "the bearer token", CONSUMER: "a consumer that signs without a token"}
EVERYWHERE = (("totals", NO_WINDOW), ("28hr", NO_WINDOW), ("historical", {}))
OWNED = ["impressions", "engagements", *PUBLIC]
UNAUTHENTICATED = "Your account could not be authenticated. Reason: "
UNAVAILABLE = "unavailable_tweet_ids"
TOO_OLD = "unsupported_for_impressions_engagements_tweet_ids"
TOO_OLD_FOR_VIDEO = "unsupported_for_video_views_tweet_ids"
LISTS = {UNAVAILABLE, TOO_OLD, TOO_OLD_FOR_VIDEO}


def of_age(days, *, handle="harborbooks", state="ok"):
    """Return the ID of the handle's youngest Tweet that is older than so many days."""
    return next(tweet.tweet_id for tweet in tweets(handle, state) if NOW - tweet.created > timedelta(days=days))


MINE, THEIRS, STRANGER = healthy(), healthy("lumenaudio"), foreign()
DELETED, PROTECTED = (tweets("harborbooks", state)[0].tweet_id for state in ("deleted", "protected"))
OLD, ANCIENT = of_age(90), of_age(1800)


def totals(*tweet_ids, types=OWNED, **changes):
    return body(*tweet_ids, engagement_types=list(types), **(NO_WINDOW | changes))


def refusal(text):
    return lambda answer: answer == {"errors": [text]}


def types_are(names):
    return lambda answer: all(list(types) == names for types in answer["sums"].values())


def every_count(branch):
    """Yield the leaves of a grouping."""
    for below in branch.values():
        yield from every_count(below) if isinstance(below, dict) else [below]


@dataclass(frozen=True)
class Rule:
    """One rule: where `by` sends `fields` to `endpoint`, `status` comes and `then` is true of the answer.

    `dials` are faults of the emulator, `switches` arguments of it; unless said, no Tweet may be listed.
    """

    says: str
    fields: dict[str, Any]
    endpoint: str = "historical"
    by: str = "harborbooks"
    status: int = 200
    then: Callable[[dict[str, Any]], bool] = lambda answer: not LISTS & answer.keys()
    dials: dict[str, Any] = field(default_factory=dict)
    switches: dict[str, Any] = field(default_factory=dict)


CONTRACT = [
    # Who may ask for what.
    Rule("the owner reads 17 types of /historical", body(engagement_types=SERIES), then=types_are(SERIES)),
    Rule(
        "the owner reads 17 types of /28hr", body(engagement_types=SERIES, **NO_WINDOW), "28hr", then=types_are(SERIES)
    ),
    Rule("the owner reads 7 types of /totals", totals(), "totals", then=types_are(OWNED)),
    *(
        Rule(
            f"{who} reads 5 types of anyone",
            totals(MINE.tweet_id, STRANGER.tweet_id, types=PUBLIC),
            "totals",
            by,
            then=types_are(PUBLIC),
        )
        for by, who in APP_ALONE.items()
    ),
    *(
        Rule(
            f"{who} does not read {name}",
            totals(types=[name, "favorites"]),
            "totals",
            by,
            403,
            refusal(f"Forbidden to access metrics: {name}"),
        )
        for name in ("impressions", "engagements")
        for by, who in APP_ALONE.items()
    ),
    *(
        Rule(
            f"{who} is not for /{endpoint}",
            body(engagement_types=["favorites"], **window),
            endpoint,
            by,
            401,
            refusal(f"{UNAUTHENTICATED}Unknown Authorization Type"),
        )
        for endpoint, window in EVERYWHERE[1:]
        for by, who in APP_ALONE.items()
    ),
    *(
        Rule(
            f"nobody reads /{endpoint} without a name",
            totals(types=["favorites"]),
            endpoint,
            NOBODY,
            401,
            refusal(f"{UNAUTHENTICATED}Unknown Authorization Type"),
        )
        for endpoint in rules.ENDPOINTS
    ),
    Rule(
        "a revoked token is not found",
        body(),
        status=401,
        then=refusal(f"{UNAUTHENTICATED}Access token not found"),
        dials={"revoked_handles": ["harborbooks"]},
    ),
    Rule(
        "an app needs the vendor's approval",
        body(),
        status=403,
        then=refusal("Your application id is not authorized."),
        dials={"app_not_approved": True},
    ),
    # Whose Tweets.
    *(
        Rule(
            f"one foreign Tweet rejects a whole request to /{endpoint}",
            body(MINE.tweet_id, THEIRS.tweet_id, engagement_types=["favorites"], **window),
            endpoint,
            status=403,
            then=refusal(f"Forbidden to access tweets for author id {THEIRS.author_id}: {THEIRS.tweet_id}"),
        )
        for endpoint, window in EVERYWHERE
    ),
    Rule(
        "each foreign author has a text",
        body(STRANGER.tweet_id, THEIRS.tweet_id),
        status=403,
        then=lambda answer: len(answer["errors"]) == 2,
    ),
    Rule(
        "the other spelling names all foreign Tweets at once",
        body(MINE.tweet_id, *sorted([STRANGER.tweet_id, THEIRS.tweet_id])),
        status=403,
        then=refusal("Forbidden to access tweets: {}; {}".format(*sorted([STRANGER.tweet_id, THEIRS.tweet_id]))),
        dials={"forbidden_spelling": "tweets"},
    ),
    Rule(
        "a third spelling names none",
        body(THEIRS.tweet_id),
        status=403,
        then=refusal("Forbidden to access tweets"),
        dials={"forbidden_spelling": "unnamed"},
    ),
    *(
        Rule(
            f"a protected Tweet rejects a request to /{endpoint} by {by} and is not named",
            body(PROTECTED, MINE.tweet_id, engagement_types=["favorites"], **window),
            endpoint,
            by,
            400,
            refusal("Tweet ID(s) are unavailable"),
        )
        for endpoint, by, window in (
            ("totals", BEARER, NO_WINDOW),
            ("totals", "harborbooks", NO_WINDOW),
            ("28hr", "harborbooks", NO_WINDOW),
            ("historical", "harborbooks", {}),
        )
    ),
    *(
        Rule(
            f"a foreign Tweet beside an own protected one on /{endpoint}: the 403 wins",
            body(PROTECTED, THEIRS.tweet_id, MINE.tweet_id, engagement_types=["favorites"], **window),
            endpoint,
            status=403,
            then=refusal(f"Forbidden to access tweets for author id {THEIRS.author_id}: {THEIRS.tweet_id}"),
        )
        for endpoint, window in EVERYWHERE
    ),
    *(
        Rule(
            f"/{endpoint} lists what is deleted and serves the rest",
            body(DELETED, MINE.tweet_id, engagement_types=["favorites"], **window),
            endpoint,
            then=lambda answer: (
                answer[UNAVAILABLE] == [str(DELETED)]
                and answer["errors"] == ["1 Tweet ID(s) are unavailable"]
                and answer["sums"].keys() == {str(MINE.tweet_id)}
            ),
        )
        for endpoint, window in EVERYWHERE
    ),
    Rule(
        "a deleted foreign Tweet is unavailable, not forbidden",
        body(foreign(state="deleted", place=0).tweet_id),
        then=lambda answer: answer["sums"] == {} and len(answer[UNAVAILABLE]) == 1,
    ),
    Rule("an ID that nobody posted is unavailable", body(20), then=lambda answer: answer[UNAVAILABLE] == ["20"]),
    # How old.
    Rule(
        "/totals has impressions and engagements of 90 days; older ones are listed, with zeros",
        totals(OLD, MINE.tweet_id),
        "totals",
        then=lambda answer: (
            answer[TOO_OLD] == [str(OLD)]
            and {answer["sums"][str(OLD)][name] for name in ("impressions", "engagements")} == {"0"}
            and answer["sums"][str(OLD)]["favorites"] != "0" != answer["sums"][str(MINE.tweet_id)]["impressions"]
            and "90 days" in answer["errors"][0]
        ),
    ),
    Rule("the 90 days are not for the public types", totals(OLD, types=PUBLIC), "totals"),
    Rule(
        "the 90 days are not for /historical",
        body(OLD, start="2025-01-01", end="2025-01-02", engagement_types=["impressions"]),
    ),
    *(
        Rule(
            f"/{endpoint} has video_views of 1,800 days; older ones are listed, with zeros",
            body(ANCIENT, MINE.tweet_id, engagement_types=["video_views", "favorites"], **window),
            endpoint,
            then=lambda answer: (
                answer[TOO_OLD_FOR_VIDEO] == [str(ANCIENT)] and answer["sums"][str(ANCIENT)]["video_views"] == "0"
            ),
        )
        for endpoint, window in EVERYWHERE
    ),
    Rule("the 1,800 days are for video_views alone", body(ANCIENT, engagement_types=["favorites"])),
    Rule(
        "/historical shows zero favorites, retweets and replies before 2015-09-15",
        body(
            *(tweet.tweet_id for tweet in tweets_of_day(1, HANDLES[0], date(2015, 9, 14)) if tweet.state == "ok"),
            start="2015-09-14",
            end="2015-09-16",
            engagement_types=["favorites", "retweets", "replies", "url_clicks"],
            groupings=by(TYPE, DAY),
        ),
        then=lambda answer: (
            [answer["g0"][name]["2015-09-14"] for name in ("favorites", "retweets", "replies")] == ["0", "0", "0"]
            and "0" not in (answer["g0"]["url_clicks"]["2015-09-14"], answer["g0"]["favorites"]["2015-09-15"])
        ),
    ),
    # Windows and shapes.
    Rule(
        "the window is echoed as snapped",
        body(start="2026-03-10T12:24:00Z", end="2026-03-10T20:37:00Z", groupings=by(DAY, HOUR)),
        then=lambda answer: (
            (answer["start"], answer["end"]) == ("2026-03-10T12:00:00Z", "2026-03-10T21:00:00Z")
            and list(answer["g0"]["2026-03-10"]) == [f"{hour:02}" for hour in range(12, 21)]
        ),
    ),
    Rule(
        "without a window it is the last four weeks",
        body(**NO_WINDOW),
        then=lambda answer: (answer["start"], answer["end"]) == ("2026-02-15T12:00:00Z", "2026-03-15T12:00:00Z"),
    ),
    Rule(
        "/28hr snaps to 29 hours",
        body(groupings=by(DAY, HOUR), **NO_WINDOW),
        "28hr",
        then=lambda answer: (
            (answer["start"], answer["end"]) == ("2026-03-14T08:00:00Z", "2026-03-15T13:00:00Z")
            and len(list(every_count(answer["g0"]))) == 29
        ),
    ),
    Rule("/totals has no window", totals(), "totals", then=lambda answer: answer.keys() == {"sums"}),
    Rule(
        "an end in the future is refused",
        body(end="2026-03-15T13:00:00Z"),
        status=400,
        then=lambda answer: "future" in answer["errors"][0],
    ),
    Rule(
        "the old contract goes back to 2014-09-01",
        body(start="2014-09-01", end="2014-09-29"),
    ),
    Rule(
        "a new one goes back 365 days",
        body(start="2025-03-15", end="2025-03-16"),
        status=400,
        then=lambda answer: "2025-03-15T12:00:00Z" in answer["errors"][0],
        switches={"max_age_days": 365},
    ),
    Rule(
        "hours without days nest under their date",
        body(groupings=by(TWEET, TYPE, HOUR)),
        then=lambda answer: (
            answer["g0"][str(MINE.tweet_id)]["impressions"].keys() == {"2026-03-10"}
            and len(answer["g0"][str(MINE.tweet_id)]["impressions"]["2026-03-10"]) == 24
        ),
    ),
    Rule(
        "counts are texts under the names that the request gave",
        body(groupings={"ours alone": {"group_by": FOUR_WAY}, "sums": {"group_by": [TYPE]}}),
        then=lambda answer: (
            answer.keys() == {"start", "end", "ours alone", "sums"}
            and all(isinstance(count, str) and count.isdecimal() for count in every_count(answer["ours alone"]))
        ),
    ),
    Rule(
        "a broken rule of the body is told",
        body(*range(1, 27)),
        status=400,
        then=lambda answer: "Too many" in answer["errors"][0],
    ),
]


@pytest.fixture(scope="module")
def emulator_with():
    """Return a function that gives the emulator of some switches, all dials at rest."""
    running: dict[str, Emulator] = {}
    with ExitStack() as stack:

        def get(switches):
            name = repr(sorted(switches.items()))
            if name not in running:
                running[name] = stack.enter_context(Emulator(now=NOW, **switches))
            running[name].faults.reset()
            return running[name]

        yield get


@pytest.mark.parametrize("rule", CONTRACT, ids=lambda rule: rule.says)
def test_the_contract_is_kept(emulator_with, rule):
    emulator = emulator_with(rule.switches)
    emulator.faults.set(**rule.dials)
    if rule.by == BEARER:
        response = ask_with_bearer(emulator, rule.fields, endpoint=rule.endpoint)
    elif rule.by == CONSUMER:
        response = ask_as_consumer(emulator, rule.fields, endpoint=rule.endpoint)
    elif rule.by == NOBODY:
        response = requests.post(f"{emulator.url}/insights/engagement/{rule.endpoint}", json=rule.fields, timeout=60)
    else:
        response = ask(emulator, rule.fields, endpoint=rule.endpoint, handle=rule.by)
    assert response.status_code == rule.status, response.text
    assert rule.then(response.json()), response.text


def test_counts_are_revised_and_pulling_later_gives_more():
    fields = body(start="2026-03-14", end="2026-03-15", groupings=by(TYPE))
    fields["tweet_ids"] = [str(tweet.tweet_id) for tweet in tweets("harborbooks")[2:12]]
    seen = []
    with Emulator(now=NOW, settle_hours=72) as emulator:
        for days in (0, 1, 4, 5):
            emulator.world.fixed_now = NOW + timedelta(days=days)
            seen.append(int(ask(emulator, fields).json()["g0"]["impressions"]))
    assert seen[0] < seen[1] < seen[2] == seen[3]
