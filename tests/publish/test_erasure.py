"""Forgotten Tweets are gone from every file of a lake, and nothing brings them back."""

import errno
import json
import os
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

import hypothesis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bodies import TYPES, WINDOW, at, begin, body, full, land, pulled
from disk import full_store
from forgetting import ALL, GONE, LAST, NEVER, NOW, STAYS, lived
from hypothesis import given
from hypothesis import strategies as st
from tables import check_daily, contents, counts, rebuilt

from engagement_pipeline import pipeline, sources
from engagement_pipeline.core import settings
from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.erased import Erased
from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.core.model import Exchange, Request, Response
from engagement_pipeline.core.shape import KEY, News
from engagement_pipeline.lake import forgotten, raw, request_log, shapes
from engagement_pipeline.lake.landed_file import landed_at, unpacked
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.lake.raw import Pull
from engagement_pipeline.lake.storage import LocalStorage
from engagement_pipeline.publish import erasure, erasure_tables
from engagement_pipeline.publish.erasure_search import search
from engagement_pipeline.publish.publisher import publish_pulls


@pytest.fixture(scope="module")
def full_life(tmp_path_factory):
    return lived(Lake(tmp_path_factory.mktemp("life") / "lake")).root


@pytest.fixture
def lake(tmp_path, full_life):
    return Lake(shutil.copytree(full_life, tmp_path / "lake"))


def forget(lake, *tweets, now=NOW):
    return erasure.forget(lake, tweets or (GONE,), now=now)


def publish(lake):
    pipeline.publish_landed(settings.load({"ENGAGEMENT_CONFIG": os.devnull, "ENGAGEMENT_DATA": str(lake.root)}))


def rows_without(lake, tweet):
    return {view: [row for row in rows if tweet not in row] for view, rows in contents(lake).items()}


def answers(lake):
    return [landed for pull in raw.all_pulls(lake) for landed in pull.landed() if not landed.refusal]


def test_no_table_and_no_file_holds_a_forgotten_tweet(lake):
    assert search(lake, Erased(frozenset({GONE}))).holding
    forget(lake)
    searched = search(lake, Erased(frozenset({GONE})))
    assert searched.holding == ()
    assert searched.files == sum(path.is_file() for path in lake.root.rglob("*"))


def test_the_rows_of_all_other_tweets_stay_as_they_are(lake):
    expected = rows_without(lake, GONE)
    forget(lake)
    got = contents(lake)
    for view, rows in expected.items():
        if view != "coverage":  # which names the responses, and some have other names now
            assert got[view] == rows, view
    assert [row[:8] for row in got["coverage"]] == [row[:8] for row in expected["coverage"]]
    check_daily(lake)


def test_each_answer_is_rewritten_so_that_it_passes_its_audit_and_says_so(lake):
    forget(lake)
    found = answers(lake)
    assert found
    for landed in found:
        assert GONE not in landed.request.tweet_ids
        sources.read(landed.body(), landed.request)
        header, _ = unpacked(lake.storage, landed.path)
        assert header["rewritten"] == {"at": NOW.isoformat(), "left_out": 1}


def test_coverage_names_the_response_by_the_name_that_it_has_now(lake):
    forget(lake)
    named = {row for rows in contents(lake)["coverage"] for row in rows if str(row).startswith("raw/")}
    assert named
    assert all((lake.root / name).exists() for name in named)


def test_a_rebuild_changes_nothing_after_it(lake):
    forget(lake)
    before = contents(lake)
    rebuilt(lake)
    assert contents(lake) == before


def test_raw_of_a_backup_does_not_bring_it_back(lake, full_life):
    forget(lake)
    before = counts(lake)
    shutil.rmtree(lake.raw)
    shutil.copytree(full_life / "raw", lake.raw)
    for pull in raw.all_pulls(lake):
        pull.marked(published=False)
    publish_pulls(lake)
    rebuilt(lake)
    assert counts(lake) == before


def test_a_pull_that_is_resumed_publishes_the_rest_of_it(lake):
    pull = begin(lake, at(5))
    land(pull, full(ALL, 50))
    forget(lake)
    land(pull, full([NEVER], 51), asked_at=at(6))
    pull.marked(finished=True)
    publish_pulls(lake)
    assert {tweet for tweet, *_ in counts(lake)} == {*STAYS, NEVER}


def test_a_staged_response_is_rewritten_too(lake):
    pull = begin(lake, at(5))
    request = Request(endpoint=HISTORICAL, handle="ann", tweet_ids=(GONE, LAST), types=TYPES, window=WINDOW)
    pull.land(request, Response(body=body(full([GONE, LAST], 1)), asked_at=at(5)))
    forget(lake)
    (landed,) = pull.unsettled()
    assert landed.request.tweet_ids == (LAST,)
    assert len(sources.read(landed.body(), landed.request).rows) == 8


