"""The roster: all its files as one, each Tweet once, and kept with the lake."""

from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rosters import BIG, HEADER, NOT_A_NUMBER, bad_rows, lines, refusal

from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.core.model import Tweet, posted_at
from engagement_pipeline.extract import roster
from engagement_pipeline.extract.roster import save_roster
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog

NOON = datetime(2026, 1, 2, 12)  # noqa: DTZ001 - without a zone, as pandas writes it
OF_OTHERS = {
    "CSV": ("r.csv", f"{HEADER}2,\n1,a\n3,  \n"),
    "quoted": ("r.csv", f'{HEADER}2,""\n1,a\n3," "\n'),
    "a short last row": ("r.csv", f"{HEADER}2,\n1,a\n3\n"),
    "JSON": ("r.jsonl", lines({"tweet_id": 2, "handle": None}, {"tweet_id": 1, "handle": "a"}, {"tweet_id": 3})),
    "JSON texts": ("r.jsonl", lines({"tweet_id": 2, "handle": ""}, {"tweet_id": 1, "handle": "a"}, {"tweet_id": 3})),
    "Parquet": ("r.parquet", {"tweet_id": [2, 1, 3], "handle": ["", "a", None]}),
}


@pytest.mark.parametrize(("name", "content"), OF_OTHERS.values(), ids=OF_OTHERS)
def test_a_tweet_without_a_handle_is_one_of_others_and_null_in_the_table(folder, name, content):
    loaded = folder({name: content})
    assert loaded.tweets == (Tweet(1, "a"), Tweet(2, ""), Tweet(3, ""))
    assert loaded.table["handle"].to_pylist() == ["a", None, None]
    assert loaded.table.schema.field("handle").type == pa.string()
    assert loaded.bad_rows == ()


def test_a_roster_may_hold_tweets_of_others_alone(folder):
    for name, content in {
        "r.csv": f"{HEADER}1,\n",
        "r.parquet": {"tweet_id": [1], "handle": pa.array([None], pa.null())},
    }.items():
        loaded = folder({name: content}, pattern=name)
        assert loaded.tweets == (Tweet(1, ""),)
        assert loaded.table["handle"].to_pylist() == [None]


def test_several_files_are_one_roster_and_what_is_no_roster_file_is_left_alone(folder):
    (folder.path / "folder.csv").mkdir()
    files = {"a.csv": f"{HEADER}3,a\n", "b.jsonl": lines({"tweet_id": 1, "handle": "b"}), "README.md": "x"}
    files["c.parquet"] = {"tweet_id": [2], "handle": ["a"]}
    assert folder(files).tweets == (Tweet(1, "b"), Tweet(2, "a"), Tweet(3, "a"))


def test_further_columns_are_carried_and_absent_ones_are_null(folder):
    files = {
        "a.csv": f'{HEADER[:-1]},text\n2,a,"It\'s ""fine"", isn\'t it"\n1,b,\n',
        "b.jsonl": lines({"tweet_id": 3, "handle": "a", "campaign": "spring", "text": None}),
    }
    table = folder(files).table
    assert table["text"].to_pylist() == [None, "It's \"fine\", isn't it", None]
    assert table["campaign"].to_pylist() == [None, None, "spring"]


@pytest.mark.parametrize(
    ("tweet_id", "moment"),
    [
        # id / 2^22 + 1288834974657 ms, worked out with bc and date
        (1 << 62, datetime(2045, 9, 6, 21, 36, 42, 433_000, tzinfo=UTC)),
        (1212092628029698048, datetime(2019, 12, 31, 19, 26, 16, 771_000, tzinfo=UTC)),
        (BIG, datetime(2025, 2, 13, 11, 28, 9, 158_000, tzinfo=UTC)),
        (30_000_000_000, datetime(2010, 11, 4, 1, 43, 1, 809_000, tzinfo=UTC)),
        (29_999_999_999, None),
        (20, None),
    ],
)
def test_an_id_says_when_it_was_posted_unless_it_is_older_than_snowflake(folder, tweet_id, moment):
    assert posted_at(tweet_id) == moment
    assert folder({"r.csv": f"{HEADER}{tweet_id},a\n"}).table["posted_at"].to_pylist() == [moment]


def test_all_bad_rows_are_listed_and_the_fix(folder):
    error = refusal(folder, {"r.csv": f"{HEADER}x,a\n1,a\ny,a\n"})
    assert str(error) == (
        f"2 bad rows of the roster: {folder.path}/r.csv:2 tweet_id 'x' {NOT_A_NUMBER}; "
        f"{folder.path}/r.csv:4 tweet_id 'y' {NOT_A_NUMBER}. Correct them, or go on without them: "
        "--skip-bad-rows, or the "
        "setting skip_bad_rows"
    )


TWICE = {"a.csv": f"{HEADER}5,a\n6,b\n", "b.jsonl": lines({"tweet_id": "5", "handle": "@A"})}


