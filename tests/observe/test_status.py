"""Where a lake stands: its days, its last pulls, what is set aside and what was asked for."""

import errno
import os
from datetime import date, timedelta

import pytest
from bodies import WINDOW, at, begin, full, land, pulled
from histories import FIRST, SECOND, THIRD

from engagement_pipeline.core.model import Window
from engagement_pipeline.core.tables import ENGAGEMENTS
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.lake.storage import LocalStorage
from engagement_pipeline.observe import status
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.query import catalog

pytestmark = pytest.mark.marts
NOW = at(0) + timedelta(days=1)


def standing(lake):
    return status.of_lake(lake, now=NOW)


def outcomes(lake):
    return [(pull.endpoint, pull.began_at.hour, pull.outcome) for pull in standing(lake).pulls]


def listed(lake):
    return {path: path.stat().st_mtime_ns for path in lake.root.rglob("*")}


def test_the_days_and_rows_are_those_of_the_files(history):
    held = standing(history).held
    assert (held.days, held.first, held.last, held.gaps) == (3, FIRST, THIRD, ())
    assert held.rows == 34
    assert held.size == sum(
        path.stat().st_size
        for path in history.root.rglob("*")
        if path.is_file() and not path.name.startswith(".") and path.name != "lake.json"
    )
    assert held.raw_size == sum(path.stat().st_size for path in history.raw.rglob("*") if path.is_file())


def test_days_without_rows_between_others_are_gaps(tmp_path):
    lake = Lake(tmp_path / "lake")
    for first in (1, 4, 9):
        day = date(2026, 1, first)
        pulled(lake, full([1], 5, window=Window(day, day)), at(first), window=Window(day, day))
    publish_pulls(lake)
    assert standing(lake).held.gaps == (
        (date(2026, 1, 2), date(2026, 1, 3)),
        (date(2026, 1, 5), date(2026, 1, 8)),
    )


def test_only_the_ends_of_the_files_of_the_tables_are_read(history):
    """A day of which all pages are gone, and the footer is left, is counted like the others."""
    path = history.rows(ENGAGEMENTS, SECOND)
    content = path.read_bytes()
    footer = int.from_bytes(content[-8:-4], "little") + 8
    path.chmod(0o644)
    path.write_bytes(b"PAR1" + b"\0" * (len(content) - footer - 4) + content[-footer:])
    assert standing(history).held.rows == 34


def test_a_day_that_cannot_be_read_is_counted_as_damaged_and_no_gap_hides_it(history):
    history.rows(ENGAGEMENTS, SECOND).unlink()
    history.rows(ENGAGEMENTS, SECOND).write_bytes(b"no parquet")
    held = standing(history).held
    assert (held.days, held.damaged, held.gaps) == (2, 1, ((SECOND, SECOND),))


def test_the_newest_pulls_of_each_endpoint_are_told_and_each_that_is_open(history):
    land(begin(history, at(6)), full([1], 5))
    for hour in (7, 8):
        pulled(history, full([1], 5), at(hour)).marked(published=True)
    pulled(history, full([1], 6), at(9))
    told = [pull for pull in outcomes(history) if pull[0] == "historical"]
    assert told == [
        ("historical", 6, "not published"),
        ("historical", 8, "published"),
        ("historical", 9, "not published"),
    ]


def test_while_a_pull_is_under_way_the_newest_open_one_is_it(history):
    land(begin(history, at(6)), full([1], 5))
    begin(history, at(7))
    assert ("historical", 7, "stopped") in outcomes(history)
    with history.locked("pull", "a test"):
        told = outcomes(history)
    assert ("historical", 6, "not published") in told
    assert ("historical", 7, "under way") in told


def test_a_pull_tells_its_days_and_what_came(history):
    pull = begin(history, at(6))
    land(pull, full([1], 5))
    land(pull, {}, tweets=[2], refusal="403: Forbidden to access tweets: 2")
    pull.reject(land(pull, full([3], 5)))
    told = next(each for each in standing(history).pulls if each.began_at == at(6))
    assert (told.first, told.last) == (WINDOW.first, WINDOW.last)
    assert (told.responses, told.rejected, told.unanswered) == (2, 1, 0)


def test_tweets_that_are_to_be_forgotten_are_counted_and_those_that_are_overdue(tmp_path):
    lake = Lake(tmp_path / "lake")
    for hour, tweet in ((1, 1), (3, 2)):
        pulled(lake, {}, at(hour), tweets=[tweet], unavailable_tweet_ids=[str(tweet)])
    publish_pulls(lake)
    told = [status.of_lake(lake, now=at(hour) + timedelta(days=1)) for hour in (1, 2, 4)]
    assert [(each.problem, each.to_forget, each.overdue) for each in told] == [("", 2, 0), ("", 2, 1), ("", 2, 2)]


def test_where_no_tweet_is_unavailable_none_is_to_be_forgotten_and_nothing_is_asked(tmp_path, monkeypatch):
    lake = Lake(tmp_path / "lake")
    pulled(lake, full([1], 5), at(1))
    publish_pulls(lake)
    monkeypatch.setattr(catalog, "query", None)
    assert (standing(lake).to_forget, standing(lake).overdue) == (0, 0)


def test_tweets_set_aside_are_counted_by_reason(history):
    assert standing(history).set_aside == {"unavailable": 2}


def test_a_list_that_cannot_be_read_is_a_problem_of_its_own(history):
    history.set_aside.unlink()
    history.set_aside.write_bytes(b"no parquet")
    found = standing(history)
    assert found.problem.startswith(f"{history.set_aside} is damaged")
    assert found.held.days == 3


def test_a_list_that_is_not_given_is_a_problem_of_its_own(history, monkeypatch):
    source = LocalStorage.source

    def give(self, path):
        if path == history.set_aside:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return source(self, path)

    monkeypatch.setattr(LocalStorage, "source", give)
    found = standing(history)
    assert found.problem.startswith(f"{history.set_aside} cannot be used: Permission denied; get permission for it")
    assert found.held.days == 3


def test_where_there_is_no_lake_nothing_stands(tmp_path):
    assert standing(Lake(tmp_path / "lake")) is None
    assert not (tmp_path / "lake").exists()


def test_a_look_writes_nothing_and_waits_for_nobody(history):
    before = listed(history)
    with history.locked("lake", "a test"):
        now = listed(history)
        assert standing(history)
        assert listed(history) == now
    assert before.keys() <= listed(history).keys()
