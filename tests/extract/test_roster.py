"""The roster: exact IDs out of any file, and each bad row by its file and line."""

import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engagement_pipeline.core.errors import RosterError
from engagement_pipeline.core.model import Tweet, posted_at
from engagement_pipeline.extract import roster

HANDLES = {"a", "b"}
BIG = 1890000000000000001  # no float holds it
BIGGER = 9223372036854775807
HEADER = "tweet_id,handle\n"
NOT_A_NUMBER = "is not a 64-bit whole number"


@pytest.fixture
def folder(tmp_path):
    """Return a function that writes files by name and loads them all, or another pattern."""

    def load(files, *, pattern="*", **options):
        for name, content in files.items():
            write(tmp_path / name, content)
        return roster.load(str(tmp_path / pattern), handles=HANDLES, **options)

    load.path = tmp_path
    return load


def write(path, content):
    path.parent.mkdir(exist_ok=True)
    if isinstance(content, dict):
        pq.write_table(pa.table(content), path)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content, encoding="utf-8", newline="")


def lines(*objects):
    return "".join(json.dumps(item) + "\n" for item in objects)


def refusal(load, *arguments, **options):
    """Return the error with which a roster is refused; its text is one line."""
    with pytest.raises(RosterError) as caught:
        load(*arguments, **options)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    return caught.value


def bad_rows(load, files):
    """Return the bad rows, without the folder before each."""
    return [row.removeprefix(f"{load.path}/") for row in refusal(load, files).rows]


TWO_TWEETS = {
    "csv": ("r.csv", f"{HEADER}{BIGGER},b\n{BIG},a\n"),
    "semicolons": ("r.csv", f"tweet_id;handle\n{BIGGER};b\n{BIG};a\n"),
    "tabs": ("r.csv", f"tweet_id\thandle\n{BIGGER}\tb\n{BIG}\ta\n"),
    "quoted": ("r.csv", f'"tweet_id","handle"\n"{BIGGER}","b"\n"{BIG}","a"\n'),
    "byte order mark, CRLF": ("r.csv", f"\ufefftweet_id,handle\r\n{BIGGER},b\r\n{BIG},a\r\n"),
    "no last line end": ("r.csv", f"{HEADER}{BIGGER},b\n{BIG},a"),
    "blank lines": ("r.csv", f"{HEADER}\n{BIGGER},b\n\n{BIG},a\n\n"),
    "columns in another order": ("r.csv", f"handle,tweet_id\nb,{BIGGER}\na,{BIG}\n"),
    "handles as people write them": ("r.csv", f"{HEADER} {BIGGER} , @B \n{BIG},A\n"),
    "JSON numbers": ("r.jsonl", lines({"tweet_id": BIGGER, "handle": "b"}, {"tweet_id": BIG, "handle": "a"})),
    "JSON texts": ("r.ndjson", lines({"tweet_id": str(BIGGER), "handle": "b"}, {"handle": "a", "tweet_id": str(BIG)})),
    "JSON numbers and texts": (
        "r.json",
        lines({"tweet_id": str(BIGGER), "handle": "b"}, {"tweet_id": BIG, "handle": "a"}),
    ),
    "Parquet integers": ("r.parquet", {"tweet_id": [BIGGER, BIG], "handle": ["b", "a"]}),
    "Parquet texts": ("r.parquet", {"tweet_id": [str(BIGGER), str(BIG)], "handle": ["b", "a"]}),
    "Parquet unsigned": ("r.parquet", {"tweet_id": pa.array([BIGGER, BIG], pa.uint64()), "handle": ["b", "a"]}),
    "apostrophe": ("it's.csv", f"{HEADER}{BIGGER},b\n{BIG},a\n"),
    "brackets and blanks": ("roster [1] *.csv", f"{HEADER}{BIGGER},b\n{BIG},a\n"),
    "a folder that looks like a partition": ("handle=x/r.csv", f"{HEADER}{BIGGER},b\n{BIG},a\n"),
}


@pytest.mark.parametrize(("name", "content"), TWO_TWEETS.values(), ids=TWO_TWEETS)
def test_every_kind_of_file_gives_the_same_roster_exact_to_the_last_bit(folder, name, content):
    loaded = folder({name: content}, pattern="*/*" if "/" in name else "*")
    assert loaded.tweets == (Tweet(BIG, "a"), Tweet(BIGGER, "b"))
    assert loaded.table.select(["tweet_id", "handle"]).to_pydict() == {"tweet_id": [BIG, BIGGER], "handle": ["a", "b"]}
    assert loaded.table.schema.field("tweet_id").type == pa.int64()
    assert loaded.table.column_names == ["tweet_id", "handle", "posted_at"]
    assert loaded.bad_rows == ()


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