def test_a_tweet_that_stands_twice_with_one_handle_counts_once(folder, caplog):
    loaded = folder(TWICE)
    assert loaded.tweets == (Tweet(5, "a"), Tweet(6, "b"))
    assert {path.name: ids.tolist() for path, ids in loaded.files.items()} == {"a.csv": [5, 6], "b.jsonl": [5]}
    assert caplog.messages == []


def test_a_tweet_that_stands_with_two_handles_is_told_and_the_first_goes_on(folder):
    files = TWICE | {"c.csv": f"{HEADER}5,b\n7,a\n", "d.csv": f"{HEADER}6,\n"}
    assert bad_rows(folder, files) == [
        f"c.csv:2 tweet_id 5 is already in {folder.path}/a.csv:2 with the handle a",
        f"d.csv:2 tweet_id 6 is already in {folder.path}/a.csv:3 with the handle b",
    ]
    assert folder({}, skip_bad_rows=True).tweets == (Tweet(5, "a"), Tweet(6, "b"), Tweet(7, "a"))


def test_rows_of_one_tweet_fill_each_other_and_what_differs_is_said(folder, caplog):
    files = {
        "a.csv": "tweet_id,handle,campaign,text\n5,a,,one\n6,a,spring,\n",
        "b.csv": "tweet_id,handle,campaign,team\n6,a,summer,us\n5,a,spring,\n5,a,autumn,them\n",
    }
    table = folder(files).table
    assert table.select(["campaign", "text", "team"]).to_pydict() == {
        "campaign": ["spring", "spring"],
        "text": ["one", None],
        "team": ["them", "us"],
    }
    (told,) = caplog.messages
    assert told == (
        f"campaign differs where a Tweet stands twice, 2 times: the first is kept, as in {folder.path}/a.csv:3 and not "
        f"{folder.path}/b.csv:2"
    )


def test_columns_that_the_lakes_views_have_are_kept_under_another_name_and_said_so(folder, caplog):
    names = "posted_at,Day,count,hour,followed,engagement_type"
    table = folder({"r.csv": f"{HEADER[:-1]},{names},text\n{BIG},a,1999-01-01,mon,3,4,no,x,hi\n"}).table
    assert table.drop_columns(["tweet_id", "handle", "posted_at"]).to_pylist() == [
        {
            "roster_posted_at": "1999-01-01",
            "roster_Day": "mon",
            "roster_count": "3",
            "roster_hour": "4",
            "roster_followed": "no",
            "roster_engagement_type": "x",
            "text": "hi",
        }
    ]
    assert table["posted_at"].to_pylist() == [posted_at(BIG)]
    (told,) = caplog.messages
    assert told.startswith("columns of the roster are kept under other names: posted_at as roster_posted_at, Day as")


def test_rows_that_are_left_out_are_told(folder, caplog):
    folder({"r.csv": f"{HEADER}x,a\n1,a\n"}, skip_bad_rows=True)
    assert caplog.messages == [f"left out: {folder.path}/r.csv:2 tweet_id 'x' {NOT_A_NUMBER}"]


def test_a_file_of_rounded_ids_is_refused_and_the_rest_goes_on_on_request(folder):
    rounded = "".join(f"{2018500000000000 + k * 7919}000,a\n" for k in range(6))
    (told,) = bad_rows(folder, {"r.csv": HEADER + rounded, "s.csv": f"{HEADER}{BIG},a\n"})
    assert told.startswith("r.csv:2 and 5 more such rows: 6 of 6 IDs look rounded, as by ")
    assert told.endswith("with the column tweet_id as text, and import it as text into a spreadsheet")
    assert folder({}, skip_bad_rows=True).tweets == (Tweet(BIG, "a"),)


def test_some_rounded_ids_among_others_are_warned_of(folder, caplog):
    ids = [BIG + k * 1234567891 for k in range(40)] + [2018500000000000000 + k * 79190000 for k in range(4)]
    assert len(folder({"r.csv": HEADER + "".join(f"{tweet},a\n" for tweet in ids)}).tweets) == 44
    (told,) = caplog.messages
    assert told.startswith(f"{folder.path}/r.csv: 4 of 44 IDs look rounded, as by a spreadsheet, which keeps 15 digits")


