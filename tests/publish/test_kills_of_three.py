"""A command that goes through the lakes of all sources and is killed in between: the next one does what is left."""

import os
import shutil
from functools import partial

import kills
import pytest
import v2_bodies
from bodies import WINDOW, at, full, pulled
from forgetting import ALL, GONE, STAYS, reported
from older import made_format_2
from tables import everything, file_of

from engagement_pipeline import forgetting, pipeline
from engagement_pipeline.core import settings
from engagement_pipeline.core.endpoints import MEDIA
from engagement_pipeline.core.erased import Erased
from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.lake import forgotten, raw, storage
from engagement_pipeline.lake.layout import FORMAT, Lake
from engagement_pipeline.publish.erasure_search import search
from engagement_pipeline.publish.publisher import publish_pulls

VIDEO, OTHER_VIDEO = (1_700_000_000_000_000_000 + number for number in (5, 6))
OF_VIDEO = ("video_views", "watch_time_ms")
NAMED = {"CONFIG": os.devnull, "NOW": "2026-02-09T00:00:00Z", "KEEP_RAW_DAYS": "1"}
ROSTER = f"tweet_id,handle,found_in\n{GONE},ann,archive\n{STAYS[0]},ann,archive\n"
CHOSEN = f"""
from engagement_pipeline import forgetting, pipeline
from engagement_pipeline.core import settings
from engagement_pipeline.query import catalog
catalog.refresh = catalog.write = lambda lake, **_: lake.catalog
named = {NAMED} | {{"DATA": sys.argv[1], "TWEETS": sys.argv[1] + "/../tweets"}}
chosen = settings.load({{f"ENGAGEMENT_{{name}}": value for name, value in named.items()}})
"""
# Each command, and the number of its renames.
FORGET = CHOSEN + f"forgetting.forget(chosen, [{GONE}])", 30
REBUILD = CHOSEN + "pipeline.rebuild(chosen)", 54
UPGRADE = CHOSEN + "pipeline.upgrade(chosen)", 21


def places(command, *some):
    """Run a test with a command killed at some of its renames, and under `faults` at all others."""
    marks = {place: () if place in some else pytest.mark.faults for place in range(1, command[1] + 1)}
    return pytest.mark.parametrize("place", [pytest.param(place, marks=marks[place]) for place in marks])


@pytest.fixture(scope="module")
def full_life(tmp_path_factory):
    """The folder of a lake with counts of both sources and of two videos, to be copied."""
    home = Lake(tmp_path_factory.mktemp("three") / "lake")
    for hour in (1, 2):
        pulled(home, full(ALL, hour), at(hour))
        publish_pulls(home)
        v2_bodies.pulled(home, full(ALL, 20 + hour), at(hour))
        v2_bodies.pulled(home, full([VIDEO, OTHER_VIDEO], 7 + hour, types=OF_VIDEO), at(hour), endpoint=MEDIA)
    keys = {GONE: v2_bodies.key_of(VIDEO), STAYS[0]: v2_bodies.key_of(OTHER_VIDEO), STAYS[1]: ""}
    v2_bodies.follow(home, keys)
    return home.root


@pytest.fixture
def home(tmp_path, full_life):
    return Lake(shutil.copytree(full_life, tmp_path / "lake"))


@pytest.fixture
def beside(home, tmp_path):
    """A file of the roster and a report, both of which name the Tweet, beside the lake."""
    roster = tmp_path / "tweets" / "ann.synced.csv"
    roster.parent.mkdir()
    roster.write_text(ROSTER)
    return roster, reported(home, tmp_path / "january.html", shows=ALL)


def chosen(home):
    named = NAMED | {"DATA": str(home.root), "TWEETS": str(home.root.parent / "tweets")}
    return settings.load({f"ENGAGEMENT_{name}": value for name, value in named.items()})


@pytest.fixture(scope="module")
def without_it(full_life, tmp_path_factory):
    """What the lakes hold once the Tweet is forgotten without a disturbance."""
    home = Lake(shutil.copytree(full_life, tmp_path_factory.mktemp("without") / "lake"))
    forgetting.forget(chosen(home), [GONE])
    return everything(home)


@pytest.mark.parametrize("go_on", [pipeline.publish_landed, lambda chosen: forgetting.forget(chosen, [GONE])])
@places(FORGET, 22, 28)
def test_a_removal_goes_on_with_the_media_of_the_tweet_and_what_lies_beside_the_lake(
    home, beside, without_it, place, go_on
):
    """The Tweet is gone from the list that tells its media by then."""
    assert kills.dies_at(place, home, FORGET[0])
    if place == 1:  # nothing says yet that it is to go
        go_on = partial(forgetting.forget, tweets=[GONE])
    go_on(chosen(home))
    assert everything(home) == without_it
    assert search(home, Erased(frozenset({GONE, VIDEO}))).holding == ()
    roster, report = beside
    assert str(GONE) not in roster.read_text()
    assert not report.exists()
    known = forgotten.load(home)
    assert (known.going, known.among([GONE, VIDEO, OTHER_VIDEO])) == (frozenset(), {GONE, VIDEO})


@places(REBUILD, 52)
def test_a_rebuild_makes_the_lakes_anew_that_were_left(home, place):
    wanted = everything(home)
    for lake in home.of_each_source:
        file_of(lake, "rows", WINDOW.last).unlink()
    assert kills.dies_at(place, home, REBUILD[0])
    pipeline.rebuild(chosen(home))
    assert everything(home) == wanted


@places(UPGRADE, 10)
def test_a_lake_is_of_the_older_format_until_those_of_all_sources_are_upgraded(home, place):
    wanted = everything(home)
    for lake in home.of_each_source:
        made_format_2(lake)
    assert kills.dies_at(place, home, UPGRADE[0])
    with pytest.raises(LakeError, match="run engagement upgrade"):
        home.open()
    pipeline.upgrade(chosen(home))
    assert everything(home) == wanted
    assert {lake.open() for lake in home.of_each_source} == {FORMAT}


@pytest.mark.faults
@pytest.mark.parametrize("command", [FORGET, REBUILD, UPGRADE], ids=["forget", "rebuild", "upgrade"])
def test_these_are_all_the_renames(home, command, request):
    if command is FORGET:
        request.getfixturevalue("beside")
    if command is UPGRADE:
        for lake in home.of_each_source:
            made_format_2(lake)
    assert not kills.dies_at(command[1] + 1, home, command[0])


@pytest.mark.parametrize("removed", [3, *(pytest.param(n, marks=pytest.mark.faults) for n in (1, 2, 4, 5))])
def test_a_prune_removes_what_was_left(home, monkeypatch, removed):
    """It has two pulls of each source to remove."""
    before, left, really = everything(home), [removed], shutil.rmtree

    def killed(path):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        really(path)

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            pipeline.drop(chosen(home), pipeline.spent(chosen(home)))
    pipeline.rebuild(chosen(home))
    assert everything(home) == before
    pipeline.drop(chosen(home), pipeline.spent(chosen(home)))
    assert [pull for lake in home.of_each_source for pull in raw.all_pulls(lake)] == []
    assert not [*home.root.rglob(f"{storage.DROPPED}*")]
    assert everything(home) == before