def test_a_rejected_body_that_is_no_json_goes_and_its_header_stays(lake):
    pull = begin(lake, at(5))
    request = Request(endpoint=HISTORICAL, handle="ann", tweet_ids=(GONE, LAST), types=TYPES, window=WINDOW)
    pull.reject(pull.land(request, Response(body=f"<html>{GONE}".encode(), asked_at=at(5))))
    forget(lake)
    (path,) = (pull.path / "rejected").iterdir()
    assert landed_at(lake.storage, path).request.tweet_ids == (LAST,)
    assert unpacked(lake.storage, path)[1] == b""


def test_a_line_of_the_log_stays_for_the_bill_and_does_not_name_it(lake):
    request = Request(endpoint=HISTORICAL, handle="ann", tweet_ids=(GONE, LAST), types=TYPES, window=WINDOW)
    request_log.write(lake, Exchange(request=request, asked_at=at(1), status=200, tries=1, size=9, seconds=1.0))
    forget(lake)
    (path,) = (lake.root / "requests").iterdir()
    (line,) = map(json.loads, path.read_text().splitlines())
    assert line["tweet_ids"] == [str(LAST)]
    assert request_log.used([lake], at(1)).requests == 1


def test_a_refusal_in_the_log_does_not_name_it_either(lake):
    request = Request(endpoint=HISTORICAL, handle="ann", tweet_ids=(GONE, LAST), types=TYPES, window=WINDOW)
    error = f"403 (Forbidden to access tweets: {GONE}; {LAST})"
    exchange = Exchange(request=request, asked_at=at(1), status=403, tries=1, size=9, seconds=1.0, error=error)
    request_log.write(lake, exchange)
    forget(lake)
    (path,) = (lake.root / "requests").iterdir()
    assert json.loads(path.read_text())["error"] == f"403 (Forbidden to access tweets: [forgotten]; {LAST})"
    assert search(lake, Erased(frozenset({GONE}))).holding == ()


@pytest.mark.parametrize(
    ("asked", "example", "left"),
    [((GONE, LAST), "its words", None), ((LAST,), f"of {GONE}", None), ((LAST,), "of others", "of others")],
)
def test_an_example_of_what_was_new_goes_with_the_tweets_that_it_may_tell_of(lake, asked, example, left):
    request = Request(endpoint=HISTORICAL, handle="ann", tweet_ids=asked, types=TYPES, window=WINDOW)
    news = News(KEY, "$", "reach", example)
    shapes.learn(lake.storage, [news], request, asked_at=at(1), pull="raw/x", kept=True)
    forget(lake)
    (seen,) = shapes.load(lake.storage)
    assert (seen.example, seen.tweet_ids) == (left, (LAST,))
    assert seen.meaning == "/historical now sends key `reach` in $; it is kept in raw and not stored"
    assert search(lake, Erased(frozenset({GONE}))).holding == ()


def test_text_of_other_tweets_that_names_it_is_masked(lake):
    pull = begin(lake, at(5))
    land(pull, {}, tweets=[LAST], refusal=f"403: Forbidden to access tweets: {GONE},{LAST}", asked_at=at(5))
    pull.marked(finished=True)
    publish_pulls(lake)
    forget(lake)
    texts = {row for rows in contents(lake)["coverage"] for row in rows if str(row).startswith("403")}
    assert texts == {f"403: Forbidden to access tweets: [forgotten],{LAST}"}


def test_columns_of_the_roster_that_name_it_are_masked_and_all_others_stay(lake):
    columns = {
        "tweet_id": [GONE, LAST],
        "handle": ["ann", "ann"],
        "reply_to": [None, GONE],
        "url": [None, f"https://x.com/ann/status/{GONE}"],
        "links": [[], [str(GONE), str(LAST)]],
        "likes": [1.5, float("nan")],
        "posted_at": [at(1), at(2)],
        "followed": [True, True],
    }
    pq.write_table(pa.table(columns), lake.tweets)
    forget(lake)
    (row,) = pq.read_table(lake.tweets).to_pylist()
    assert (row["tweet_id"], row["reply_to"], row["links"]) == (LAST, None, [str(LAST)])
    assert row["url"] == "https://x.com/ann/status/[forgotten]"
    assert row["posted_at"] == at(2)
    assert search(lake, Erased(frozenset({GONE}))).holding == ()


@pytest.mark.parametrize("go_on", [rebuilt, publish])
def test_a_removal_that_was_stopped_goes_on_with_what_comes_next(lake, go_on):
    forgotten.save(lake, forgotten.load(lake).begun([GONE]))
    go_on(lake)
    assert forgotten.load(lake).going == frozenset()
    assert search(lake, Erased(frozenset({GONE}))).holding == ()