@pytest.mark.parametrize(
    ("before", "now", "kept"),
    [
        (["n/a", "5"], [7], ["7", "5"]),
        ([True, False], ["yes"], ["yes", "false"]),
        ([1, 2], [0.5], [0.5, 2.0]),
        ([date(2026, 1, 1), None], [NOON], [NOON, None]),
        ([[1], [2, 3]], ["x"], ["x", "[2, 3]"]),
        ([None, None], [None], [None, None]),
        ([2, 2**60 + 1], [0.5], ["0.5", str(2**60 + 1)]),
    ],
    ids=["text", "flags", "whole numbers", "days", "lists", "nothing", "numbers too large for a float"],
)
def test_a_column_that_changes_its_type_widens_and_no_tweet_that_left_is_lost(folder, tmp_path, before, now, kept):
    lake = Lake(tmp_path / "lake")
    lake.open()
    for ids, values in (([1, 2], before), ([1], now)):
        columns = {"tweet_id": ids, "handle": ["a"] * len(ids), "x": values}
        save_roster(lake, folder({"r.parquet": columns}, pattern="*.parquet"))
    table = catalog.query(lake, "select tweet_id, x, followed from tweets order by tweet_id")
    assert table.to_pydict() == {"tweet_id": [1, 2], "x": kept, "followed": [True, False]}


@pytest.mark.parametrize(
    ("column", "kept"),
    [
        (pa.array(["x", None], pa.string_view()), ["x", None]),
        (pa.array([b"x", None], pa.binary_view()), [b"x", None]),
        (pa.array([["x"], []], pa.list_(pa.string_view())), [["x"], []]),
        (pa.array([{"y": "x"}, None], pa.struct({"y": pa.string_view()})), [{"y": "x"}, None]),
    ],
    ids=["text", "bytes", "lists", "structs"],
)
def test_a_column_of_views_is_kept(folder, tmp_path, column, kept):
    """As pyarrow writes what newer tools hand it."""
    lake = Lake(tmp_path / "lake")
    lake.open()
    handles = pa.array(["a", "a"], pa.string_view())
    save_roster(lake, folder({"r.parquet": {"tweet_id": [1, 2], "handle": handles, "x": column}}, pattern="*.parquet"))
    assert catalog.query(lake, "select x from tweets order by tweet_id")["x"].to_pylist() == kept


def test_a_saved_column_that_a_view_has_is_renamed_too(folder, tmp_path):
    """As lakes hold them that were written before."""
    lake = Lake(tmp_path / "lake")
    lake.open()
    old = {"tweet_id": [9], "handle": ["a"], "posted_at": pa.array([None], pa.timestamp("ms", "UTC")), "Day": ["mon"]}
    pq.write_table(pa.table(old | {"followed": [True]}), lake.tweets)
    save_roster(lake, folder({"r.csv": f"{HEADER[:-1]},day\n1,a,tue\n"}))
    table = catalog.query(lake, "select tweet_id, roster_day, followed from tweets order by tweet_id")
    assert table.to_pydict() == {"tweet_id": [1, 9], "roster_day": ["tue", "mon"], "followed": [True, False]}


def test_a_damaged_list_of_tweets_is_named_and_stays_where_it_is(folder, tmp_path):
    lake = Lake(tmp_path / "lake")
    lake.open()
    lake.tweets.write_bytes(b"no parquet")
    with pytest.raises(LakeError, match=r"tweets\.parquet is damaged .*: restore it from a backup"):
        save_roster(lake, folder({"r.csv": f"{HEADER}1,a\n"}))
    assert lake.tweets.read_bytes() == b"no parquet"


def test_a_file_that_is_all_unavailable_is_told(folder, caplog):
    loaded = folder({"r.csv": HEADER + "".join(f"{BIG + k},a\n" for k in range(6)), "s.csv": f"{HEADER}7,a\n"})
    roster.tell_unavailable(loaded, {BIG + k for k in range(6)})
    (told,) = caplog.messages
    assert told.startswith(f"{folder.path}/r.csv: 6 of its 6 Tweets are unavailable, and so many are seldom deleted")


def test_bad_rows_are_skipped_on_request_and_still_told(folder):
    loaded = folder({"r.csv": f"{HEADER}x,a\n1,a\n"}, skip_bad_rows=True)
    assert loaded.tweets == (Tweet(1, "a"),)
    assert loaded.bad_rows == (f"{folder.path}/r.csv:2 tweet_id 'x' {NOT_A_NUMBER}",)


@pytest.mark.parametrize(
    ("files", "options"),
    [({"r.csv": HEADER}, {}), ({"r.csv": f"{HEADER}x,a\n"}, {"skip_bad_rows": True})],
    ids=["a header alone", "bad rows alone"],
)
def test_a_roster_without_a_tweet_is_refused(folder, files, options):
    told = f"the roster {folder.path}/* holds no Tweet to pull: write a row of tweet_id and handle for each, "
    assert str(refusal(folder, files, **options)) == told + "as the README shows"


def test_files_that_disagree_on_the_type_of_a_column_are_one_roster(folder):
    files = {
        "a.parquet": {"tweet_id": [1], "handle": ["a"], "Campaign": [5]},
        "b.parquet": {"tweet_id": [2], "handle": ["a"], "campaign": ["spring"]},
    }
    assert folder(files).table["Campaign"].to_pylist() == ["5", "spring"]
