"""The job forget: what it shows, when it removes, its receipt as metadata, and each wrong config in one line."""

import pytest
from code_location import POOL, failures
from forgetting import GONE, lived, reported
from tables import counts

from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog


@pytest.fixture
def lake(tmp_path, monkeypatch):
    """A lake with the Tweet; no catalogue is written, since its views would take most of the time."""
    monkeypatch.setattr(catalog, "refresh", lambda lake, **_: lake.catalog)
    monkeypatch.setenv("ENGAGEMENT_DATA", str(tmp_path / "had"))
    monkeypatch.setenv("ENGAGEMENT_TWEETS", str(tmp_path / "tweets"))
    return lived(Lake(tmp_path / "had"))


@pytest.fixture
def run(definitions, instance, lake):
    """Return a function that runs the job as the launchpad does."""

    def done(**config):
        job = definitions.resolve_job_def("forget")
        config = {"ops": {"forget_tweets": {"config": config}}}
        return job.execute_in_process(instance=instance, run_config=config, raise_on_error=False)

    return done


def told(result):
    (event,) = [event for event in result.all_events if event.is_successful_output]
    return {name: value.value for name, value in event.event_specific_data.metadata.items()}


def tweets_of(lake):
    return {tweet for tweet, *_ in counts(lake)}


def test_without_apply_it_shows_what_would_go_and_removes_nothing(run, lake):
    shown = told(run(tweets=[str(GONE)]))
    assert (shown["removed"], shown["tweets"], shown["responses"]) == (False, 1, 8)
    assert GONE in tweets_of(lake)


def test_with_apply_it_removes_them_and_shows_the_receipt(run, lake, tmp_path):
    report = reported(lake, tmp_path / "january.html", shows=[GONE])
    shown = told(run(tweets=[str(GONE)], apply=True))
    assert (shown["removed"], shown["tweets"], shown["files that still hold one"]) == (True, 1, 0)
    assert [shown["receipt"]] == [str(path) for path in lake.receipts.iterdir()]
    assert {"place": "recent.parquet", "rewritten": 1, "removed": 0} in [row.data for row in shown["changes"].records]
    assert str(report) in shown["reports to write anew"]
    assert GONE not in tweets_of(lake)


def test_a_file_keeps_the_ids_out_of_what_dagster_keeps(run, lake, tmp_path, instance):
    (tmp_path / "ids.txt").write_text(f"{GONE}\n")
    result = run(file=str(tmp_path / "ids.txt"), apply=True)
    assert GONE not in tweets_of(lake)
    kept = [repr(instance.get_run_by_id(result.run_id).run_config), *map(repr, instance.all_logs(result.run_id))]
    assert str(GONE) not in "".join(kept)


def test_a_file_without_a_tweet_is_no_mistake(run, lake, tmp_path):
    (tmp_path / "ids.txt").write_text("tweet_id\n")
    shown = told(run(file=str(tmp_path / "ids.txt"), apply=True))
    assert (shown["removed"], shown["tweets"], lake.receipts.exists()) == (False, 0, False)


def test_a_file_of_somebody_else_that_names_it_fails_the_run_with_the_receipt(run, lake):
    (lake.root / "notes.txt").write_text(f"our best Tweet: {GONE}\n")
    result = run(tweets=[str(GONE)], apply=True)
    (event,) = result.get_step_failure_events()
    failure = event.step_failure_data.user_failure_data
    assert failure.description.startswith("1 file still holds a Tweet, or cannot be read: the receipt names them;")
    assert failure.metadata["files that still hold one"].value == 1


@pytest.mark.parametrize(
    ("config", "line"),
    [
        ({}, "name the Tweets to forget, a handle, or a file of IDs; see engagement forget --help"),
        ({"tweets": ["1.6e18"]}, "'1.6e18' is no Tweet's ID"),
        ({"handle": "a b"}, "'a b' is not a handle"),
        ({"file": "/no/such"}, "/no/such cannot be read: No such file or directory"),
    ],
)
def test_a_wrong_config_is_told_in_one_line(run, config, line):
    (told,) = failures(run(**config, apply=True))
    assert told.startswith(line)


def test_it_waits_for_whoever_pulls(definitions):
    (op,) = definitions.resolve_job_def("forget").nodes
    assert op.definition.pool == POOL
