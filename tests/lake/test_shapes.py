"""What was seen of an API that is not documented: each once, whoever writes beside."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pytest

from engagement_pipeline.core.endpoints import HISTORICAL, TOTALS
from engagement_pipeline.core.model import Request, Window
from engagement_pipeline.core.shape import KEY, TEXT, News
from engagement_pipeline.lake import shapes
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.lake.shapes import MOST_AT_A_PLACE

BIG = 1890000000000000001  # no float holds it
NOW, LATER = datetime(2026, 1, 31, 5, tzinfo=UTC), datetime(2026, 2, 1, 5, tzinfo=UTC)
NEWS = News(KEY, "$", "bookmarks", "5")


@pytest.fixture
def storage(tmp_path):
    lake = Lake(tmp_path / "lake")
    lake.open()
    return lake.storage


def learn(storage, *news, endpoint=HISTORICAL, asked_at=NOW, kept=True):
    window = Window(date(2026, 1, 1), date(2026, 1, 1)) if endpoint.max_days else None
    request = Request(endpoint=endpoint, handle="ann", tweet_ids=(BIG, 2), types=(), window=window)
    shapes.learn(storage, news, request, asked_at=asked_at, pull="raw/x", kept=kept)


def test_a_row_says_what_is_new_where_and_in_the_answer_to_what(storage):
    learn(storage, NEWS)
    (seen,) = shapes.load(storage)
    assert seen == shapes.Seen(
        first_seen=NOW,
        endpoint="historical",
        kind="key",
        place="$",
        name="bookmarks",
        meaning="/historical now sends key `bookmarks` in $; it is kept in raw and not stored",
        pull="raw/x",
        handle="ann",
        tweet_ids=(BIG, 2),
        example="5",
        told_at=None,
    )


def test_what_is_not_kept_in_raw_is_not_said_to_be(storage):
    learn(storage, NEWS, kept=False)
    assert shapes.load(storage)[0].meaning == "/historical now sends key `bookmarks` in $; nothing reads it"


def test_the_first_time_and_the_first_example_stay(storage):
    learn(storage, NEWS)
    learn(storage, News(KEY, "$", "bookmarks", "6"), asked_at=LATER)
    (seen,) = shapes.load(storage)
    assert (seen.first_seen, seen.example) == (NOW, "5")


def test_the_same_key_of_another_endpoint_is_another_piece_of_news(storage):
    learn(storage, NEWS)
    learn(storage, NEWS, endpoint=TOTALS)
    assert [seen.endpoint for seen in shapes.load(storage)] == ["historical", "totals"]


def test_what_was_told_is_told_no_more_and_what_came_meanwhile_is(storage):
    learn(storage, NEWS)
    untold = shapes.untold(storage)
    learn(storage, News(KEY, "$", "shares", "5"))
    shapes.tell(storage, untold, at=LATER)
    assert [seen.name for seen in shapes.untold(storage)] == ["shares"]
    assert [seen.told_at for seen in shapes.load(storage)] == [LATER, None]


def test_many_who_hear_the_same_at_once_write_it_once(storage):
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda _: learn(storage, NEWS, News(KEY, "$", "shares", "1")), range(32)):
            pass
    assert [seen.name for seen in shapes.load(storage)] == ["bookmarks", "shares"]


def test_a_place_with_ever_new_names_gets_one_row_for_the_rest(storage):
    names = [f"{chr(97 + number // 26)}{chr(97 + number % 26)}" for number in range(MOST_AT_A_PLACE + 9)]
    for name in names:
        learn(storage, News(TEXT, "$.errors[]", name, name))
    learn(storage, NEWS)
    found = shapes.load(storage)
    assert [seen.name for seen in found] == [*names[:MOST_AT_A_PLACE], "*", "bookmarks"]
    assert found[-2].meaning == "/historical now sends more of the kind error text in $.errors[] than are listed here"


@pytest.mark.parametrize("line", [b"{", b"[]", b"{}", b'{"first_seen": 5}'])
def test_a_damaged_line_is_left_out_and_what_it_told_is_news_again(storage, line):
    learn(storage, NEWS)
    (storage.root / "shapes.jsonl").write_bytes(line + b"\n")
    assert shapes.load(storage) == []
    learn(storage, NEWS)
    assert [seen.name for seen in shapes.load(storage)] == ["bookmarks"]
