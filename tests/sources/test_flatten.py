"""Flatten: golden bodies typed from the contract, every malformed shape by its path, and a round trip."""

import copy
import json
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from bodies import WINDOW, parts
from hypothesis import given, settings
from hypothesis import strategies as st
from older import tweet_posted

from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.errors import ResponseError
from engagement_pipeline.core.model import Request, Window
from engagement_pipeline.core.redaction import BODY_MASK
from engagement_pipeline.core.shape import KEY, News
from engagement_pipeline.core.tables import ENGAGEMENTS
from engagement_pipeline.sources.engagement.flatten import read

ONE, TWO, GONE = 1890000000000000001, 1890000000000000002, 1890000000000000009
TYPES = ("impressions", "url_clicks", "video_views")
FIRST, SECOND = date(2026, 1, 1), date(2026, 1, 2)

# The contract's own example, with our names of the groupings.
GOLDEN = {
    "start": "2026-01-01T00:00:00Z",
    "end": "2026-01-03T00:00:00Z",
    "unavailable_tweet_ids": ["1890000000000000009"],
    "errors": ["1 Tweet ID(s) are unavailable"],
    "by_tweet_type_day_hour": {
        "1890000000000000001": {
            "impressions": {"2026-01-01": {"00": "551", "01": "412"}, "2026-01-02": {"00": "19", "01": "6"}},
            "url_clicks": {"2026-01-01": {"00": "3", "01": "0"}, "2026-01-02": {"00": "0", "01": "0"}},
        }
    },
    "by_tweet_type": {"1890000000000000001": {"impressions": "988", "url_clicks": "3"}},
    "by_type": {"impressions": "988", "url_clicks": "3"},
}
GOLDEN_ROWS = [
    (ONE, "impressions", FIRST, 0, 551),
    (ONE, "impressions", FIRST, 1, 412),
    (ONE, "impressions", SECOND, 0, 19),
    (ONE, "impressions", SECOND, 1, 6),
    (ONE, "url_clicks", FIRST, 0, 3),
    (ONE, "url_clicks", FIRST, 1, 0),
    (ONE, "url_clicks", SECOND, 0, 0),
    (ONE, "url_clicks", SECOND, 1, 0),
]
CELLS, TWEET_SUMS, TYPE_SUMS = "by_tweet_type_day_hour", "by_tweet_type", "by_type"
HOURS_PATH = f"{CELLS}.{ONE}.impressions.2026-01-01"


def flat(content, *, tweet_ids=(ONE, TWO, GONE), types=TYPES, window=WINDOW):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return read(body, Request(endpoint=HISTORICAL, handle="ann", tweet_ids=tweet_ids, types=types, window=window))


def rows(result):
    return list(zip(*(column.to_pylist() for column in result.rows.columns), strict=True))


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")], ids=["read fast", "read by the reference"])
def test_what_the_contract_shows_is_no_news_and_a_key_beside_it_is(separators):
    assert flat(json.dumps(GOLDEN, separators=separators).encode()).news == ()
    found = flat(json.dumps(GOLDEN | {"bookmarks": {"a": 5}}, separators=separators).encode())
    assert found.news == (News(KEY, "$", "bookmarks", '{"a": 5}'),)
    assert rows(found) == GOLDEN_ROWS


@pytest.mark.parametrize("place", [f"$.{TYPE_SUMS}", f"$.{TWEET_SUMS}.*"])
def test_a_type_that_nobody_asked_for_is_news_even_if_its_sum_is_zero(place):
    body = put(f"{place[2:].replace('*', str(ONE))}.bookmarks", "0")
    found = flat(json.dumps(body, separators=(",", ":")).encode())
    assert found.scanned
    assert found.news == (News(KEY, place, "bookmarks", "0"),)


def put(path, value, *, root=None):
    """Return GOLDEN with `value` at a path of dots."""
    changed = copy.deepcopy(GOLDEN if root is None else root)
    *parents, last = path.split(".")
    place = changed
    for key in parents:
        place = place[key]
    place[last] = value
    return changed


def without(path):
    changed = copy.deepcopy(GOLDEN)
    *parents, last = path.split(".")
    place = changed
    for key in parents:
        place = place[key]
    del place[last]
    return changed


