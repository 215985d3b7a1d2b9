"""What is new in an answer is written down before the answer counts, and only where its words matter."""

import json

import pytest
from bodies import NEVER_STALE, at, full, land, nothing
from bodies import WINDOW as OF_BODIES

from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.model import Answer, Request
from engagement_pipeline.extract import drift, landed_before
from engagement_pipeline.lake import raw, shapes
from engagement_pipeline.lake.layout import Lake

REQUEST = Request(endpoint=HISTORICAL, handle="ann", tweet_ids=(1,), types=("impressions",), window=OF_BODIES)
NEW_WORDS = json.dumps({"errors": ["Tweet 1 is archived"]}).encode()


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path / "lake")
    lake.open()
    return lake


@pytest.fixture
def pull(lake):
    return raw.begin(lake, nothing(OF_BODIES), now=at(1), resume=NEVER_STALE)


def names(lake):
    return [seen.name for seen in shapes.load(lake.storage)]


def looked_at(lake, status, body=NEW_WORDS, headers=()):
    answer = Answer(url="https://x", status=status, headers=dict(headers), body=body, size=len(body))
    drift.look(lake.storage, REQUEST, answer, at(1))
    return names(lake)


def test_what_a_killed_pull_has_landed_and_not_told_is_told_when_it_is_settled(lake, pull):
    land_unsettled(pull, bookmarks=5)
    landed_before.settle(pull)
    (seen,) = shapes.load(lake.storage)
    assert (seen.name, seen.first_seen, seen.pull) == ("bookmarks", at(1, 5), pull.name)


def test_a_kill_before_the_answer_counts_tells_nothing_twice(lake, pull, monkeypatch):
    land_unsettled(pull, bookmarks=5)
    with monkeypatch.context() as patched:
        patched.setattr(raw.Pull, "accept", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            landed_before.settle(pull)
    landed_before.settle(pull)
    assert names(lake) == ["bookmarks"]


def test_what_is_new_in_an_answer_that_fails_the_audit_is_told_too(lake, pull):
    land_unsettled(pull, by_type={"bookmarks": "5"})
    landed_before.settle(pull)
    assert names(lake) == ["bookmarks"]


def land_unsettled(pull, **root):
    """Land a response as a pull does that is killed at once."""
    path = land(pull, full([1], 2), asked_at=at(1, 5), **root)
    path.rename(path.with_name(path.name + ".new"))


@pytest.mark.parametrize("status", [400, 401, 403])
def test_new_words_of_a_refusal_are_told(lake, status):
    assert looked_at(lake, status) == ["Tweet N is archived"]


@pytest.mark.parametrize("status", [404, 405, 429, 500, 503])
def test_the_words_of_a_status_that_says_all_are_not(lake, status):
    assert looked_at(lake, status) == []


def test_a_200_is_left_to_who_reads_its_counts_but_for_its_headers(lake):
    assert looked_at(lake, 200, headers={"x-rate-limit-burst": "12", "via": "1.1 x"}) == ["x-rate-limit-burst"]


def test_a_second_answer_with_the_same_news_changes_no_file(lake):
    looked_at(lake, 403)
    before = (lake.root / "shapes.jsonl").stat().st_mtime_ns
    looked_at(lake, 403)
    assert (lake.root / "shapes.jsonl").stat().st_mtime_ns == before
