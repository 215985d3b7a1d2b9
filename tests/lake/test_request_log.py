"""The log of requests: a line each, whole whoever writes beside, and readable after a line was torn."""

import json
import threading
from dataclasses import asdict
from datetime import UTC, date, datetime

import pytest
from disk import small_files

from engagement_pipeline.core.endpoints import ANALYTICS, HISTORICAL, TOTALS
from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.core.model import Exchange, Request, Window
from engagement_pipeline.core.redaction import register
from engagement_pipeline.core.spend import Limits
from engagement_pipeline.lake import request_log
from engagement_pipeline.lake.layout import Lake

BIG = 1890000000000000001  # no float holds it
NOW = datetime(2026, 1, 31, 23, 59, 59, 123456, tzinfo=UTC)
WINDOW = Window(date(2026, 1, 1), date(2026, 1, 28))


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path / "lake")
    lake.open()
    return lake


def write(lake, *, handle="ann", status=200, asked_at=NOW, tweet_ids=(BIG, 2), window=WINDOW):
    endpoint = HISTORICAL if window else TOTALS
    request = Request(endpoint=endpoint, handle=handle, tweet_ids=tweet_ids, types=("favorites",), window=window)
    exchange = Exchange(request=request, asked_at=asked_at, status=status, tries=2, size=99, seconds=0.12345)
    request_log.write(lake, exchange)


def handles(lake, day=date(2026, 1, 31)):
    return request_log.used([lake], day).handles


def lines(lake, month="2026-01"):
    return (lake.requests / f"{month}.jsonl").read_bytes().splitlines()


def test_a_line_holds_what_was_asked_and_what_it_cost(lake):
    write(lake)
    [line] = lines(lake)
    assert json.loads(line) == {
        "asked_at": "2026-01-31T23:59:59.123456+00:00",
        "endpoint": "historical",
        "handle": "ann",
        "tweet_ids": [str(BIG), "2"],
        "first_day": "2026-01-01",
        "last_day": "2026-01-28",
        "status": 200,
        "tries": 2,
        "bytes": 99,
        "seconds": 0.123,
        "error": None,
        "posts": 0,
        "requests_per_month": None,
        "handles_per_month": None,
        "posts_per_month": None,
        "price_per_read": None,
    }


def test_what_there_was_not_is_null(lake):
    """No handle of the bearer token, no days of /totals, no status where no answer came."""
    write(lake, handle="", status=0, window=None)
    line = json.loads(lines(lake)[0])
    lacking = {name for name, value in line.items() if value is None} - {"error", *asdict(Limits())}
    assert lacking == {"handle", "first_day", "last_day", "status"}
    assert line["endpoint"] == "totals"


def test_a_line_tells_what_went_wrong_and_what_the_contract_allowed_without_a_secret(lake):
    register("consumer-secret-of-ann")
    request = Request(endpoint=TOTALS, handle="ann", tweet_ids=(2,), types=("favorites",), window=None)
    said = "the API refused ann (401): consumer-secret-of-ann is no token"
    failed = Exchange(request=request, asked_at=NOW, status=401, tries=1, size=9, seconds=1, error=said)
    request_log.write(lake, failed, limits=Limits(handles_per_month=50, price_per_read=0.005))
    line = json.loads(lines(lake)[0])
    assert line["error"] == "the API refused ann (401): … is no token"
    assert (line["requests_per_month"], line["handles_per_month"], line["price_per_read"]) == (None, 50, 0.005)


def test_a_request_is_in_the_file_of_its_utc_month(lake):
    write(lake)
    write(lake, asked_at=datetime(2026, 2, 1, tzinfo=UTC))
    assert sorted(path.name for path in lake.requests.iterdir()) == ["2026-01.jsonl", "2026-02.jsonl"]
    assert len(lines(lake)) == len(lines(lake, "2026-02")) == 1


@pytest.mark.parametrize(
    ("status", "counts"), [(200, True), (400, True), (403, True), (0, False), (401, False), (429, False), (503, False)]
)
def test_a_handle_was_queried_where_the_api_looked_at_its_tweets(lake, status, counts):
    write(lake, status=status)
    assert handles(lake) == ({"ann"} if counts else set())


def test_handles_are_those_of_the_month_of_the_day(lake):
    write(lake, handle="ann")
    write(lake, handle="ann")
    write(lake, handle="bob", asked_at=datetime(2026, 2, 1, tzinfo=UTC))
    write(lake, handle="", window=None)
    assert handles(lake, date(2026, 1, 1)) == {"ann"}
    assert handles(lake, date(2026, 2, 28)) == {"bob"}
    assert handles(lake, date(2025, 1, 31)) == frozenset()


def test_a_log_that_was_never_written_names_no_handle(tmp_path):
    assert handles(Lake(tmp_path / "nothing")) == frozenset()


