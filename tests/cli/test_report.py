"""The command that writes a report of a handle's month."""

import sys

import pytest
from pages import Page

from engagement_pipeline.report import page

pytestmark = pytest.mark.marts


@pytest.fixture
def of_traps(trapped, folder, monkeypatch):
    """An empty working directory beside the lake with a case of each trap."""
    monkeypatch.setenv("ENGAGEMENT_DATA", str(trapped.root))
    return folder


def test_a_report_is_written_here_under_the_names_of_the_handle_and_the_month(of_traps, engagement, monkeypatch):
    monkeypatch.setattr(page, "_picture", lambda *_: "")  # they take a second to draw
    code, told, errors = engagement("report", "@Bob", "2026-01")
    assert (code, told, errors) == (0, "bob-2026-01.html: 28 of 31 days are complete\n", [])
    assert [path.name for path in of_traps.iterdir()] == ["bob-2026-01.html"]
    assert Page((of_traps / "bob-2026-01.html").read_text(encoding="utf-8")).words.startswith("@bob, January 2026")


@pytest.mark.parametrize(
    ("handle", "advice"), [("bobb", "; did you mean bob?"), ("nobody", ": put its Tweets into the roster, and pull")]
)
def test_a_handle_without_tweets_gets_no_report(of_traps, failed, handle, advice):
    assert failed("report", handle, "2026-01") == (2, f"the lake has no Tweet of {handle}{advice}")
    assert not any(of_traps.iterdir())


@pytest.mark.parametrize(
    ("month", "line"),
    [
        ("2026-13", "argument MONTH: '2026-13' is not a month such as 2026-01; see engagement report --help"),
        ("January", "argument MONTH: 'January' is not a month such as 2026-01; see engagement report --help"),
        (
            "2014-08",
            "argument MONTH: the API has no counts before 2014-09: choose a later month; see engagement report --help",
        ),
    ],
)
def test_a_wrong_month_is_told(failed, month, line):
    assert failed("report", "ann", month) == (2, line)


def test_a_place_that_cannot_be_written_is_told(of_traps, failed, monkeypatch):
    monkeypatch.setattr(page, "_picture", lambda *_: "")
    code, line = failed("report", "bob", "2026-01", "--output", "no/such.html")
    assert code == 1
    assert line.startswith("no/such.html cannot be written: No such file or directory")


def test_without_the_extra_the_command_says_what_to_install(of_traps, failed, monkeypatch):
    for name in [
        name for name in sys.modules if name.startswith(("engagement_pipeline.report", "engagement_pipeline.charts"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "altair", None)
    assert failed("report", "ann", "2026-01") == (
        2,
        "altair is not installed, and a report needs it: in a clone of the project, pip install '.[report]'",
    )
    assert not any(of_traps.iterdir())
