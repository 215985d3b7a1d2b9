"""The roster's files: all that there are, and all rows of each with exact IDs, or a refusal with the line."""

import glob
import gzip
import json
from decimal import Decimal

import pyarrow as pa
import pytest
from rosters import BIG, HEADER, NOT_A_NUMBER, bad_rows, lines, refusal, write

from engagement_pipeline.core.model import Tweet
from engagement_pipeline.extract import roster_files

BIGGER = 9223372036854775807


LAST = lines({"tweet_id": BIG, "handle": "a"}).encode()
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
    "upper case": ("R.CSV", f"Tweet_ID,HANDLE\n{BIGGER},b\n{BIG},a\n"),
    "tsv": ("r.tsv", f"tweet_id\thandle\n{BIGGER}\tb\n{BIG}\ta\n"),
    "txt": ("r.txt", f"tweet_id|handle\n{BIGGER}|b\n{BIG}|a\n"),
    "packed CSV": ("r.csv.gz", gzip.compress(f"{HEADER}{BIGGER},b\n{BIG},a\n".encode())),
    "packed JSON lines": ("R.JSONL.GZ", gzip.compress(lines({"tweet_id": BIGGER, "handle": "b"}).encode() + LAST)),
    "UTF-16": ("r.txt", f"tweet_id\thandle\n{BIGGER}\tb\n{BIG}\ta\n".encode("utf-16")),
    "sep line": ("r.csv", f"sep=;\ntweet_id;handle\n{BIGGER};b\n{BIG};a\n"),
    "sep line after a byte order mark": ("r.csv", f'\ufeff"sep=|"\r\ntweet_id|handle\r\n{BIGGER}|b\r\n{BIG}|a\r\n'),
    "mixed line ends": ("r.csv", f"{HEADER[:-1]}\r\n{BIGGER},b\r\n{BIG},a\n"),
    "line ends of old": ("r.csv", f"{HEADER[:-1]}\r{BIGGER},b\r{BIG},a\r"),
    "empty rows and columns of a spreadsheet": ("r.csv", f"{HEADER[:-1]},,\n{BIGGER},b,,\n,,,\n{BIG},a,,\n,,,\n"),
    "byte order mark before JSON": ("r.jsonl", "\ufeff" + lines({"tweet_id": BIGGER, "handle": "b"}) + LAST.decode()),
    "JSON array": ("r.json", json.dumps([{"tweet_id": BIGGER, "handle": "b"}, {"tweet_id": str(BIG), "handle": "a"}])),
    "JSON array over lines": ("r.json", json.dumps([{"tweet_id": BIGGER, "handle": "b"}, json.loads(LAST)], indent=1)),
    "Parquet categories": (
        "r.parquet",
        {"tweet_id": [BIGGER, BIG], "handle": pa.array(["b", "a"]).dictionary_encode()},
    ),
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


def test_one_float_among_the_numbers_of_json_does_not_touch_the_others(folder):
    text = f'{{"tweet_id": {BIG}, "handle": "a"}}\n{{"tweet_id": 1.89e18, "handle": "a"}}\n'
    assert [row.split(" ")[0] for row in bad_rows(folder, {"r.jsonl": text})] == ["r.jsonl:2"]
    assert folder({}, skip_bad_rows=True).tweets == (Tweet(BIG, "a"),)


