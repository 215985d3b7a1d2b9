"""A removal of Tweets that is killed, or cut off from power, goes on: with the next one, pull or publication."""

import shutil

import kills
import pytest
from forgetting import GONE, NOW, lived
from power_cuts import recorded
from tables import everything

from engagement_pipeline.core.erased import Erased
from engagement_pipeline.lake import forgotten
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish import erasure
from engagement_pipeline.publish.erasure_search import search

FORGET = (
    "from pathlib import Path; from datetime import datetime, UTC; "
    "from engagement_pipeline.lake.layout import Lake; from engagement_pipeline.publish import erasure; "
    f"erasure.forget(Lake(Path(sys.argv[1])), [{GONE}], now=datetime(2026, 2, 1, 23, 59, tzinfo=UTC))"
)
RENAMES = 20


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """The folder of a lake with the Tweet, to be copied."""
    return lived(Lake(tmp_path_factory.mktemp("before") / "lake")).root


@pytest.fixture(scope="module")
def after(before, tmp_path_factory):
    """What the lake holds once the Tweet is forgotten without a disturbance."""
    lake = Lake(shutil.copytree(before, tmp_path_factory.mktemp("after") / "lake"))
    erasure.forget(lake, [GONE], now=NOW)
    return everything(lake)


@pytest.fixture
def lake(tmp_path, before):
    return Lake(shutil.copytree(before, tmp_path / "lake"))


def check_gone(lake, after):
    assert everything(lake) == after
    assert search(lake, Erased(frozenset({GONE}))).holding == ()
    assert forgotten.load(lake).going == frozenset()


@pytest.mark.parametrize("place", [7, 10, 19, RENAMES])
def test_a_removal_that_dies_at_a_rename_goes_on_where_it_was(lake, after, place):
    """The first rename writes down what is to go, the last two write the receipt, and that it is gone."""
    assert kills.dies_at(place, lake, FORGET)
    assert forgotten.load(lake).among([GONE]) == {GONE}
    erasure.resume(lake, now=NOW)
    check_gone(lake, after)


def test_these_are_all_the_renames_of_that_removal(lake):
    assert not kills.dies_at(RENAMES + 1, lake, FORGET)


def test_a_removal_that_another_process_ends_meanwhile_is_not_called_stopped(lake, monkeypatch, caplog):
    erasure.forget(lake, [GONE], now=NOW)
    looks, really = [forgotten.load(lake).begun([GONE])], forgotten.load
    monkeypatch.setattr(forgotten, "load", lambda home: looks.pop() if looks else really(home))
    erasure.resume(lake, now=NOW)
    assert (looks, caplog.messages) == ([], [])


def test_one_that_dies_before_it_has_written_what_is_to_go_has_changed_nothing(lake):
    wanted = everything(lake)
    assert kills.dies_at(1, lake, FORGET)
    assert everything(lake) == wanted
    assert forgotten.load(lake).among([GONE]) == set()


@pytest.mark.parametrize("most", [6, pytest.param(500, marks=pytest.mark.faults)])
def test_a_power_cut_at_any_moment_leaves_a_removal_that_the_next_one_ends(lake, after, most):
    with recorded(lake.root) as recording:
        erasure.forget(lake, [GONE], now=NOW)
    for number, cut in enumerate(recording.cuts(most=most)):
        left = Lake(recording.restore(cut, lake.root.with_name(f"cut {number}")))
        erasure.forget(left, [GONE], now=NOW)
        check_gone(left, after)
        shutil.rmtree(left.root)
