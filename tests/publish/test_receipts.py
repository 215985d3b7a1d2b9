"""The receipt of a removal: a file of its own each time, with the hashes of all, and the name of no Tweet."""

import json

import pytest
from bodies import at, full, pulled
from forgetting import GONE, NOW, STAYS

from engagement_pipeline.core.erased import Erased
from engagement_pipeline.lake import forgotten
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish import erasure, receipts
from engagement_pipeline.publish.erasure_search import Searched, search
from engagement_pipeline.publish.publisher import publish_pulls

ERASED = Erased(frozenset({GONE}))


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path / "lake")
    pulled(lake, full([GONE, *STAYS], 1), at(1))
    publish_pulls(lake)
    return lake


def read(receipt):
    return json.loads(receipt.path.read_text())


def test_it_has_the_hashes_of_the_tweet_and_of_each_file(lake):
    receipt = erasure.forget(lake, [GONE], now=NOW)
    told = read(receipt)
    assert told["tweets"] == [forgotten.load(lake).hash_of(GONE)]
    assert [change["path"] for change in told["changes"]] == [change.path for change in receipt.changes]
    assert all(len(change["before"]) == 64 for change in told["changes"])
    assert (told["at"], told["searched"]) == (NOW.isoformat(), None)


def test_each_removal_has_its_own_at_whatever_time(lake):
    first = erasure.forget(lake, [GONE], now=NOW)
    second = erasure.forget(lake, [STAYS[0]], now=NOW)
    assert sorted(lake.receipts.iterdir()) == [first.path, second.path]
    assert read(first)["tweets"] != read(second)["tweets"]


def test_where_there_is_no_tweet_to_remove_there_is_none(lake):
    assert not erasure.forget(lake, [], now=NOW).path.exists()


def test_it_names_no_tweet_though_a_file_does_that_nobody_could_read(lake):
    receipt = erasure.forget(lake, [GONE], now=NOW)
    receipts.save(lake, receipt, ERASED, searched=Searched(files=9, holding=(f"notes-{GONE}.txt",)))
    assert read(receipt)["searched"] == {"files": 9, "holding": ["notes-[forgotten].txt"]}
    assert search(lake, ERASED).holding == ()
