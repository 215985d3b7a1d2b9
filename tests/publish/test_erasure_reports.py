"""Saved reports that show a forgotten Tweet are gone; all other files stay as they are."""

import pytest
from forgetting import GONE, NOW, STAYS, reported

from engagement_pipeline.core.erased import Cleared, Erased
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish import erasure, erasure_reports

ERASED = Erased(frozenset({GONE}))


@pytest.fixture
def home(tmp_path):
    home = Lake(tmp_path / "lake")
    home.open()
    return home


def test_a_report_that_shows_it_goes_and_another_stays(home, tmp_path):
    shows = reported(home, tmp_path / "shows.html", shows=[GONE, *STAYS])
    other = reported(home, tmp_path / "other.html", shows=STAYS)
    assert erasure_reports.found(home, ERASED) == 1
    (change,) = erasure_reports.clear(home, ERASED).changes
    assert (change.path, change.after) == (str(shows), "")
    assert not shows.exists()
    assert other.exists()


def test_a_removal_of_the_tweet_takes_it_along_and_the_receipt_names_it(home, tmp_path):
    shows = reported(home, tmp_path / "shows.html", shows=[GONE])
    receipt = erasure.forget(home, [GONE], now=NOW)
    assert [change.path for change in receipt.changes] == [str(shows)]
    assert str(shows) in receipt.path.read_text()
    assert not shows.exists()


def test_what_is_no_report_any_more_stays_and_is_named(home, tmp_path):
    notes = reported(home, tmp_path / "notes.html", shows=[GONE], is_report=False)
    cleared = erasure_reports.clear(home, ERASED)
    assert cleared.unread == (f"{notes} shows a Tweet, and is no report of this program any more: remove it yourself",)
    assert (cleared.changes, notes.exists()) == ((), True)


def test_one_that_cannot_be_read_is_named(home, tmp_path):
    reported(home, tmp_path / "folder", shows=[GONE]).unlink()
    (tmp_path / "folder").mkdir()
    assert erasure_reports.found(home, ERASED) == 0
    assert erasure_reports.clear(home, ERASED).unread == (
        f"{tmp_path}/folder may show a Tweet, and cannot be removed: Is a directory; remove it yourself",
    )


def test_one_that_somebody_has_removed_is_no_matter(home, tmp_path):
    reported(home, tmp_path / "shows.html", shows=[GONE]).unlink()
    assert erasure_reports.clear(home, ERASED) == Cleared()
