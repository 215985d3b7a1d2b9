"""The lake against the emulated world, cell by cell."""

from datetime import UTC, date, datetime, time

import numpy as np

from engagement_pipeline import pipeline
from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.measured import before_posted
from engagement_pipeline.emulator import HANDLES
from engagement_pipeline.extract.prepare import prepare
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog

NOW = datetime(2026, 2, 1, tzinfo=UTC)  # so 2026-01-31 is the last whole day
FIRST, LAST = date(2026, 1, 4), date(2026, 1, 31)  # the last 28 whole days
ALL_TYPES = HISTORICAL.types
TWO_TYPES = ("impressions", "url_clicks")
A_THIRD_FAULTY = {
    "status_503": 0.06,
    "html_error": 0.05,
    "truncated_gzip": 0.06,
    "broken_json": 0.05,
    "reset": 0.06,
    "wrong_sums": 0.08,
    "unknown_types": 0.04,
    "missing_hours": 0.1,
    "unknown_keys": 0.1,
    "numbers": 0.1,
}


def midnight(day):
    return datetime.combine(day, time(), tzinfo=UTC)


def follow(world, numbers, *, states=("ok",)):
    """Follow the newest Tweets of each handle, born within the 28 days too; return their IDs by state."""
    born = [tweet for tweet in world.emulator.world.tweets() if tweet.created.date() <= LAST]
    chosen = {
        handle.name: [t for t in reversed(born) if t.handle == handle.name and t.state in states][:number]
        for handle, number in zip(HANDLES, numbers, strict=True)
    }
    world.follow({name: [tweet.tweet_id for tweet in tweets] for name, tweets in chosen.items()})
    return {
        state: sorted(t.tweet_id for tweets in chosen.values() for t in tweets if t.state == state) for state in states
    }


def api_of(world, source):
    """Return the emulated API of a source, with its `faults` and `requests`."""
    return world.emulator if source == HISTORICAL.source else world.emulator.v2


def answered(api):
    """Return the Tweets of all requests that an emulated API has answered, sorted; one may be there twice."""
    requests = [request for request in api.requests if request.status == 200]
    return sorted(int(tweet) for each in requests for tweet in getattr(each, "ids", None) or each.tweet_ids)


def run(settings, first=FIRST, last=LAST, *, endpoint=None):
    """Pull and publish with nothing going wrong, by default the hours of the first source that the settings name.

    Return what was planned, pulled and published.
    """
    endpoint = endpoint or settings.hourly[0]
    days = (first, last) if endpoint.max_days else ()
    prepared = prepare(settings, *days, endpoint=endpoint)
    outcome = pipeline.run(settings, prepared)
    assert outcome.failure is None
    return prepared, outcome.reports, outcome.publications


def stored(world, tweets, *, types, first, hours, view="engagements"):
    """Return a view as [tweet, type, hour], -1 where there is no row; a cell that is there twice fails."""
    hours_of = f"select tweet_id, engagement_type, epoch(day)::bigint // 3600 + hour as hour, count from {view}"
    table = catalog.query(Lake(world.lake), hours_of)
    grid = np.full((len(tweets), len(types), hours), -1, np.int64)
    place = (
        np.searchsorted(tweets, table["tweet_id"].to_numpy()),
        np.searchsorted(types, table["engagement_type"].to_pylist()),
        table["hour"].to_numpy() - int(first.timestamp()) // 3600,
    )
    grid[place] = table["count"].to_numpy()
    assert (grid >= 0).sum() == table.num_rows
    return grid


def measured(truth, tweets, first):
    """Return the world's [tweet, type, hour] from an hour on as the lake has it: no zeros from before a Tweet."""
    hours = int(first.timestamp()) // 3600 + np.arange(truth.shape[2])
    early = before_posted(np.array(tweets, np.int64)[:, np.newaxis], hours)[:, np.newaxis]
    return np.where(early & (truth == 0), -1, truth)


def assert_true(world, tweets, *, types=ALL_TYPES, first=FIRST, days=28, zeros_may_lack=False):
    """Compare every cell of the tidy table with the world's; zeros from before a Tweet was posted are no rows."""
    table = stored(world, tweets, types=types, first=midnight(first), hours=days * 24)
    truth = measured(world.emulator.world.counts(tweets, types, midnight(first), days * 24), tweets, midnight(first))
    if zeros_may_lack:
        truth[(table < 0) & (truth == 0)] = -1
    assert np.array_equal(table, truth)


def requests_by_status(world):
    """Return how many requests were answered with each status."""
    statuses = [request.status for request in world.emulator.requests]
    return {status: statuses.count(status) for status in set(statuses)}
