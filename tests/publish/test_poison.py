"""A response that kills whoever looks at it: the publication, the rebuild and the pull after the second are whole."""

import json

import forks
import pytest
from bodies import WINDOW, at, begin, full, land, pulled
from each_source import LONG
from tables import contents, counts

from engagement_pipeline.lake import raw
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.publish.rebuild import rebuild_table

POISON = 666  # a Tweet; whoever reads an answer about it is killed, or takes all the memory there is
RUN = f"""
import os, resource, sys
from pathlib import Path
from engagement_pipeline import sources
from engagement_pipeline.core.errors import EngagementError
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.publish.rebuild import rebuild_table

lake, how, what = Lake(Path(sys.argv[1]), source=sys.argv[4]), sys.argv[2], sys.argv[3]
source = sources.SOURCES[lake.source]
really = source.read

def read(body, request):
    if {POISON} in request.tweet_ids:
        os.kill(os.getpid(), 9) if how == "killed" else bytearray(2**36)
    return really(body, request)

source.read = read
resource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32))
try:
    publish_pulls(lake) if what == "publication" else rebuild_table(lake, lake.hourly)
except EngagementError as error:
    sys.exit(str(error))
"""
HOW = ("killed", "without memory")


@pytest.fixture
def lake(tmp_path, each_source):
    """A lake with three pulls, the second of which holds poison beside a good response."""
    lake = Lake(tmp_path / "lake").of(each_source)
    pulled(lake, full([1], 1), at(1))
    pull = begin(lake, at(2))
    land(pull, full([2], 2))
    land(pull, full([POISON], 6))
    pull.marked(finished=True)
    pulled(lake, full([3], 3), at(3))
    return lake


def run(lake, how, what="publication"):
    """Run in a process with 4 GB of addresses; return its exit code and what it said."""
    ended = forks.run(RUN, str(lake.root), how, what, lake.source)
    return ended.code, ended.said.splitlines()


def poison(lake):
    (path,) = lake.raw.glob(f"*/*/*/ann-{POISON}-*")
    return path


@pytest.mark.parametrize("how", HOW)
def test_a_publication_names_what_killed_two_and_publishes_the_rest(lake, how):
    path = poison(lake)
    code, lines = run(lake, how)
    assert code
    assert how == "killed" or lines[0].startswith(f"the memory ran out while {path} was looked at; ")
    while code := run(lake, how)[0]:  # once more, if it is killed
        assert code == -9
    assert counts(lake) == full([1], 1) | full([2], 2) | full([3], 3)
    assert [*path.parent.glob(f"rejected/{path.name}")]


@LONG
def test_what_was_read_when_a_person_killed_the_publication_is_published_by_the_next(lake):
    assert run(lake, "killed")[0] == -9
    publish_pulls(lake)
    assert counts(lake) == full([1], 1) | full([2], 2) | full([3], 3) | full([POISON], 6)


@LONG
@pytest.mark.parametrize("how", HOW)
def test_a_rebuild_keeps_the_rows_of_what_killed_two(lake, how):
    publish_pulls(lake)
    before = contents(lake)
    while run(lake, how, "rebuild")[0]:
        assert contents(lake) == before
    assert contents(lake) == before
    rebuild_table(lake, lake.hourly)
    assert contents(lake) == before


@LONG
def test_what_was_set_apart_can_be_put_back(lake):
    path = poison(lake)
    while run(lake, "killed")[0]:
        pass
    path.with_name("rejected").joinpath(path.name).rename(path)
    publish_pulls(lake)
    assert counts(lake)[POISON, "impressions", WINDOW.first, 0] == 6


@LONG
def test_the_tweets_of_what_was_set_apart_are_missing_in_its_pull(lake):
    """So the next pull of the window asks for them again."""
    while run(lake, "killed")[0]:
        pass
    (left,) = raw.open_pulls(lake)
    assert not left.finished
    assert [landed.request.tweet_ids for landed in left.landed()] == [(2,)]
    assert json.loads((left.path / "pull.json").read_bytes())["finished"] is False
