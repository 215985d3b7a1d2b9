"""Raw that has served goes, if it is said; the tables stay as they are, and a rebuild of what is left changes none."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bodies import TYPES, WINDOW, at, begin, full, land, observed, parts, pulled
from histories import IMPRESSIONS, TODAY
from tables import check_daily, contents, counts, rebuilt

from engagement_pipeline import pipeline
from engagement_pipeline.core import settings
from engagement_pipeline.core.endpoints import RECENT, TOTALS
from engagement_pipeline.core.errors import InputError, LakeError
from engagement_pipeline.core.model import Window
from engagement_pipeline.lake import raw, storage
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish import retention
from engagement_pipeline.publish.publisher import publish_pulls

ALL_OF_IT = at(0) + timedelta(days=365)


@pytest.fixture
def lake(tmp_path, monkeypatch, each_source):
    lake = Lake(tmp_path / "lake").of(each_source)
    monkeypatch.setenv("ENGAGEMENT_DATA", str(lake.home.root))
    return lake


def pruned(lake, before):
    """Drop what is spent; return the pulls that were."""
    spent = retention.spent(lake, before=before)
    retention.drop(lake, spent)
    return [each.pull for each in spent]


def ago(**period):
    return datetime.now(UTC) - timedelta(**period)


def folders(lake):
    return sorted(path.relative_to(lake.raw) for path in lake.raw.rglob("*") if path.is_dir())


# Which pulls may go.


def test_a_pull_is_spent_once_it_is_published_and_was_begun_before(lake):
    older = pulled(lake, full([1], 1), at(1))
    pulled(lake, full([1], 2), at(2))
    assert retention.spent(lake, before=ALL_OF_IT) == []
    publish_pulls(lake)
    (spent,) = retention.spent(lake, before=at(2))
    assert spent.pull.path == older.path
    assert [each.pull.started_at for each in retention.spent(lake, before=ALL_OF_IT)] == [at(1), at(2)]
    assert retention.spent(lake, before=at(1)) == []


def test_what_is_counted_are_all_responses_and_their_bytes(lake):
    pull = begin(lake, at(1))
    paths = [land(pull, full([1], 1)), land(pull, {}, tweets=[2], refusal="403: no")]
    paths.append(pull.reject(land(pull, full([3], 1))))
    pull.marked(finished=True)
    publish_pulls(lake)
    (spent,) = retention.spent(lake, before=ALL_OF_IT)
    assert (spent.responses, spent.size) == (3, sum(path.stat().st_size for path in paths))


def test_a_pull_that_is_not_finished_stays_though_it_is_published_as_far_as_it_goes(lake):
    land(begin(lake, at(1)), full([1], 1))
    publish_pulls(lake)
    assert retention.spent(lake, before=ALL_OF_IT) == []


def test_what_stays_is_never_older_than_what_goes(lake):
    """Else a rebuild would put older counts over newer ones of which it knows nothing any more."""
    pulled(lake, full([1], 0), at(1))
    publish_pulls(lake)
    open_pull = begin(lake, at(2))
    land(open_pull, full([1], 1))
    publish_pulls(lake)
    pulled(lake, full([1], 2), at(3), asked_at=at(3))
    publish_pulls(lake)
    open_pull.marked(finished=False, published=False)
    pulled(lake, full([1], 3, types=IMPRESSIONS), at(4), types=IMPRESSIONS)
    publish_pulls(lake)
    open_pull.marked(finished=False, published=False)
    before = contents(lake)
    assert [pull.started_at for pull in pruned(lake, at(4))] == [at(1)]
    rebuilt(lake)
    assert contents(lake) == before


def test_a_pull_that_went_on_after_a_later_one_stays_with_it(lake):
    """Its last answer is the newest."""
    pull = begin(lake, at(1))
    land(pull, full([1], 1))
    pulled(lake, full([1, 2], 2, types=IMPRESSIONS), at(2), types=IMPRESSIONS)
    land(pull, full([2], 3), asked_at=at(3))
    pull.marked(finished=True)
    publish_pulls(lake)
    assert retention.spent(lake, before=at(2)) == []
    assert len(retention.spent(lake, before=at(3))) == 2


def test_one_endpoint_does_not_keep_another_s(tmp_path):
    lake = Lake(tmp_path / "lake")
    observed(lake, TOTALS, parts({}), at(1), tweets=[1])
    pulled(lake, full([1], 1), at(2))
    publish_pulls(lake)
    land(begin(lake, at(1)), full([1], 1))
    assert [pull.endpoint for pull in pruned(lake, ALL_OF_IT)] == [TOTALS]


def test_what_the_last_hours_are_made_of_stays(tmp_path):
    """Whatever the setting: the table has nothing but raw to be made of."""
    lake = Lake(tmp_path / "lake")
    for now in (at(1) - timedelta(days=3), at(1), at(20)):
        observed(lake, RECENT, parts(full([now.hour], 1, window=Window(TODAY, TODAY))), now, tweets=[now.hour])
    publish_pulls(lake)
    before = contents(lake)
    assert [pull.started_at for pull in pruned(lake, ALL_OF_IT)] == [at(1) - timedelta(days=3)]
    lake.rows(RECENT.table, TODAY).unlink()
    rebuilt(lake)
    assert contents(lake) == before


# What is dropped, and what stays.


def test_only_the_folders_of_what_is_spent_go(lake):
    gone = pulled(lake, full([1], 1), at(1))
    stays = pulled(lake, full([1], 2), at(2))
    other = Window(WINDOW.first, WINDOW.first)
    alone = pulled(lake, full([1], 1, window=other), at(1), window=other)
    publish_pulls(lake)
    pruned(lake, at(2))
    assert not gone.path.exists()
    assert not alone.path.parent.exists()
    assert [pull.path for pull in raw.all_pulls(lake)] == [stays.path]


@pytest.mark.parametrize("hour", [0, 3, 6, *(pytest.param(hour, marks=pytest.mark.faults) for hour in (1, 2, 4, 5))])
def test_no_published_row_changes_and_none_when_the_rest_is_rebuilt(lake, past_of_source, hour):
    shutil.copytree(past_of_source, lake.home.root)
    before = contents(lake)
    pulls = pruned(lake, at(hour))
    assert contents(lake) == before
    report = rebuilt(lake)
    assert contents(lake) == before
    assert not any(day.lost or day.changed or day.damaged for day in report)
    assert any(day.kept for day in report) == bool(pulls and hour > 0)
    publish_pulls(lake)
    assert contents(lake) == before


def test_a_rebuild_names_the_rows_that_it_keeps(lake):
    pulled(lake, full([1, 2], 1), at(1))
    pulled(lake, full([2], 2, types=IMPRESSIONS), at(2), types=IMPRESSIONS)
    publish_pulls(lake)
    pruned(lake, at(2))
    assert [day.kept for day in rebuilt(lake)] == [{1: 4, 2: 2}] * 2
    assert counts(lake) == full([1, 2], 1) | full([2], 2, types=IMPRESSIONS)


def test_a_later_pull_goes_on_from_what_was_pruned(lake):
    pulled(lake, full([1, 2], 1), at(1))
    publish_pulls(lake)
    pruned(lake, ALL_OF_IT)
    pulled(lake, full([1], 2), at(2))
    publish_pulls(lake)
    assert counts(lake) == full([1], 2) | full([2], 1)
    assert len(contents(lake, "revisions")["revisions"]) == len(TYPES) * 4
    check_daily(lake)


# Pruning that is killed or refused.


def test_what_a_killed_prune_left_is_removed_by_the_next(lake, monkeypatch):
    for hour in (1, 2):
        pulled(lake, full([1], hour), at(hour))
    publish_pulls(lake)
    before = contents(lake)

    def killed(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            pruned(lake, ALL_OF_IT)
    assert any(path.name.startswith(storage.DROPPED) for path in folders(lake))
    assert [pull.started_at for pull in raw.all_pulls(lake)] == [at(2)]  # the other is whole
    rebuilt(lake)
    assert contents(lake) == before
    retention.drop(lake, [])
    assert [pull.started_at for pull in raw.all_pulls(lake)] == [at(2)]
    assert not any(path.name.startswith(".") for path in folders(lake))
    pruned(lake, ALL_OF_IT)
    assert folders(lake) == [Path(str(lake.hourly))]


def test_an_empty_window_that_a_killed_prune_left_goes_too(lake):
    pull = pulled(lake, full([1], 1), at(1))
    publish_pulls(lake)
    pull.path.rename(pull.path.with_name(storage.DROPPED + pull.path.name))
    assert list(lake.raw.glob(f"{lake.hourly}/*"))
    retention.drop(lake, [])
    assert not list(lake.raw.glob(f"{lake.hourly}/*"))


def test_what_cannot_be_removed_is_named(lake, monkeypatch):
    pull = pulled(lake, full([1], 1), at(1))
    publish_pulls(lake)

    def refused(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(shutil, "rmtree", refused)
    with pytest.raises(LakeError, match=f"{pull.path.parent}/.* cannot be removed: Permission denied; "):
        pruned(lake, ALL_OF_IT)


def test_where_no_lake_is_nothing_is_spent(lake):
    with pytest.raises(InputError, match="there is no lake in"):
        retention.spent(lake, before=ALL_OF_IT)
    assert not lake.root.exists()


# The command.


@pytest.fixture
def aged(lake):
    """A lake with a pull of 91 days ago, and one of 89."""
    pulled(lake, full([1], 1), ago(days=91))
    pulled(lake, full([1, 2], 2), ago(days=89))
    publish_pulls(lake)
    return lake


def test_the_command_says_first_what_would_go_and_removes_nothing(aged, engagement):
    before = folders(aged)
    code, out, errors = engagement("prune")
    assert (code, errors) == (0, [])
    day = ago(days=91).date()
    assert out.startswith("published and begun more than 90 days ago: 1 pull\n")
    assert f"  /{aged.hourly}: 1 pull of {day} to {day}, 1 response, 0.0 MB\n" in out
    assert out.endswith("nothing is removed: engagement prune --yes removes them\n")
    assert folders(aged) == before


def test_the_command_removes_it_where_it_is_told_to(aged, engagement):
    before = contents(aged)
    code, out, errors = engagement("prune", "--yes")
    assert (code, errors) == (0, [])
    assert out.endswith("removed; the tables are unchanged\n")
    assert len(raw.all_pulls(aged)) == 1
    assert contents(aged) == before
    assert engagement("prune") == (0, "published and begun more than 90 days ago: 0 pulls\n", [])


def test_how_long_raw_is_kept_is_a_setting(aged, engagement, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_KEEP_RAW_DAYS", "88")
    assert "more than 88 days ago: 2 pulls\n" in engagement("prune")[1]
    monkeypatch.setenv("ENGAGEMENT_KEEP_RAW_DAYS", "92")
    assert "more than 92 days ago: 0 pulls\n" in engagement("prune")[1]


def test_the_command_without_a_lake_says_so(lake, failed):
    code, line = failed("prune")
    assert code == 2
    assert line.startswith(f"there is no lake in {lake.home.root}")


def test_after_a_prune_a_rebuild_says_what_it_keeps(aged, engagement, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_KEEP_RAW_DAYS", "1")
    engagement("prune", "--yes")
    before = contents(aged)
    code, out, errors = engagement("rebuild")
    assert (code, errors) == (0, [])
    assert "  2026-01-01: 8 rows of 2 Tweets (1, 2) kept as published" in out
    assert contents(aged) == before


def test_the_library_takes_the_days_from_the_settings(aged):
    chosen = settings.load({"ENGAGEMENT_DATA": str(aged.home.root), "ENGAGEMENT_CONFIG": "/dev/null"})
    spent = pipeline.spent(chosen)
    pipeline.drop(chosen, spent)
    assert len(spent) == len(raw.all_pulls(aged)) == 1
