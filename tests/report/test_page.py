"""The page of a report: whole, quiet, readable without its pictures, and safe whatever the API or the roster says."""

import re
from dataclasses import replace
from datetime import date

import pytest
from pages import Page
from traps import GONE

from engagement_pipeline.core import redaction
from engagement_pipeline.report import page as pages_of_reports
from engagement_pipeline.report.figures import Month, figures
from engagement_pipeline.report.page import nothing, page

DASHES = 6 * "\N{EN DASH} "
HOSTILE = "<script>alert(1)</script> \"'&<!-- \x1b[31m\u202eevil"


@pytest.fixture(scope="module")
def text(of_bob):
    return page(of_bob)


@pytest.fixture(scope="module")
def read(text):
    return Page(text)


@pytest.fixture
def without_pictures(monkeypatch):
    """Leave out the pictures, which take a second to draw."""
    monkeypatch.setattr(pages_of_reports, "_picture", lambda *_: "")


@pytest.fixture
def bare(of_bob, without_pictures):
    """Bob's month, for a page without pictures."""
    return of_bob


def test_the_page_asks_no_other_place_for_anything(read, text):
    assert not {"src", "srcset", "action", "poster", "data", "background", "xlink:href"} & {
        name for _, attributes in read.tags for name in attributes
    }
    assert {tag for tag, attributes in read.tags if "href" in attributes} == {"a"}
    assert not re.search(r"url\(|@import|<script|<link|<iframe|<object|<embed|\bon\w+=", text)
    (policy,) = (meta["content"] for meta in read.all("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'; ")


def test_each_link_leads_to_a_tweet_or_to_a_place_on_the_page(read, of_bob):
    tweets = {row["tweet_id"] for row in (*of_bob.top, *of_bob.missing)}
    links = {link["href"] for link in read.all("a")}
    assert links == {f"https://x.com/bob/status/{tweet}" for tweet in tweets} | {"#trust"}
    assert f"https://x.com/bob/status/{GONE}" in links
    assert "trust" in read.values("id")


def test_no_name_is_given_twice_and_each_that_is_meant_is_there(read):
    names = read.values("id")
    assert len(names) == len({*names})
    assert {*read.values("aria-labelledby")} <= {*names}


def test_each_table_has_one_head(text):
    tables = re.findall(r"<table.*?</table>", text, re.DOTALL)
    assert len(tables) == 8
    assert {table.count("<thead>") for table in tables} == {1}


def test_each_picture_is_told_in_words_and_drawn_for_a_screen_and_for_a_phone(read):
    pictures = read.all("svg")
    assert [picture["class"] for picture in pictures] == ["wide", "narrow"] * 5
    assert {picture["role"] for picture in pictures} == {"img"}
    labels = [picture["aria-label"] for picture in pictures]
    assert labels[::2] == labels[1::2]
    assert labels[-1] == "A calendar of January 2026: 28 of 31 days are complete."


def test_the_exact_numbers_stand_in_tables(read, of_bob):
    for row in of_bob.sums:
        if row["total"] is not None:
            name = row["metric"].replace("_", " ").capitalize().replace("Url", "URL")
            assert f"{name} {row['total']:,} {row['before']:,}" in read.words
    for row in of_bob.days:
        assert f"{row['day']} {row['impressions']:,} {row['engagements']:,} " in read.words
    for row in of_bob.top:
        assert f"{row['impressions']:,} {row['engagements']:,} {row['rate']:.2%}" in read.words
    for row in of_bob.hours:
        assert f"{row['per_hour']:,.0f}" in read.words


def test_a_month_that_is_not_complete_says_so_first(read):
    assert "3 of 31 days are not complete, so the sums of the month are too low." in read.words
    assert "Not comparable with December 2025: 28 of 31 days of January 2026 and 31 of 31 days" in read.words
    assert "Change" not in read.text


@pytest.mark.usefixtures("without_pictures")
def test_days_that_lack_counts_have_the_reason(of_ann):
    words = Page(page(of_ann)).words
    assert "10 2 0 0 0 2 0 2 account refused: 401: Access token not found" in words
    assert "15 to 28 3 2 0 0 0 1 1 not asked for" in words
    assert f"30 to 31 {DASHES}no request has asked for the day" in words


def test_a_tweet_that_is_missing_has_the_reason(read):
    assert f"{GONE} /historical, unavailable" in read.words


def test_a_month_with_tweets_that_the_api_does_not_serve_says_how_many(read):
    assert "such as deleted ones, are in no sum: 1 on the day with the most." in read.words


def test_what_changed_is_told_between_whole_months(bare):
    told = [{"metric": "impressions", "total": 465, "before": 280, "change": 0.5}]
    rates = [{"rate": "engagement_rate", "above": 1, "below": 5, "value": 0.2, "before": 0.3, "change": -0.1}]
    months = (bare.month, bare.month.before)
    days, before = ([{**bare.days[0], "day": day, "complete": True} for day in month.days] for month in months)
    words = Page(page(replace(bare, sums=told, rates=rates, days=days, before=before))).words
    assert "Impressions 465 280 +50.0%" in words
    assert "Engagement rate 20.00% 30.00% -10.00" in words


def test_texts_of_the_api_and_the_roster_are_escaped(bare):
    top = [{**bare.top[0], "roster_text": HOSTILE}]
    trust = [{**bare.trust[0], "trusted": False, "reason": HOSTILE}]
    missing = [{**row, "text": HOSTILE, "reason": HOSTILE} for row in bare.missing]
    text = page(replace(bare, top=top, trust=trust, missing=missing))
    read = Page(text)
    assert read.all("script") == []
    assert read.words.count("<script>alert(1)</script> \"'&<!-- \\x1b[31m\\u202eevil") == 4
    assert not re.search("[\x00-\x09\x0b-\x1f\u202a-\u202e]", text)


def test_a_secret_is_masked(bare):
    redaction.register("a-token-of-theirs")
    text = page(replace(bare, missing=[{**bare.missing[0], "text": "bad a-token-of-theirs"}]))
    assert "a-token-of-theirs" not in text
    assert "bad …" in text


def test_only_the_newest_of_many_missing_tweets_are_shown(bare):
    many = [{**bare.missing[0], "tweet_id": str(number)} for number in range(1_000_000, 1_000_060)]
    read = Page(page(replace(bare, missing=many)))
    assert "The newest 50 of 60 are shown" in read.words
    assert "1000049" in read.words
    assert "1000050" not in read.words


@pytest.mark.usefixtures("without_pictures")
def test_a_month_that_nobody_asked_for_is_told_in_one_line(trapped):
    found = figures(trapped, "ann", Month(first=date(2026, 5, 1)))
    read = Page(page(found))
    assert nothing(found) == "The lake has no counts of @ann for May 2026: pull its days."
    assert nothing(found) in read.words
    assert f"1 to 31 {DASHES}no request has asked for the day" in read.words
