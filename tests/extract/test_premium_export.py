"""Premium's export: which Posts of whom it holds, and what is refused."""

from datetime import UTC, datetime

import pytest
from rosters import BIG

from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.posts import Post
from engagement_pipeline.extract import premium_export

HEADER = "Post id,Date,Post text,Post Link,Impressions,Likes"
ROW = f'{BIG},"Thu, Feb 13, 2025","Two lines,\nas one",https://x.com/Ann/status/{BIG},551,4'


@pytest.fixture
def posts(tmp_path):
    """Return a function that writes an export of these lines, and reads it."""

    def read(*lines, header=HEADER):
        path = tmp_path / "export.csv"
        path.write_bytes("\r\n".join([header, *lines]).encode())
        return premium_export.posts(path)

    return read


def test_a_post_has_its_text_and_the_moment_of_its_id(posts):
    moment = datetime(2025, 2, 13, 11, 28, 9, 158_000, tzinfo=UTC)
    assert posts(ROW) == {"ann": [Post(tweet_id=BIG, created_at=moment, text="Two lines,\nas one")]}


def test_an_id_that_a_spreadsheet_has_rounded_is_read_from_the_link(posts):
    assert posts(ROW.replace(str(BIG), "1.89E+18", 1))["ann"][0].tweet_id == BIG


def test_a_byte_order_mark_blank_lines_and_other_cases_do_no_harm(posts):
    assert len(posts("", ROW, ",,,,,", header=f"\ufeff{HEADER.upper()}")["ann"]) == 1


def test_posts_are_told_apart_by_handle_and_reposts_are_left_out(posts):
    others = "5,x,theirs,https://twitter.com/others/status/5,1,1"
    repost = "6,x,RT @others: theirs,https://x.com/ann/status/6,1,1"
    assert {handle: len(found) for handle, found in posts(ROW, others, repost).items()} == {"ann": 1, "others": 1}


@pytest.mark.parametrize(
    "link", ["", "https://x.com/ann", "https://example.com/ann/status/1", "https://x.com/a/status/0"]
)
def test_a_row_without_a_link_to_a_post_names_its_line(posts, link):
    with pytest.raises(InputError, match=r"export\.csv:4 has in the column Post Link .* leads to no Post"):
        posts(ROW, f"1,x,text,{link},1,1")


def test_another_export_is_refused(posts):
    with pytest.raises(InputError, match="has no column Post Link"):
        posts("2026-01-01,5", header="Date,Impressions")


def test_a_quote_that_is_never_closed_is_refused(posts):
    with pytest.raises(InputError, match=r"export\.csv:2 cannot be read"):
        posts('1,x,"text')


def test_a_file_of_another_encoding_is_refused(tmp_path):
    path = tmp_path / "export.csv"
    path.write_bytes(HEADER.encode("utf-16"))
    with pytest.raises(InputError, match="is not UTF-8 text"):
        premium_export.posts(path)