def test_the_contract_s_example_becomes_its_rows():
    assert rows(flat(GOLDEN)) == GOLDEN_ROWS


def test_the_rows_have_the_declared_schema():
    assert flat(GOLDEN).rows.schema.equals(ENGAGEMENTS.schema)
    assert flat(parts({}), types=TYPES).rows.schema.equals(ENGAGEMENTS.schema)


def test_rows_are_sorted_by_tweet_type_day_and_hour_whatever_the_order_of_the_keys():
    def reverse(value):
        return {k: reverse(v) for k, v in reversed(value.items())} if isinstance(value, dict) else value

    assert rows(flat(reverse(GOLDEN))) == GOLDEN_ROWS


def test_counts_may_be_numbers_among_strings():
    assert rows(flat(put(f"{HOURS_PATH}.00", 551))) == GOLDEN_ROWS
    assert rows(flat(put(f"{TYPE_SUMS}.impressions", 988))) == GOLDEN_ROWS


@pytest.mark.parametrize("write", [str, int])
@pytest.mark.parametrize("count", [0, -1, -5000, 2**53 + 1, 2**63 - 1, -(2**63)])
def test_every_64_bit_count_is_kept_exactly(count, write):
    """Negative ones too: un-likes are reported, not dropped."""
    assert rows(flat(parts({(ONE, "impressions", FIRST, 7): count}, write=write)))[0][4] == count


def test_an_id_past_2_to_the_53_stays_exact():
    assert set(flat(GOLDEN).rows["tweet_id"].to_pylist()) == {ONE}


def test_what_is_not_there_is_missing_and_no_zero():
    partial = parts({(ONE, "impressions", FIRST, 23): 5})
    assert rows(flat(partial)) == [(ONE, "impressions", FIRST, 23, 5)]


def test_a_body_that_held_a_secret_is_refused_however_right_the_rest_is():
    content = GOLDEN | {"echo": f"Bearer {BODY_MASK.decode()}"}
    with pytest.raises(ResponseError, match=r"^\$: the body held a secret of the accounts file, and now \[a secret"):
        flat(content)


def test_what_looks_like_a_token_is_masked_in_the_api_s_texts():
    content = GOLDEN | {"errors": ["1 Tweet ID(s) are unavailable to 99-AccessToken4OfAnn"]}
    assert flat(content).said == "1 Tweet ID(s) are unavailable to …"


def test_what_the_api_says_of_types_is_no_reason_why_a_tweet_is_unavailable():
    of_types = f"Impressions & engagements for tweets older than 90 days ({ONE}) are not supported"
    content = GOLDEN | {"errors": [of_types, "1 Tweet ID(s) are unavailable"]}
    assert flat(content).said == "1 Tweet ID(s) are unavailable"


@pytest.mark.parametrize("listed", ["1890000000000000009", 1890000000000000009])
def test_unavailable_tweets_are_reported(listed):
    assert flat(put("unavailable_tweet_ids", [listed])).unavailable == {GONE}


@pytest.mark.parametrize("changed", [put("unavailable_tweet_ids", value) for value in ([], None)])
def test_an_empty_list_names_no_tweet(changed):
    assert flat(changed).unavailable == frozenset()


def test_an_absent_list_names_no_tweet():
    assert flat(without("unavailable_tweet_ids")).unavailable == frozenset()


def test_zeros_from_before_a_type_was_measured_are_dropped_and_no_other_count():
    """The first day of favorites, retweets and replies is 2015-09-15; url_clicks were measured before."""
    before, since = date(2015, 9, 14), date(2015, 9, 15)
    types = ("favorites", "replies", "retweets", "url_clicks")
    old = 600_000_000_000_000_000  # of May 2015
    cells = {(old, name, day, hour): 0 for name in types for day in (before, since) for hour in (0, 23)}
    cells[old, "retweets", before, 23] = 7
    dropped = {key for key, count in cells.items() if key[1] != "url_clicks" and key[2] == before and not count}
    result = flat(parts(cells), tweet_ids=(old,), types=types, window=Window(before, since))
    assert rows(result) == [(*key, count) for key, count in sorted(cells.items()) if key not in dropped]
    assert len(dropped) == 5


