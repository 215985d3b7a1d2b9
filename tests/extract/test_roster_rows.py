"""The rows of a roster that cannot be used: each by its file and line, many of a kind in one line."""

import pytest
from rosters import HEADER, NOT_A_NUMBER, bad_rows, refusal

from engagement_pipeline.extract import rounded_ids


def test_a_tweet_is_one_of_others_only_where_nobody_is_named(folder):
    """A typo never turns an owned Tweet into one of others."""
    assert bad_rows(folder, {"r.csv": f"{HEADER}1,@\n2,aa\n3,-\n"}) == [
        "r.csv:2 handle '@' is not in the accounts file: a handle has letters, digits and _ only",
        "r.csv:3 handle 'aa' is not in the accounts file: did you mean a? engagement authorize aa adds it",
        "r.csv:4 handle '-' is not in the accounts file: a handle has letters, digits and _ only",
    ]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("x1,a", f"tweet_id 'x1' {NOT_A_NUMBER}"),
        (",a", "tweet_id is missing"),
        ("0,a", f"tweet_id '0' {NOT_A_NUMBER}"),
        ("-5,a", f"tweet_id '-5' {NOT_A_NUMBER}"),
        ("1.5,a", f"tweet_id '1.5' {NOT_A_NUMBER}: {rounded_ids.CURE}"),
        ("1.89E+18,a", f"tweet_id '1.89E+18' {NOT_A_NUMBER}: {rounded_ids.CURE}"),
        ("9223372036854775808,a", f"tweet_id '9223372036854775808' {NOT_A_NUMBER}"),
        ("9" * 5000 + ",a", f"tweet_id '{'9' * 5000}' {NOT_A_NUMBER}"),
        ("٣,a", f"tweet_id '٣' {NOT_A_NUMBER}"),
        ('"1\n2",a', f"tweet_id '1\\n2' {NOT_A_NUMBER}"),
        ("7,stranger", "handle 'stranger' is not in the accounts file: engagement authorize stranger adds it"),
    ],
)
def test_a_bad_row_is_named_with_its_file_and_line_and_the_reason(folder, row, problem):
    assert bad_rows(folder, {"r.csv": f"{HEADER}5,a\n{row}\n6,b\n"}) == [f"r.csv:3 {problem}"]


def test_of_very_many_bad_rows_the_message_shows_ten_and_counts_the_rest(folder):
    error = refusal(folder, {"r.csv": HEADER + "".join(f"{k},stranger{k}\n" for k in range(1, 13))})
    assert str(error).count("is not in the accounts file") == 10
    assert "; and 2 more. Correct them" in str(error)
    assert len(error.rows) == 12


def test_many_rows_of_one_handle_are_one_line_with_the_count_wherever_they_stand(folder):
    files = {"a.csv": HEADER + "".join(f"{k},Stranger\n" for k in range(1, 1001)), "b.csv": f"{HEADER}1001,@stranger\n"}
    error = refusal(folder, files)
    assert str(error).startswith("1,001 bad rows of the roster: ")
    (told,) = error.rows
    assert told == (
        f"{folder.path}/a.csv:2 and 1,000 more such rows: handle 'Stranger' is not in the accounts file: engagement "
        "authorize stranger adds it"
    )


def test_many_bad_rows_of_one_kind_are_one_line_a_file(folder):
    files = dict.fromkeys(("a.csv", "b.csv"), HEADER + ",a\n" * 11 + "x,a\n")
    assert bad_rows(folder, files) == [
        "a.csv:2 and 10 more such rows: tweet_id is missing",
        f"a.csv:13 tweet_id 'x' {NOT_A_NUMBER}",
        "b.csv:2 and 10 more such rows: tweet_id is missing",
        f"b.csv:13 tweet_id 'x' {NOT_A_NUMBER}",
    ]
