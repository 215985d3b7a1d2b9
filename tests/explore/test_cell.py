"""The SQL cell: it reads the views and nothing else."""

import pytest
from traps import OLD

from engagement_pipeline.core.errors import InputError
from engagement_pipeline.explore import cell
from engagement_pipeline.explore.cell import Answer, answers

SECRET = "a-token-that-nobody-may-see"


def test_an_answer_is_text_and_null_is_told_apart(trapped):
    sql = f"select tweet_id, handle, null as nothing, 1.5 as part from tweets where tweet_id = {OLD}"
    assert answers(trapped, sql) == [
        Answer(
            names=["tweet_id", "handle", "nothing", "part"],
            numbers=[True, False, False, True],
            rows=[[str(OLD), "ann", None, "1.5"]],
            more=False,
        )
    ]


def test_a_long_answer_is_cut_and_says_so(trapped):
    (found,) = answers(trapped, "from range(201)")
    assert (len(found.rows), found.more) == (200, True)


def test_marts_macros_and_several_statements_are_answered(trapped):
    sql = (
        "select count(*) from hour_of_week('Asia/Tokyo'); summarize tweet_lifetime; from compat.twitter_organic__tweets"
    )
    assert len(answers(trapped, sql)) == 3


@pytest.mark.parametrize(
    ("sql", "line"),
    [
        ("selec 1", "the query failed: Parser Error: syntax error at or near"),
        ("select nobody from tweets", 'the query failed: there is no column "nobody" here'),
        ("copy tweets to '/tmp/x.csv'", "this cell answers SELECT, FROM, WITH and SUMMARIZE"),
        ("from (pivot daily on day using sum(count))", "this cell answers SELECT, FROM, WITH and SUMMARIZE"),
        ("set timezone = 'UTC'", "this cell answers SELECT, FROM, WITH and SUMMARIZE"),
        ("--", "the query is empty"),
        ("select '" + "x" * 20_000 + "'", "the query is longer than 20,000 characters"),
    ],
)
def test_what_cannot_be_answered_is_one_line(trapped, sql, line):
    with pytest.raises(InputError) as raised:
        answers(trapped, sql)
    assert str(raised.value).startswith(line)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "sql",
    [
        "from read_text('{}')",
        "select * from main.\"READ_TEXT\"('{}')",
        "with a as (select 1) select (select max(content) from read_blob('{}')) from a",
        "from query('from read_text(''{}'')')",
        "from query_table('{}')",
        "from '{}'",
        "from read_csv('{}')",
        "from glob('{}')",
        "select 1; from read_text('{}')",
        "summarize from read_text('{}')",
        "explain analyze from read_text('{}')",
    ],
)
def test_no_file_is_opened_by_its_name_though_it_lies_in_the_lake(trapped, sql):
    secret = trapped.root / "accounts.toml"
    secret.write_text(SECRET)
    try:
        with pytest.raises(InputError) as raised:
            answers(trapped, sql.format(secret))
    finally:
        secret.unlink()
    assert str(raised.value).startswith("this cell ")
    assert SECRET not in str(raised.value)


def test_a_second_query_does_not_wait_for_the_first(trapped):
    with cell._one, pytest.raises(InputError, match="another query is being answered"):
        answers(trapped, "select 1")
    assert answers(trapped, "select 1")[0].rows == [["1"]]