def test_zeros_of_hours_before_the_tweet_was_posted_are_dropped_and_no_other_count():
    """The hour in which it was posted stays, and so does what adds up to the API's own sums."""
    young = tweet_posted(2026, 1, 1, 5, 59)
    cells = {(young, "impressions", day, hour): 0 for day in (FIRST, SECOND) for hour in range(24)}
    cells |= {(young, "impressions", FIRST, 2): 7, (young, "impressions", FIRST, 3): -1}
    result = flat(parts(cells), tweet_ids=(young,))
    kept = [key for key in cells if key[2:] >= (FIRST, 5) or key[3] in {2, 3}]
    assert rows(result) == [(*key, cells[key]) for key in sorted(kept)]
    assert result.early == 2


def test_a_tweet_without_a_time_in_its_id_keeps_its_zeros():
    cells = {(1, "impressions", FIRST, hour): 0 for hour in range(24)}
    result = flat(parts(cells), tweet_ids=(1,))
    assert (len(result.rows), result.early) == (24, 0)


@pytest.mark.parametrize("count", [0, 5])
def test_of_unsupported_video_views_zeros_are_dropped_and_no_other_count(count):
    """A zero of theirs is not measured; other types and other Tweets stay."""
    cells = {(tweet, name, FIRST, 0): 0 for tweet in (ONE, TWO) for name in ("impressions", "video_views")}
    cells[ONE, "video_views", FIRST, 0] = count
    result = flat(parts(cells, unsupported_for_video_views_tweet_ids=[str(ONE)]))
    assert [(row[0], row[1]) for row in rows(result)] == [
        (ONE, "impressions"),
        *[(ONE, "video_views")] * bool(count),
        (TWO, "impressions"),
        (TWO, "video_views"),
    ]


@pytest.mark.parametrize("start", ["2026-01-01", "2026-01-01T00:00:00", "2026-01-01T01:00:00+01:00", None])
def test_a_period_may_be_echoed_in_any_way_to_write_the_same_moment(start):
    assert rows(flat(put("start", start))) == GOLDEN_ROWS


def test_a_period_that_was_moved_by_an_hour_is_another_one():
    with pytest.raises(
        ResponseError, match=r"^\$\.end: is 2026-01-03T01:00:00\+00:00, though 2026-01-03 was asked for"
    ):
        flat(put("end", "2026-01-03T01:00:00Z"))


@pytest.mark.parametrize(("key", "day"), [("start", SECOND), ("end", FIRST)])
def test_another_period_than_the_one_asked_for_is_named(key, day):
    with pytest.raises(ResponseError, match=rf"^\$\.{key}: is {day}T00:00:00\+00:00, though .* was asked for"):
        flat(put(key, f"{day}T00:00:00Z"))


def test_a_period_that_is_not_echoed_is_the_one_asked_for():
    assert rows(flat({key: value for key, value in GOLDEN.items() if key not in {"start", "end"}})) == GOLDEN_ROWS


def test_root_keys_that_nobody_knows_are_passed_over():
    assert rows(flat(put("request_trace", {"id": ["x"]}))) == GOLDEN_ROWS


def test_a_response_without_any_row_is_an_empty_table():
    empty = {CELLS: {}, TWEET_SUMS: {}, TYPE_SUMS: {}, "unavailable_tweet_ids": [str(ONE)]}
    result = flat(empty)
    assert (result.rows.num_rows, result.unavailable) == (0, {ONE})


