"""The cookbook's queries, each trap in it, and that its lake is the one that `make demo` shows in the README."""

import re
from pathlib import Path

import pytest

from docs import answers
from engagement_pipeline.cli import demo
from engagement_pipeline.query import catalog

CLONE = Path(__file__).parents[2]
PAGE = (CLONE / "docs" / "cookbook.md").read_text(encoding="utf-8")
QUESTIONS = {
    section.partition("\n")[0]: [found["answer"] for found in answers.ASKED.finditer(section)]
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
}
TRAPS = {question: told for question, told in QUESTIONS.items() if len(told) == 2}


@pytest.mark.parametrize("page", answers.PAGES, ids=str)
def test_each_answer_is_the_demo_s_or_else_run_make_docs(page, demo_lake):
    text = (CLONE / page).read_text(encoding="utf-8")
    assert answers.filled(text, demo_lake) == text


def test_there_are_twenty_five_questions_each_with_a_query_its_answer_and_a_trap():
    assert len(QUESTIONS) == 25
    assert all(QUESTIONS.values())
    assert PAGE.count("The trap: ") == 25
    assert PAGE.count("```sql") == len(answers.ASKED.findall(PAGE))
    assert len(TRAPS) == 23


def columns(answer):
    """Return the cells of each column of a printed answer that has numbers alone, or NULL."""
    names, _, *rows = [re.split(r"\s{3,}", line.strip()) for line in answer.splitlines()]
    found = {name: {row[place] for row in rows} for place, name in enumerate(names)}
    return {name: cells for name, cells in found.items() if all(re.fullmatch(r"-?[\d,.]+|NULL", c) for c in cells)}


@pytest.mark.parametrize("question", TRAPS)
def test_the_naive_query_gives_a_number_that_the_answer_has_not(question):
    right, naive = map(columns, TRAPS[question])
    shared = right.keys() & naive.keys()
    assert shared
    assert any(naive[name] - right[name] for name in shared)


def test_the_answers_of_the_readme_are_this_lake_s(demo_lake):
    readme = (CLONE / "README.md").read_text(encoding="utf-8")
    total = catalog.query(demo_lake, "select count(*) as n, count(distinct tweet_id) as tweets from engagements")
    assert "\n{n:,} rows of {tweets:,} Tweets. ".format(**total.to_pylist()[0]) in readme
    (title, sql), *_ = demo.QUESTIONS.items()
    with catalog.confined(demo_lake) as connection:
        assert f"\n{title}\n\n{answers.answer(connection, sql)}" in readme
