"""Forgotten Tweets are gone from the lakes of both sources, and neither brings them back."""

import errno
import os
import shutil
from datetime import timedelta

import pyarrow.parquet as pq
import pytest
import v2_bodies
from bodies import at, full, pulled
from forgetting import ALL, GONE, NOW, STAYS
from histories import LATER

from engagement_pipeline import pipeline, sources
from engagement_pipeline.core import settings
from engagement_pipeline.core.erased import Erased
from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.core.tables import ENGAGEMENTS
from engagement_pipeline.lake import forgotten, raw
from engagement_pipeline.lake.layout import PULL_LOCK, Lake
from engagement_pipeline.publish import erasure, erasure_due
from engagement_pipeline.publish.erasure_search import search
from engagement_pipeline.publish.publisher import publish_pulls

ERASED = Erased(frozenset({GONE}))


@pytest.fixture(scope="module")
def full_life(tmp_path_factory):
    home = Lake(tmp_path_factory.mktemp("two") / "lake")
    pulled(home, full(ALL, 10), at(1))
    publish_pulls(home)
    v2_bodies.pulled(home, full(ALL, 20), at(2))
    return home.root


@pytest.fixture
def home(tmp_path, full_life):
    return Lake(shutil.copytree(full_life, tmp_path / "lake"))


def chosen(home):
    return settings.load({"ENGAGEMENT_CONFIG": os.devnull, "ENGAGEMENT_DATA": str(home.root)})


def tweets_of_each(home):
    """Return the Tweets with counts in the files of each lake; the views show the counts of the one for the other."""
    return [
        {tweet for path in lake.storage.find(ENGAGEMENTS.glob) for tweet in pq.read_table(path)["tweet_id"].to_pylist()}
        for lake in home.of_each_source
    ]


def test_one_removal_takes_it_from_both_and_one_receipt_names_the_files_of_both(home):
    assert erasure.found(home, {GONE})["responses"] == 2
    receipt = erasure.forget(home, [GONE], now=NOW)
    assert tweets_of_each(home) == [{*STAYS}, {*STAYS}]
    assert {change.path.partition("/")[0] for change in receipt.changes} > {"raw", "x_api_v2"}
    assert all((home.root / change.path).exists() == bool(change.after) for change in receipt.changes)
    searched = search(home, ERASED)
    assert searched.holding == ()
    assert searched.files == sum(path.is_file() for path in home.root.rglob("*"))


def test_the_search_finds_it_in_the_lake_of_the_other_source(home):
    erasure.forget(home, [GONE], now=NOW)
    (home.of("x_api_v2").root / "notes.txt").write_text(str(GONE))
    assert search(home, ERASED).holding == ("x_api_v2/notes.txt",)


def test_each_answer_of_x_api_v2_is_rewritten_so_that_it_passes_its_audit(home):
    erasure.forget(home, [GONE], now=NOW)
    (pull,) = raw.all_pulls(home.of("x_api_v2"))
    (landed,) = pull.landed()
    assert landed.request.tweet_ids == tuple(STAYS)
    assert {*sources.read(landed.body(), landed.request).rows["tweet_id"].to_pylist()} == {*STAYS}


def test_raw_of_a_backup_brings_it_back_to_neither_and_a_rebuild_leaves_nothing_behind(home, full_life):
    erasure.forget(home, [GONE], now=NOW)
    for lake in home.of_each_source:
        shutil.rmtree(lake.raw)
        shutil.copytree(full_life / lake.raw.relative_to(home.root), lake.raw)
    pipeline.rebuild(chosen(home))
    assert tweets_of_each(home) == [{*STAYS}, {*STAYS}]
    assert [*home.root.rglob("forgotten.json")] == [home.forgotten]


def test_a_source_that_is_asked_for_the_first_time_does_not_bring_it_back(tmp_path):
    home = Lake(tmp_path / "lake")
    home.open()
    erasure.forget(home, [GONE], now=NOW)
    v2_bodies.pulled(home, full(ALL, 20), at(2))
    assert tweets_of_each(home)[1] == {*STAYS}


def test_one_that_was_stopped_between_the_two_goes_on_with_the_other(home, monkeypatch):
    def stopped(lake, *rest):
        if lake is not home:
            raise OSError(errno.ENOSPC, "No space left on device")
        return erase(lake, *rest)

    erase = erasure._erase
    with monkeypatch.context() as patch:
        patch.setattr(erasure, "_erase", stopped)
        with pytest.raises(LakeError, match="the Tweets are not gone from all files yet"):
            erasure.forget(home, [GONE], now=NOW)
    assert [GONE in tweets for tweets in tweets_of_each(home)] == [False, True]
    pipeline.publish_landed(chosen(home))
    assert search(home, ERASED).holding == ()


def test_a_publication_of_the_other_source_is_waited_for(home, monkeypatch):
    held = []
    monkeypatch.setattr(erasure, "_erase", lambda *_: held.extend(lake.storage.busy("lake") for lake in lakes))
    lakes = home.of_each_source
    erasure.forget(home, [GONE], now=NOW)
    assert held == [True] * 4
    assert not any(lake.storage.busy(PULL_LOCK) for lake in lakes)


@pytest.fixture
def unavailable(home):
    """GONE is unavailable to X API v2 since the fourth hour, and the Engagement API was last asked in the first."""
    said = [{"type": "https://api.x.com/2/problems/resource-not-found", "resource_id": str(GONE)}]
    v2_bodies.pulled(home, full(STAYS, 1, window=LATER), at(4), tweets=ALL, window=LATER, errors=said)
    return home


@pytest.mark.parametrize(("after", "due"), [(timedelta(days=3, seconds=-1), []), (timedelta(days=3), [GONE])])
def test_one_that_is_unavailable_to_either_source_is_due(unavailable, after, due):
    assert erasure_due.due(unavailable, days=3, now=at(4) + after) == due


def test_one_that_the_other_source_has_served_since_is_not(unavailable):
    pulled(unavailable, full([GONE], 1), at(5))
    publish_pulls(unavailable)
    assert erasure_due.due(unavailable, days=1, now=at(5) + timedelta(days=99)) == []


def test_a_publication_forgets_what_is_due_in_both(unavailable):
    publishing = {"ENGAGEMENT_FORGET_DELETED_DAYS": "3", "ENGAGEMENT_NOW": (at(5) + timedelta(days=3)).isoformat()}
    environment = {"ENGAGEMENT_CONFIG": os.devnull, "ENGAGEMENT_DATA": str(unavailable.root)}
    pipeline.publish_landed(settings.load(environment | publishing))
    assert tweets_of_each(unavailable) == [{*STAYS}, {*STAYS}]


def test_a_removal_that_was_stopped_is_found_once_for_both(home):
    forgotten.save(home, forgotten.load(home).begun([GONE]))
    found = [finding for finding in pipeline.examine(chosen(home), quick=True).findings if finding.kind == "forgotten"]
    assert [finding.path for finding in found] == [home.forgotten]