HOUR = f"$.{HOURS_PATH}.00"
NO_COUNTS = [
    1.0,
    551.5,
    None,
    True,
    "",
    " 5",
    "5 ",
    "1_000",
    "1,000",
    "1,2",
    "٣",
    "0x1F",
    "+5",
    "--5",
    "-",
    "1e3",
    "5.0",
]
TOO_BIG = [2**63, str(2**63), -(2**63) - 1, str(-(2**63) - 1), "9" * 20, 10**30]
MALFORMED = [
    *((f"count {value!r}", put(f"{HOURS_PATH}.00", value), HOUR) for value in [*NO_COUNTS, *TOO_BIG, [], {}]),
    *(
        (f"sum {value!r}", put(f"{TYPE_SUMS}.impressions", value), f"$.{TYPE_SUMS}.impressions")
        for value in (None, "", 9.5)
    ),
    *(
        (
            f"sum of a Tweet {value!r}",
            put(f"{TWEET_SUMS}.{ONE}.impressions", value),
            f"$.{TWEET_SUMS}.{ONE}.impressions",
        )
        for value in (None, "x", [])
    ),
    *((f"no {name}", without(name), f"$.{name}") for name in (CELLS, TWEET_SUMS, TYPE_SUMS)),
    *((f"{name} a list", put(name, []), f"$.{name}") for name in (CELLS, TWEET_SUMS, TYPE_SUMS)),
    *(
        (f"hour {hour!r}", put(f"{HOURS_PATH}.{hour}", "0"), f"$.{HOURS_PATH}.{hour}")
        for hour in ("24", "7", "007", "-1", "")
    ),
    ("Tweet not asked", put(f"{CELLS}.5", {}), f"$.{CELLS}.5"),
    ("Tweet with a leading zero", put(f"{CELLS}.0{ONE}", {}), f"$.{CELLS}.0{ONE}"),
    ("type not asked", put(f"{CELLS}.{ONE}.favorites", {}), f"$.{CELLS}.{ONE}.favorites"),
    ("type unknown", put(f"{CELLS}.{ONE}.bookmarks", {}), f"$.{CELLS}.{ONE}.bookmarks"),
    (
        "day not asked",
        put(f"{CELLS}.{ONE}.impressions.2026-01-03", {}),
        f"$.{CELLS}.{ONE}.impressions.2026-01-03",
    ),
    ("day in another form", put(f"{CELLS}.{ONE}.impressions.20260101", {}), f"$.{CELLS}.{ONE}.impressions.20260101"),
    ("a Tweet's types a text", put(f"{CELLS}.{ONE}", "5"), f"$.{CELLS}.{ONE}"),
    ("days a list", put(f"{CELLS}.{ONE}.impressions", ["1"]), f"$.{CELLS}.{ONE}.impressions"),
    ("hours a number", put(HOURS_PATH, 5), f"$.{HOURS_PATH}"),
    ("hours null", put(HOURS_PATH, None), f"$.{HOURS_PATH}"),
    ("sums of a Tweet a number", put(f"{TWEET_SUMS}.{ONE}", 5), f"$.{TWEET_SUMS}.{ONE}"),
    ("unavailable a text", put("unavailable_tweet_ids", "5"), "$.unavailable_tweet_ids"),
    ("unavailable an object", put("unavailable_tweet_ids", {"5": 1}), "$.unavailable_tweet_ids"),
    ("unavailable not asked", put("unavailable_tweet_ids", [str(GONE), "5"]), "$.unavailable_tweet_ids[1]"),
    ("unavailable with counts", put("unavailable_tweet_ids", [str(ONE)]), "$.unavailable_tweet_ids"),
    (
        "unsupported not asked",
        put("unsupported_for_video_views_tweet_ids", ["5"]),
        "$.unsupported_for_video_views_tweet_ids[0]",
    ),
    ("start no time", put("start", "yesterday"), "$.start"),
    ("end a number", put("end", 5), "$.end"),
    ("a list", b"[]", "$"),
    ("a number", b"5", "$"),
    ("null", b"null", "$"),
    ("nothing", b"", "$"),
    ("half", json.dumps(GOLDEN).encode()[:-40], "$"),
    ("invalid UTF-8", json.dumps(GOLDEN).encode().replace(b"unavailable", b"un\xffvailable", 1), "$"),
    ("NaN", json.dumps(put(f"{HOURS_PATH}.00", float("nan"))).encode(), "$"),
    ("nested without end", b"[" * 5000, "$"),
]


@pytest.mark.parametrize(("content", "path"), [row[1:] for row in MALFORMED], ids=[row[0] for row in MALFORMED])
def test_what_the_contract_does_not_allow_is_named_by_its_path(content, path):
    with pytest.raises(ResponseError) as caught:
        flat(content)
    assert caught.value.path == path
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value)) < 300


