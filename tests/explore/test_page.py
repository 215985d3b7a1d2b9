"""The page: whole, quiet, readable without its charts, and safe whatever the lake holds."""

import errno
import json
import os
import re
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from explorers import WHOLE
from pages import Page
from traps import OLD, YOUNG

from engagement_pipeline.explore.page import answer, page
from engagement_pipeline.lake.layout import Lake

HOSTILE = "</script><script>alert(1)</script> \"'&<!-- \x1b[31m\u202eevil"
BOTH = WHOLE | {"metric": ["impressions", "engagements"]}


@pytest.fixture(scope="module")
def text(trapped):
    return page(trapped, BOTH | {"sql": ["select tweet_id from tweets"]})


@pytest.fixture(scope="module")
def read(text):
    return Page(text)


def problem(text):
    """Return the line that a page shows in place of its numbers."""
    (found,) = re.findall(r'id="problem">(.*?)</p>', text)
    return found


def specs(text):
    return [json.loads(found) for found in re.findall(r'class="spec">(.*?)</script>', text)]


def test_the_page_asks_no_other_place_for_anything(read, text):
    assert read.values("src") == ["/explore.js"]
    assert [link["href"] for link in read.all("link")] == ["data:,", "/explore.css"]
    assert not re.search(r"@import|url\(|<iframe|<object|<embed|\bon\w+=", text)
    scripts = read.all("script")
    assert all(each.get("type") == "application/json" or each.get("src") for each in scripts)


def test_each_control_and_each_part_has_a_name(read, text):
    names = read.values("id")
    assert len(names) == len({*names})
    assert {*read.values("aria-labelledby"), *read.values("aria-describedby")} <= {*names}
    assert {each["name"] for each in read.all("input")} == {"handle", "metric", "first", "last", "zone", "tweets"}
    fields = re.findall(r'<(?:input|textarea)(?! type="hidden")', text)
    assert len(fields) - 1 == len(re.findall(r"<label[^>]*>[^<]*<input", text))  # the query has a label of its own
    assert read.all("textarea")[0]["id"] in read.values("for")
    assert next(each["class"] for each in read.all("a")) == "skip"


def test_each_table_has_a_caption_and_heads(text):
    tables = re.findall(r"<table.*?</table>", text, re.DOTALL)
    assert len(tables) == 9
    assert all(table.count("<caption") == table.count("<thead>") == 1 for table in tables)
    assert all('scope="col"' in table for table in tables)


def test_each_chart_is_told_in_words_and_tells_what_is_pointed_at(read, text):
    charts = [each for each in read.all("div") if each.get("class") == "chart"]
    assert {each["role"] for each in charts} == {"img"}
    assert len(charts) == len(specs(text)) == 9
    assert charts[0]["aria-label"].startswith("Impressions by day, 2025-12-01 to 2026-01-29.")
    assert all('"tooltip"' in json.dumps(spec) for spec in specs(text))


def test_the_exact_numbers_stand_in_tables(read, looked):
    found = looked(metric=["impressions", "engagements"])
    for row in found.days:
        counts = " ".join(f"{row[name]:,}" for name in ("impressions", "engagements"))
        assert f"{row['day']} {counts} {'yes' if row['complete'] else 'no'}" in read.words
    for row in found.top:
        assert f"{row['impressions']:,} {row['engagements']:,}" in read.words
    for row in found.hours:
        assert f"{row['per_hour']:,.0f}" in read.words
    for row in found.settled:
        assert f"{row['age']} d {row['days']} {row['count']:,} {row['present']:,} {row['share']:.2%}" in read.words


def test_the_sums_say_first_that_they_are_too_low(read):
    assert (
        "29 of 60 days are not complete, so the sums are too low." in read.words
        or "days are not complete" in read.words
    )
    assert "account refused: 401: Access token not found" in read.words


def test_a_tweet_is_linked_and_can_be_chosen_alone(read):
    links = [link["href"] for link in read.all("a")]
    assert f"https://x.com/ann/status/{OLD}" in links
    (only,) = (link["href"] for link in read.all("a") if link.get("id") == f"only-{OLD}")
    assert only.startswith("/?")
    assert only.endswith(f"zone=UTC&tweets={OLD}")


