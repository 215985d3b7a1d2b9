"""The English of pages and docstrings can be read once: short sentences, and one meaning a term."""

import re
from pathlib import Path

import pytest
from sentences import of_page, of_source, words

CLONE = Path(__file__).parents[2]
NAMES = ("README", "CONTRIBUTING", "GLOSSARY", "CHANGELOG", "data/README", "benchmarks/README")
PAGES = [*(CLONE / f"{name}.md" for name in NAMES), *sorted((CLONE / "docs").glob("*.md"))]
SOURCES = [path for folder in ("engagement_pipeline", "assets") for path in (CLONE / folder).rglob("*.py")]
MOST_WORDS = 30
LONG_IN_DOCSTRINGS = 11  # as many as there are; lower it with each one that is mended, never raise it
TERM = re.compile(r"^- \*\*(.+?)\*\*: (.+(?:\n  .+)*)", re.MULTILINE)
GLOSSARY = TERM.findall((CLONE / "GLOSSARY.md").read_text(encoding="utf-8"))


def too_long(sentences):
    return [sentence for sentence in sentences if words(sentence) > MOST_WORDS]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CLONE)))
def test_no_sentence_of_a_page_is_too_long(page):
    sentences = of_page(page.read_text(encoding="utf-8"))
    assert sentences
    assert too_long(sentences) == []


def test_the_long_sentences_of_docstrings_become_no_more():
    found = [sentence for path in SOURCES for sentence in too_long(of_source(path.read_text(encoding="utf-8")))]
    assert len(found) <= LONG_IN_DOCSTRINGS, found


def test_each_term_is_defined_once():
    terms = [term.lower().removeprefix("to ") for term, _ in GLOSSARY]
    assert len(terms) > 25
    assert sorted(terms) == sorted(set(terms))


@pytest.mark.parametrize(("term", "meaning"), GLOSSARY, ids=[term for term, _ in GLOSSARY])
def test_a_term_is_defined_in_one_or_two_sentences(term, meaning):
    assert 1 <= len(of_page(meaning)) <= 2
    assert not re.match(rf"(an? |the )?{term}\b", meaning, re.IGNORECASE)  # not by itself


@pytest.mark.parametrize("term", [term.lower().removeprefix("to ") for term, _ in GLOSSARY])
def test_each_term_is_used_in_a_page(term):
    pages = " ".join(page.read_text(encoding="utf-8") for page in PAGES if page.stem != "GLOSSARY")
    assert re.search(rf"\b{term}", " ".join(pages.lower().split()))


def test_each_term_that_a_definition_leans_on_is_defined():
    terms = {term.lower().removeprefix("to ") for term, _ in GLOSSARY}
    used = {word.lower() for _, meaning in GLOSSARY for word in re.findall(r"\*(.+?)\*", meaning)}
    assert used
    assert used <= terms | {f"{term}s" for term in terms}


def test_code_tables_drawings_and_headings_are_no_sentences():
    page = """# A heading. With two sentences

One of `two words`, and [a link](https://example.com). Two (in
two lines) "and a quote." Three

- Four goes on
  here
1. Five

```console
$ a command. And another
```

    a drawing. And another

| a | table. |
"""
    assert of_page(page) == [
        "One of `two words`, and [a link](https://example.com).",
        'Two (in two lines) "and a quote."',
        "Three",
        "Four goes on here",
        "Five",
    ]
    assert words("One of `two words`, and [a link](https://example.com).") == 6


def test_docstrings_are_read_whole_and_comments_not():
    source = '"""A module. It draws:\n\n    a -> b\n"""\n\n\ndef f():\n    """Return 1."""\n    return 1  # why\n'
    assert of_source(source) == ["A module.", "It draws:", "Return 1."]