@pytest.mark.parametrize("torn", [b'{"asked_at": "2026-01', b'{"handle":"eve","status":200', b"\0\0\0"])
def test_a_torn_line_costs_itself_alone(lake, torn):
    """What is written after it is on a line of its own."""
    write(lake, handle="ann")
    with (lake.requests / "2026-01.jsonl").open("ab") as log:
        log.write(torn)
    write(lake, handle="bob")
    write(lake, handle="cy")
    assert len(lines(lake)) == 4
    assert handles(lake) == {"ann", "bob", "cy"}


@pytest.mark.parametrize("odd", [b"null", b"[1]", b"5", b'{"handle": ["eve"], "status": 200}'])
def test_a_line_of_another_kind_names_no_handle(lake, odd):
    write(lake, handle="ann")
    with (lake.requests / "2026-01.jsonl").open("ab") as log:
        log.write(odd + b"\n")
    assert handles(lake) == {"ann"}


def test_lines_of_many_threads_are_whole(lake):
    def many(number):
        for _ in range(50):
            write(lake, handle=f"h{number}", tweet_ids=tuple(range(BIG, BIG + 250)))

    threads = [threading.Thread(target=many, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [json.loads(line) for line in lines(lake)]
    assert len(found) == 400
    assert {len(line["tweet_ids"]) for line in found} == {250}


@pytest.mark.parametrize("room", [0, 1, 100])
def test_a_full_disk_is_an_error_even_where_half_a_line_fits(lake, room):
    write(lake, handle="ann")
    size = (lake.requests / "2026-01.jsonl").stat().st_size
    with (
        small_files(size + room),
        pytest.raises(LakeError, match=r"2026-01\.jsonl cannot be written: (File too large|No space)") as caught,
    ):
        write(lake, handle="bob")
    assert "\n" not in str(caught.value)
    write(lake, handle="cy")
    assert handles(lake) == {"ann", "cy"}


def test_a_folder_that_is_none_is_named(lake):
    lake.requests.write_text("a file")
    with pytest.raises(LakeError, match=rf"{lake.requests}/2026-01\.jsonl cannot be written: "):
        write(lake)


def test_the_requests_of_a_month_are_counted_with_those_that_were_answered(lake):
    for status in (200, 403, 503, 0):
        write(lake, handle=f"ann{status}", status=status)
    write(lake, handle="", status=200)
    lake.storage.append_line(lake.requests / "2026-01.jsonl", b'{"torn')
    used = request_log.used([lake], NOW.date())
    assert (used.requests, used.answered, used.handles) == (10, 3, {"ann200", "ann403"})  # each was tried twice


def test_the_requests_that_were_answered_are_read_back(lake):
    """Those of another endpoint, of other statuses or of before are not of interest, nor is a line that is torn."""
    write(lake, asked_at=NOW.replace(day=1))
    write(lake, status=503)
    write(lake, window=None)
    write(lake)
    (lake.requests / "2026-02.jsonl").write_bytes(b'{"asked_at": "2026-02-01T00:00:00+00:00", "endpoint": "histor')
    [(asked_at, request)] = request_log.answers(lake, HISTORICAL, since=NOW)
    assert (asked_at, request.tweet_ids, request.window) == (NOW, (BIG, 2), WINDOW)


def read(lake, endpoint, *posts, asked_at=NOW, named=True):
    """Log a request that read Posts: it named them, or they came on a page."""
    request = Request(endpoint=endpoint, handle="ann", tweet_ids=posts if named else (), types=(), window=None)
    request_log.write(
        lake, Exchange(request=request, asked_at=asked_at, status=200, tries=1, size=9, seconds=1, posts=posts)
    )


def test_a_post_is_read_once_a_utc_day_whatever_read_it(lake):
    second = Lake(lake.root / "second")
    second.open()
    read(lake, ANALYTICS, 1, 2)
    read(second, ANALYTICS, 2, 3, named=False)
    read(lake, ANALYTICS, 2, asked_at=NOW.replace(day=30))
    used = request_log.used([lake, second], NOW.date())
    assert used.posts == {NOW.date(): {1, 2, 3}, date(2026, 1, 30): {2}}
    assert used.posts_read == 4


def test_posts_that_the_log_names_no_more_still_count(lake):
    read(lake, ANALYTICS, 1, 2)
    path = lake.requests / "2026-01.jsonl"
    path.write_bytes(path.read_bytes().replace(b'["1","2"]', b'["2"]'))
    assert request_log.used([lake], NOW.date()).posts_read == 2


def test_the_contract_of_the_engagement_api_alone_counts_handles(lake):
    read(lake, ANALYTICS, 1)
    assert handles(lake) == frozenset()