def test_a_chosen_tweet_can_be_left_out_and_others_added(trapped):
    read = Page(page(trapped, WHOLE | {"tweets": [f"{OLD} {YOUNG}"]}))
    (without,) = (link["href"] for link in read.all("a") if link.get("id") == f"only-{OLD}")
    assert without.endswith(f"tweets={YOUNG}")


def test_an_id_is_text_wherever_a_script_would_round_it(text):
    for spec in specs(text):
        numbers = [n for rows in spec["datasets"].values() for row in rows for n in row.values()]
        assert all(abs(n) < 2**53 for n in numbers if isinstance(n, int))


@pytest.fixture
def copied(trapped, tmp_path):
    """That lake, of one's own."""
    return Lake(shutil.copytree(trapped.root, tmp_path / "lake"))


def test_texts_of_the_lake_are_escaped(copied):
    tweets = pq.read_table(copied.tweets)
    pq.write_table(tweets.append_column("text", pa.array([HOSTILE] * tweets.num_rows)), copied.tweets)
    sql = "select text, 'x<b>' as \"<i>\" from tweets"
    text = page(copied, WHOLE | {"sql": [sql], "handle": ["ann"]})
    assert "<script>alert" not in text
    assert text.count("&lt;script&gt;alert") >= 3
    assert "&lt;i&gt;" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    Page(text)


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ({"zone": ["Mars/Olympus"]}, "there is no time zone &#39;Mars/Olympus&#39;: choose one that is offered"),
        ({"handle": ["<script>"]}, "the lake has no Tweet of &#39;&lt;script&gt;&#39;: choose one that is offered"),
        (
            {"first": ["2026-02-01"]},
            "the first day, 2026-02-01, is after the last, 2026-01-29: choose an earlier first day",
        ),
        ({"tweets": ["17"]}, "the lake has no Tweet 17 of an account of the roster: choose another Tweet"),
    ],
)
def test_what_cannot_be_shown_is_one_line_beside_the_controls(trapped, query, line):
    text = page(trapped, query)
    assert problem(text) == line
    assert not specs(text)
    values = [each.get("value") for each in Page(text).all("input")]
    (given,) = query.values()
    assert given[0] in values or query.keys() == {"handle"}


def test_a_torn_file_is_one_line_and_the_cell_still_answers(copied):
    damaged = next(copied.root.glob("engagements/day=2026-01-05/*.parquet"))
    damaged.write_bytes(damaged.read_bytes()[:99])
    text = page(copied, WHOLE | {"sql": ["select 41 + 1"]})
    assert problem(text).startswith(f"{damaged} ")
    assert ">42</" in text


def test_an_empty_lake_says_what_to_do(lake):
    text = page(Lake(lake), {})
    assert problem(text) == (
        "The lake has no counts yet: put Tweets into the roster, and run engagement pull. Then load this page again."
    )
    Page(text)


def test_without_a_lake_the_page_says_so(tmp_path):
    assert problem(page(Lake(tmp_path / "none"), {})).startswith(f"there is no lake in {tmp_path / 'none'}")


def test_days_without_counts_say_so(trapped):
    text = page(trapped, {"first": ["2026-03-01"], "last": ["2026-03-02"]})
    assert "The lake has no counts of these days: choose others, or pull them." in Page(text).words
    assert "No request has asked for these days." in Page(text).words


def test_the_answer_of_the_cell_comes_alone_too(trapped):
    text = answer(trapped, {"sql": ["select count(*) as tweets from tweets"]})
    assert Page(text).words == "1 row tweets 7"
    assert 'role="alert"' in answer(trapped, {"sql": ["select nothing"]})
    assert Page(answer(trapped, {})).words == ""


@pytest.mark.parametrize(("asked", "query"), [("choices", WHOLE), ("cell.answers", {"sql": ["select 1"]})])
def test_what_the_system_does_not_give_is_one_line(trapped, monkeypatch, asked, query):
    def refuse(*_):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), "some.parquet")

    monkeypatch.setattr(f"engagement_pipeline.explore.page.{asked}", refuse)
    assert "some.parquet cannot be used: Too many open files; raise the limit" in page(trapped, query)
