"""What an API sends that its documents do not have: it is told once, and kept with an example."""

import pytest

from engagement_pipeline import pipeline
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog

HEADLINE = "news of the API, each told once; the view shapes has all of it:"
BOTH = ("engagement", "x_api_v2")
EXPECTED = {
    ("engagement", "unknown_keys"): "/historical now sends key `request_trace` in $; it is kept in raw and not stored",
    (
        "engagement",
        "unknown_types",
    ): "/historical now sends key `bookmarks` in $.by_type; it is kept in raw and not stored",
    ("engagement", "unknown_headers"): "/historical now sends header `x-rate-limit-burst`; nothing reads it",
    ("engagement", "unknown_texts"): "/historical now says in $.errors[]: Counts of N Tweet ID(s) are estimated; this "
    "program does not know the words",
    ("engagement", "fraction_counts"): "/historical now sends a number with a fraction as "
    "$.by_tweet_type_day_hour.*.favorites.*.*, where text or a whole number is documented",
    (
        "x_api_v2",
        "unknown_keys",
    ): "/analytics now sends key `reach_class` in $.data[]; it is kept in raw and not stored",
    ("x_api_v2", "unknown_metrics"): "/analytics now sends key `dwell_views` in "
    "$.data[].timestamped_metrics[].metrics; it is kept in raw and not stored",
    ("x_api_v2", "unknown_headers"): "/analytics now sends header `x-rate-limit-burst`; nothing reads it",
    (
        "x_api_v2",
        "unknown_texts",
    ): "/analytics now says in $.errors[].type: counts-estimated; this program does not know the words",
    ("x_api_v2", "text_counts"): "/analytics now sends text as $.data[].timestamped_metrics[].metrics.*, "
    "where a whole number or null is documented",
    ("x_api_v2", "fraction_counts"): "/analytics now sends a number with a fraction as "
    "$.data[].timestamped_metrics[].metrics.likes, where a whole number or null is documented",
}


@pytest.fixture
def asked(in_world, monkeypatch, engagement):
    """Return a function that pulls a day of one handle from a source, and gives the lines that tell news."""
    in_world.follow({"harborbooks": in_world.tweets("harborbooks", 2)})
    monkeypatch.setenv("ENGAGEMENT_TYPES", "impressions,favorites")

    def pull(source):
        _, out, _ = engagement("pull", "--source", source, "--from", "2026-01-31", "--to", "2026-01-31")
        lines = out.splitlines()
        return [line.strip() for line in lines[lines.index(HEADLINE) + 1 :]][:9] if HEADLINE in lines else []

    return pull


def turn(world, source, **dials):
    (world.emulator.faults if source == "engagement" else world.emulator.v2.faults).set(**dials)


@pytest.mark.parametrize(("source", "dial"), EXPECTED)
def test_what_is_new_is_told_by_one_pull_and_never_again(in_world, asked, source, dial):
    turn(in_world, source, **{dial: 1})
    told = asked(source)
    assert EXPECTED[source, dial] in told
    rows = catalog.query(Lake(in_world.lake), "select meaning, example, told_at from shapes").to_pylist()
    assert {row["meaning"] for row in rows} <= {*told}
    assert all(row["example"] and row["told_at"] for row in rows)
    assert asked(source) == []


def test_the_lake_is_whole_with_it_and_a_rebuild_keeps_it(in_world, asked, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_SOURCE", "both")
    for source in BOTH:
        turn(in_world, source, unknown_keys=1)
    asked("both")
    chosen = in_world.settings(source="both")
    files = [lake.root / "shapes.jsonl" for lake in Lake(chosen.data).of_each_source]
    before = [path.read_bytes() for path in files]
    assert pipeline.examine(chosen, quick=False).findings == ()
    pipeline.rebuild(chosen)
    assert [path.read_bytes() for path in files] == before
    endpoints = catalog.query(Lake(chosen.data), "select distinct endpoint from shapes order by 1")["endpoint"]
    assert endpoints.to_pylist() == ["analytics", "historical"]


@pytest.mark.parametrize("source", BOTH)
def test_a_healthy_api_sends_nothing_new(in_world, asked, source):
    assert asked(source) == []
    assert catalog.query(Lake(in_world.lake), "from shapes").num_rows == 0


@pytest.mark.parametrize(
    ("source", "dial"),
    [
        ("engagement", "missing_types"),
        ("engagement", "missing_hours"),
        ("engagement", "numbers"),
        ("x_api_v2", "missing_metrics"),
        ("x_api_v2", "null_counts"),
    ],
)
def test_what_stays_away_or_is_documented_is_no_news(in_world, asked, source, dial):
    turn(in_world, source, **{dial: 1})
    assert asked(source) == []