def test_a_tweet_is_one_of_others_only_where_nobody_is_named(folder):
    """A typo never turns an owned Tweet into one of others."""
    assert bad_rows(folder, {"r.csv": f"{HEADER}1,@\n2,aa\n3,-\n"}) == [
        "r.csv:2 handle '@' is not in the accounts file",
        "r.csv:3 handle 'aa' is not in the accounts file",
        "r.csv:4 handle '-' is not in the accounts file",
    ]


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


def test_a_posted_at_of_the_users_own_gives_way_to_the_ids_own_time(folder):
    table = folder({"r.csv": f"{HEADER[:-1]},posted_at\n{BIG},a,1999-01-01\n"}).table
    assert table["posted_at"].to_pylist() == [posted_at(BIG)]
    assert table.column_names.count("posted_at") == 1


def test_a_hash_sign_begins_no_comment(folder):
    table = folder({"r.csv": f"{HEADER[:-1]},text\n1,a,#spring sale\n2,a,#summer\n"}).table
    assert table["text"].to_pylist() == ["#spring sale", "#summer"]
    assert bad_rows(folder, {"r.csv": f"{HEADER[:-1]},text\n1,a,#x\n#2,b,z\n"}) == [
        f"r.csv:3 tweet_id '#2' {NOT_A_NUMBER}"
    ]


def test_brackets_in_the_name_of_a_file_stand_for_themselves_alone(folder):
    files = {"r[1].csv": f"{HEADER}1,a\n", "r1.csv": f"{HEADER}2,a\n"}
    assert folder(files).tweets == (Tweet(1, "a"), Tweet(2, "a"))


def test_a_quoted_value_far_below_the_readers_sample_is_read(folder):
    plain = "".join(f"{number},a,plain\n" for number in range(1, 30_001))
    table = folder({"r.csv": f'{HEADER[:-1]},text\n{plain}30001,a,"x, ""y""\nz"\n'}).table
    assert table["text"].to_pylist()[-1] == 'x, "y"\nz'


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


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("x1,a", f"tweet_id 'x1' {NOT_A_NUMBER}"),
        (",a", "tweet_id is missing"),
        ("0,a", f"tweet_id '0' {NOT_A_NUMBER}"),
        ("-5,a", f"tweet_id '-5' {NOT_A_NUMBER}"),
        ("1.5,a", f"tweet_id '1.5' {NOT_A_NUMBER}"),
        ("1.89E+18,a", f"tweet_id '1.89E+18' {NOT_A_NUMBER}"),
        ("9223372036854775808,a", f"tweet_id '9223372036854775808' {NOT_A_NUMBER}"),
        ("9" * 5000 + ",a", f"tweet_id '{'9' * 5000}' {NOT_A_NUMBER}"),
        ("٣,a", f"tweet_id '٣' {NOT_A_NUMBER}"),
        ('"1\n2",a', f"tweet_id '1\\n2' {NOT_A_NUMBER}"),
        ("7,stranger", "handle 'stranger' is not in the accounts file"),
        ("5,b", "tweet_id 5 is already in r.csv"),
    ],
)
def test_a_bad_row_is_named_with_its_file_and_line_and_the_reason(folder, row, problem):
    assert bad_rows(folder, {"r.csv": f"{HEADER}5,a\n{row}\n6,b\n"}) == [f"r.csv:3 {problem}"]


def test_all_bad_rows_are_listed_and_the_fix(folder):
    error = refusal(folder, {"r.csv": f"{HEADER}x,a\n1,a\ny,a\n"})
    assert str(error) == (
        f"2 bad rows of the roster: {folder.path}/r.csv:2 tweet_id 'x' {NOT_A_NUMBER}; "
        f"{folder.path}/r.csv:4 tweet_id 'y' {NOT_A_NUMBER}. Mend them or pass --skip-bad-rows"
    )


def test_of_very_many_bad_rows_the_message_shows_ten_and_counts_the_rest(folder):
    error = refusal(folder, {"r.csv": HEADER + "x,a\n" * 12})
    assert str(error).count(NOT_A_NUMBER) == 10
    assert "; and 2 more. Mend them" in str(error)
    assert len(error.rows) == 12


def test_a_duplicate_is_found_across_files(folder):
    files = {"a.csv": f"{HEADER}5,a\n", "b.jsonl": lines({"tweet_id": "5", "handle": "a"})}
    assert bad_rows(folder, files) == ["b.jsonl:1 tweet_id 5 is already in a.csv"]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_lines_are_counted_as_an_editor_does_across_blank_lines_and_values_of_several_lines(folder, separator):
    text = 'tweet_id,handle,text\n\n1,a,"two\nlines"\n\nx,a,"three\n\nlines"\ny,a,\n'.replace(",", separator)
    assert [row.split(" ")[0] for row in bad_rows(folder, {"r.csv": text})] == ["r.csv:6", "r.csv:9"]