@pytest.mark.parametrize("files", [{}, {"notes.md": "x"}, {"notes.txt": "x"}])
def test_without_a_roster_file_the_pattern_and_the_kinds_are_named(folder, files):
    message = str(refusal(folder, files))
    assert message.startswith(f"no roster: {folder.path}/* names no file ending in .csv, .tsv")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "r.csv",
            "id,handle\n1,a\n",
            "has no column tweet_id: it has id, handle; add it, or rename the one that is meant",
        ),
        ("r.csv", "tweet_id,owner\n1,a\n", "has no column handle: it has tweet_id, owner"),
        ("r.csv", "", "is empty: write the columns tweet_id and handle, or move the file away"),
        ("r.jsonl", "", "is empty: write the columns"),
        ("r.json", "[]", "has no column tweet_id: it has none"),
        ("r.jsonl", lines({"tweet_id": 1}), "has no column handle: it has tweet_id"),
        ("r.parquet", {"handle": ["a"]}, "has no column tweet_id: it has handle"),
        ("r.parquet", b"PAR1 but not really", "cannot be read: "),
        ("r.csv.gz", gzip.compress(b"tweet_id,handle\n1,a\n", mtime=0)[:-9], "cannot be read: "),
        ("r.csv", "tweet_id,handle,Handle\n1,a,b\n", "has the column handle 2 times: rename all but one"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_reason(folder, name, content, words):
    message = str(refusal(folder, {name: content}))
    assert message.startswith(f"{folder.path / name} {words}")


NOTES = "".join(f"{BIG + 4096 * k},a,note\n" for k in range(3000))
STRAY = {
    "one, never closed": [("note", '"note')],
    "one in the first value": [(f"{BIG + 4096 * 2500}", f'"{BIG + 4096 * 2500}')],
    "one in the header": [("text\n", '"text\n')],
    "two, that look like a value of 100 lines": [("note", '"note'), ("note", 'note"')],
    "two, around the end of the header": [("text\n", '"text\n'), ("note", 'note"')],
}


@pytest.mark.parametrize("strays", STRAY.values(), ids=STRAY)
@pytest.mark.parametrize("skip", [False, True])
def test_no_row_is_lost_in_a_value_that_a_stray_quote_opens(folder, strays, skip):
    rows = f"tweet_id,handle,text\n{NOTES}".splitlines(keepends=True)
    for place, (old, new) in zip((2501, 2600), strays, strict=False):
        at = 0 if "text" in old else place
        rows[at] = rows[at].replace(old, new)
    line = next(number for number, row in enumerate(rows, 1) if '"' in row)
    message = str(refusal(folder, {"r.csv": "".join(rows)}, skip_bad_rows=skip))
    assert message.startswith(f"{folder.path}/r.csv:{line} ")
    assert message.endswith('close each quote that opens a value, and write one inside a quoted value twice ("")')


@pytest.mark.parametrize("row", ["{},,{}note{}", "{},,{}note{},", "{},b,{}note{}"])
def test_rows_of_short_ids_are_not_lost_so_either(folder, row):
    rows = [row.format(k, '"' * (k == 505), '"' * (k == 509)) for k in range(500, 520)]
    header = "tweet_id,handle,text" + ",further" * row.endswith(",")
    message = str(refusal(folder, {"r.csv": "\n".join([header, *rows])}))
    assert message.startswith(f"{folder.path}/r.csv:7 opens a quote that contains the row of line 8: ")


def test_a_text_of_several_lines_with_numbers_in_it_is_one_value(folder):
    text = f"3, 2, 1\n3, a go, now\nsee {BIG}\n{BIG}\n{BIG}, great"
    loaded = folder({"r.csv": f'tweet_id,handle,text\n1,a,"{text}"\n2,b,x\n'})
    assert loaded.table["text"].to_pylist() == [text, "x"]


def test_a_row_with_more_values_than_the_header_is_bad_since_a_comma_cut_it(folder):
    (told,) = bad_rows(folder, {"r.csv": "tweet_id,handle,text\n1,a,hello, world\n2,a,x,,\n"})
    assert told == ("r.csv:2 holds 4 values, but the header 3 names: put quotes around a value that has a ',' in it")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("r.csv", b"tweet_id,handle\n1,\xff\xfe\n", ":2 cannot be read: it is not UTF-8 text; save the file as UTF-8"),
        ("r.jsonl", '\n{"tweet_id": 1, "handle"\n', ":2 cannot be read: Expecting ':' delimiter; write one object"),
        ("r.json", '[{"tweet_id": 1,\n "handle": "a"\n', ":3 cannot be read: Expecting ',' delimiter"),
        ("r.json", '[{"tweet_id": 1, "handle": "a"}, 5]', ":item 2 is not an object with tweet_id and handle"),
        ("r.jsonl", "[1]\n" * 2, ":2 cannot be read: Extra data"),
        ("r.jsonl", "5\n", ":1 is not an object with tweet_id and handle"),
        ("r.jsonl", "[" * 100_000, " cannot be read: "),
        ("r.jsonl", '{"tweet_id": ' + "9" * 5000 + "}\n", ":1 cannot be read: Exceeds the limit"),
    ],
)
def test_where_a_file_cannot_be_read_is_told(folder, name, content, words):
    assert str(refusal(folder, {name: content})).startswith(f"{folder.path / name}{words}")