UNBALANCED = [
    ("a count too high", put(f"{HOURS_PATH}.00", "552"), f"$.{TWEET_SUMS}.{ONE}.impressions"),
    ("an hour lost", without(f"{HOURS_PATH}.00"), f"$.{TWEET_SUMS}.{ONE}.impressions"),
    ("a type lost", without(f"{CELLS}.{ONE}.impressions"), f"$.{TWEET_SUMS}.{ONE}.impressions"),
    ("a Tweet lost", without(f"{CELLS}.{ONE}"), f"$.{TWEET_SUMS}.{ONE}.impressions"),
    ("a Tweet's sum too low", put(f"{TWEET_SUMS}.{ONE}.url_clicks", "2"), f"$.{TWEET_SUMS}.{ONE}.url_clicks"),
    ("a Tweet's sum lost", without(f"{TWEET_SUMS}.{ONE}.url_clicks"), f"$.{TWEET_SUMS}.{ONE}.url_clicks"),
    (
        "a sum of a Tweet without rows",
        put(f"{TWEET_SUMS}.{TWO}", {"impressions": "4"}),
        f"$.{TWEET_SUMS}.{TWO}.impressions",
    ),
    ("a type's sum too high", put(f"{TYPE_SUMS}.impressions", "989"), f"$.{TYPE_SUMS}.impressions"),
    ("a type's sum lost", without(f"{TYPE_SUMS}.url_clicks"), f"$.{TYPE_SUMS}.url_clicks"),
    ("a sum of a type without rows", put(f"{TYPE_SUMS}.video_views", "4"), f"$.{TYPE_SUMS}.video_views"),
]


@pytest.mark.parametrize(("content", "path"), [row[1:] for row in UNBALANCED], ids=[row[0] for row in UNBALANCED])
def test_rows_that_do_not_add_up_are_named_by_the_sum(content, path):
    with pytest.raises(ResponseError, match="does not add up") as caught:
        flat(content)
    assert caught.value.path == path


def test_sums_may_pass_64_bits_on_the_way_and_end_within():
    """The audit adds without overflow."""
    cells = {(ONE, "impressions", FIRST, 0): 2**63 - 1, (ONE, "impressions", FIRST, 1): 2**63 - 1}
    cells |= {(ONE, "impressions", FIRST, hour): -(2**63) for hour in (2, 3)}
    assert sum(row[4] for row in rows(flat(parts(cells)))) == -2


def test_a_sum_that_only_wraps_around_to_the_right_number_does_not_add_up():
    """Four times 2^62 is 2^64, which wraps around to 0 in 64 bits."""
    cells = {(ONE, "impressions", FIRST, hour): 2**62 for hour in range(4)}
    content = parts(cells)
    content[TWEET_SUMS][str(ONE)]["impressions"] = content[TYPE_SUMS]["impressions"] = "0"
    with pytest.raises(ResponseError, match="does not add up"):
        flat(content)


SPAN = Window(date(2026, 1, 30), date(2026, 2, 2))  # over the end of a month
KEYS = st.tuples(
    st.sampled_from([3, ONE, TWO]), st.sampled_from(TYPES), st.sampled_from([*SPAN.days()]), st.integers(0, 23)
)
TABLES = st.dictionaries(KEYS, st.integers(-(2**40), 2**40) | st.just(0), max_size=60)


@settings(max_examples=80)
@given(table=TABLES, random=st.randoms(use_true_random=False))
def test_flatten_gives_back_any_table(table, random):
    """Any order of keys, strings or numbers, any cells missing."""

    def shuffled(value):
        if not isinstance(value, dict):
            return int(value) if random.random() < 0.3 else value
        keys = list(value)
        random.shuffle(keys)
        return {key: shuffled(value[key]) for key in keys}

    result = flat(shuffled(parts(table)), tweet_ids=[TWO, 3, ONE], types=TYPES, window=SPAN)
    assert rows(result) == sorted((*key, count) for key, count in table.items())
    assert pc.sum(result.rows["count"], min_count=0).as_py() == sum(table.values())
    assert isinstance(result.rows, pa.Table)
