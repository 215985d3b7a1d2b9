"""The reports that were saved: each is known once, whatever happens to the list."""

import pytest

from engagement_pipeline.lake import inventory, saved
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.lake.saved import Saved

JANUARY = Saved(path="/home/ann/ann-2026-01.html", handle="ann", month="2026-01")
FEBRUARY = Saved(path="/home/ann/a b.html", handle="ann", month="2026-02")


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path / "lake")
    lake.open()
    return lake


def test_a_report_that_is_saved_again_is_known_once(lake):
    for report in (JANUARY, FEBRUARY, JANUARY):
        saved.note(lake, report)
    assert saved.load(lake) == [JANUARY, FEBRUARY]
    assert len(lake.saved.read_text().splitlines()) == 2


def test_a_line_that_is_torn_is_no_report(lake):
    saved.note(lake, JANUARY)
    with lake.saved.open("a") as lines:
        lines.write('{"path": "/home')
    saved.note(lake, FEBRUARY)
    assert saved.load(lake) == [JANUARY, FEBRUARY]


def test_the_command_that_writes_it_anew_is_one_for_a_shell():
    assert FEBRUARY.command == "engagement report ann 2026-02 --output '/home/ann/a b.html'"


def test_the_list_is_no_stranger_in_the_lake(lake):
    saved.note(lake, JANUARY)
    assert inventory.take(lake, own=lambda _: False).strangers == []