def test_bad_rows_of_a_json_array_are_told_by_their_number(folder):
    text = json.dumps([{"tweet_id": 1, "handle": "a"}, {"tweet_id": 1.5, "handle": "a"}])
    assert [row.split(" tweet")[0] for row in bad_rows(folder, {"r.json": text})] == ["r.json:item 2"]


def test_values_of_json_stay_as_they_are_written(folder):
    item = {"tweet_id": 1, "handle": "a", "n": 5, "flag": True, "tags": ["x", "\u00e9"], "half": "\ud800", "none": None}
    table = folder({"r.jsonl": lines(item)}).table
    further = table.drop_columns(["tweet_id", "handle", "posted_at"])
    assert further.to_pylist() == [{"n": "5", "flag": "true", "tags": '["x", "\u00e9"]', "half": "?", "none": None}]


@pytest.mark.parametrize("written", ["1e400", "-1e-400", "0.1234567890123456789012345", "1" * 50, "1.5", "[1e400]"])
def test_no_number_of_json_is_rounded(folder, written):
    items = f'[{{"tweet_id": 1, "handle": "a", "x": {written}}}]'
    (text,) = folder({"r.json": items}).table["x"].to_pylist()
    assert text.replace('"', "") == written


def test_a_decimal_that_duckdb_would_round_is_kept_as_text(folder):
    long = Decimal("1234567890123456789012345678901234567890.5")
    columns = {name: pa.array([value]) for name, value in {"x": long, "y": [long], "z": Decimal("1.5")}.items()}
    table = folder({"r.parquet": {"tweet_id": [1], "handle": ["a"], **columns}}).table
    assert table.select(["x", "y", "z"]).to_pylist() == [{"x": str(long), "y": [str(long)], "z": Decimal("1.5")}]


def test_what_is_left_alone_is_named_in_one_line(folder, caplog):
    (folder.path / "old").mkdir()
    write(folder.path / "old" / "o.csv", f"{HEADER}9,a\n")
    (folder.path / "gone.csv").symlink_to("nowhere")
    files = {"r.csv": f"{HEADER}1,a\n", "book.xlsx": b"PK", "notes.txt": b"caf\xe9 of tweet\n", ".hidden.csv": "x"}
    assert folder(files).tweets == (Tweet(1, "a"),)
    (told,) = caplog.messages
    left = ", ".join(f"{folder.path}/{name}" for name in ("book.xlsx", "gone.csv", "notes.txt", "old (a folder)"))
    assert told.startswith(f"left alone, not a file of the roster: {left}; such a file ends in .csv, .tsv, .txt, ")


@pytest.mark.parametrize("pattern", ["", "**", "**/*.csv", "deep/*"])
def test_a_folder_or_a_glob_of_folders_names_the_files_in_it(folder, caplog, pattern):
    files = {"deep/a.csv": f"{HEADER}1,a\n"} | ({} if "deep" in pattern else {"b.csv": f"{HEADER}2,a\n"})
    loaded = folder(files, pattern=pattern)
    assert [tweet.tweet_id for tweet in loaded.tweets] == ([2] if not pattern else [1] if "deep" in pattern else [1, 2])
    assert len(caplog.messages) == (not pattern)  # the folder in it


def test_a_folder_whose_name_has_brackets_is_read_too(tmp_path):
    place = tmp_path / "rosters [1]"
    write(place / "r.csv", f"{HEADER}1,a\n")
    assert roster_files.find(glob.escape(str(place))) == ([place / "r.csv"], [])