def test_lines_of_json_are_counted_across_blank_lines(folder):
    text = '\n{"tweet_id": "x", "handle": "a"}\n\n\n{"tweet_id": 5, "handle": "c"}\n'
    assert [row.split(" ")[0] for row in bad_rows(folder, {"r.jsonl": text})] == ["r.jsonl:2", "r.jsonl:5"]


def test_a_bad_row_of_a_parquet_file_is_named_by_its_number(folder):
    assert bad_rows(folder, {"r.parquet": {"tweet_id": [5, -1, None], "handle": ["a", "a", "a"]}}) == [
        f"r.parquet:row 2 tweet_id '-1' {NOT_A_NUMBER}",
        "r.parquet:row 3 tweet_id is missing",
    ]


def test_floats_are_refused_since_they_corrupt_ids(folder):
    rows = bad_rows(folder, {"r.parquet": {"tweet_id": [float(BIG)], "handle": ["a"]}})
    assert rows == [
        "r.parquet:row 1 tweet_id 1.89e+18 is a floating-point number, which cannot hold an ID: write it as text"
    ]


def test_one_float_among_the_numbers_of_json_does_not_touch_the_others(folder):
    text = f'{{"tweet_id": {BIG}, "handle": "a"}}\n{{"tweet_id": 1.89e18, "handle": "a"}}\n'
    assert [row.split(" ")[0] for row in bad_rows(folder, {"r.jsonl": text})] == ["r.jsonl:2"]
    assert folder({}, skip_bad_rows=True).tweets == (Tweet(BIG, "a"),)


def test_bad_rows_are_skipped_on_request_and_still_told(folder):
    loaded = folder({"r.csv": f"{HEADER}x,a\n1,a\n"}, skip_bad_rows=True)
    assert loaded.tweets == (Tweet(1, "a"),)
    assert loaded.bad_rows == (f"{folder.path}/r.csv:2 tweet_id 'x' {NOT_A_NUMBER}",)


@pytest.mark.parametrize("files", [{}, {"notes.txt": "x"}])
def test_without_a_roster_file_the_pattern_and_the_kinds_are_named(folder, files):
    message = str(refusal(folder, files))
    assert message.startswith(f"no roster: {folder.path}/* names no file ending in .csv, .jsonl")


@pytest.mark.parametrize(
    ("files", "options"),
    [({"r.csv": HEADER}, {}), ({"r.csv": f"{HEADER}x,a\n"}, {"skip_bad_rows": True})],
    ids=["a header alone", "bad rows alone"],
)
def test_a_roster_without_a_tweet_is_refused(folder, files, options):
    told = f"the roster {folder.path}/* holds no Tweet to pull: write a row of tweet_id and handle for each, "
    assert str(refusal(folder, files, **options)) == told + "as the README shows"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("r.csv", "id,handle\n1,a\n", "has no column tweet_id: it has id, handle"),
        ("r.csv", "tweet_id,owner\n1,a\n", "has no column handle: it has tweet_id, owner"),
        ("r.csv", "", "is empty: it needs the columns tweet_id and handle, or to be moved away"),
        ("r.jsonl", "", "is empty: it needs the columns"),
        ("r.jsonl", lines({"tweet_id": 1}), "has no column handle: it has tweet_id"),
        ("r.parquet", {"handle": ["a"]}, "has no column tweet_id: it has handle"),
        ("r.jsonl", '{"tweet_id": 1, "handle"\n', "cannot be read: "),
        ("r.json", '[{"tweet_id": 1,\n "handle": "a"}]\n', "cannot be read: "),
        ("r.parquet", b"PAR1 but not really", "cannot be read: "),
        ("r.csv", b"tweet_id,handle\n1,\xff\xfe\n", "cannot be read: "),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_reason(folder, name, content, words):
    message = str(refusal(folder, {name: content}))
    assert message.startswith(f"{folder.path / name} {words}")


def test_files_that_disagree_on_a_column_are_refused_in_one_line(folder):
    files = {
        "a.parquet": {"tweet_id": [1], "handle": ["a"], "campaign": [5]},
        "b.parquet": {"tweet_id": [2], "handle": ["a"], "campaign": ["spring"]},
    }
    assert str(refusal(folder, files)).startswith(f"the files of {folder.path}/* disagree on a column's type: ")