def test_a_tweet_with_a_short_id_goes_and_counts_and_hours_like_it_stay(tmp_path):
    lake = Lake(tmp_path / "lake")
    pulled(lake, full([20, 30], 20, hours=(0, 20)), at(1))
    publish_pulls(lake)
    forget(lake, 20)
    assert counts(lake) == full([30], 20, hours=(0, 20))
    (landed,) = answers(lake)
    assert landed.request.tweet_ids == (30,)
    sources.read(landed.body(), landed.request)


def test_what_the_lake_holds_is_counted_and_nothing_is_changed(lake):
    before = {path: path.read_bytes() for path in lake.root.rglob("*") if path.is_file()}
    held = erasure.found(lake, {GONE})
    assert held["engagements"] == sum(tweet == GONE for tweet, *_ in counts(lake))
    assert held["totals"] == 1
    assert held["responses"] == 8
    assert {path: path.read_bytes() for path in lake.root.rglob("*") if path.is_file()} == before


def test_the_receipt_names_each_file_and_what_it_holds_now(lake):
    receipt = forget(lake)
    assert receipt.at == NOW
    assert receipt.unread == ()
    for change in receipt.changes:
        assert (lake.root / change.path).exists() == bool(change.after)
        assert change.before != change.after
    assert receipt.tweets == (forgotten.load(lake).hash_of(GONE),)


def test_of_a_table_of_counts_row_groups_of_other_tweets_are_not_read(lake, monkeypatch):
    for _, path in erasure_tables.files(lake):
        if path.parts[-3] == "engagements":
            monkeypatch.setattr(erasure_tables, "_without", None)
            assert erasure_tables.held(lake, path, Erased(frozenset({LAST + 9})), moved={}) == (0, False)


def test_a_file_that_nobody_can_read_is_told(lake):
    lake.set_aside.write_bytes(b"damaged")
    receipt = forget(lake)
    assert ["set_aside.parquet" in problem for problem in receipt.unread] == [True]


def test_a_full_disk_stops_it_and_the_next_one_goes_on(lake, monkeypatch):
    def full_disk(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(erasure_tables.pq.ParquetWriter, "write_table", full_disk)
        with pytest.raises(LakeError, match="cannot be used: No space left on device; the Tweets are not gone from"):
            forget(lake)
    assert forgotten.load(lake).going == {GONE}
    erasure.resume(lake, now=NOW)
    assert search(lake, Erased(frozenset({GONE}))).holding == ()


def test_a_second_time_changes_nothing_and_keeps_the_first_moment(lake):
    forget(lake)
    receipt = forget(lake, now=NOW + timedelta(days=1))
    assert receipt.changes == ()
    assert [*forgotten.load(lake).tweets.values()] == [NOW.isoformat()]


def test_a_lake_that_forgot_equals_one_that_never_had_the_tweet(lake, tmp_path):
    forget(lake)
    never = lived(Lake(tmp_path / "never"), gone=())
    for view in ("engagements", "daily", "totals", "recent", "revisions"):
        assert contents(lake, view) == contents(never, view), view


PULLS = st.lists(
    st.tuples(
        st.sets(st.sampled_from([*ALL, NEVER]), min_size=1), st.integers(1, 9), st.sampled_from([(0, 23), (0, 5)])
    ),
    min_size=1,
    max_size=3,
)


@hypothesis.settings(max_examples=3)
@given(pulls=PULLS, gone=st.sets(st.sampled_from([*ALL, NEVER]), min_size=1))
def test_whatever_was_pulled_a_lake_that_forgot_equals_one_that_never_had_them_and_stays_so(pulls, gone):
    with tempfile.TemporaryDirectory() as folder:
        had, never = Lake(Path(folder) / "had"), Lake(Path(folder) / "never")
        never.open()
        for hour, (tweets, count, hours) in enumerate(pulls):
            for lake, asked in ((had, tweets), (never, tweets - gone)):
                if asked:
                    pulled(lake, full(asked, count, hours=hours), at(hour))
                    publish_pulls(lake)
        forget(had, *gone)
        assert without_sources(had) == without_sources(never)
        rebuilt(had)
        assert without_sources(had) == without_sources(never)


def without_sources(lake):
    """Return what the tables hold, but for the names of responses."""
    return {
        view: [tuple(v for v in row if "raw/" not in str(v)) for row in rows] for view, rows in contents(lake).items()
    }


def test_responses_that_are_left_pass_what_pulls_look_at(lake):
    forget(lake)
    assert all(isinstance(pull, Pull) for pull in raw.all_pulls(lake))
    assert not [path for path in lake.raw.rglob("*") if str(GONE) in path.name]


def test_a_removal_that_a_store_stops_goes_on_when_it_is_run_again_and_says_so(lake, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "swap", full_store)
        with pytest.raises(LakeError, match=r"none comes back\. Once that is done, run again: that goes on$") as caught:
            forget(lake)
    assert str(caught.value).lower().count("make room") == 1
    forget(lake)
    assert search(lake, Erased(frozenset({GONE}))).holding == ()
