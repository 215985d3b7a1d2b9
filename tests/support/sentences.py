"""The sentences of a page and of docstrings, to count their words: code, tables, drawings and headings are left out."""

import ast
import re

FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
MARKER = re.compile(r"^ *(?:[-*]|\d+\.) +")
CODE = re.compile(r"``.+?``|`[^`]*`", re.DOTALL)
LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")
END = re.compile(r"(?:(?<=[.!?])|(?<=[.!?][\")*]))\s+")


def of_page(markdown):
    """Return the sentences of a Markdown page; an item of a list ends the sentence before it."""
    blocks = [[]]
    for line in FENCE.sub("", markdown).splitlines():
        left_out = not line.strip() or line.lstrip().startswith(("#", "|"))
        if left_out or MARKER.match(line):
            blocks.append([])
        if not left_out and not _is_drawn(line, goes_on=bool(blocks[-1])):
            blocks[-1].append(MARKER.sub("", line).strip())
    return [sentence for block in blocks for sentence in END.split(" ".join(block)) if sentence]


def of_source(python):
    """Return the sentences of all docstrings of a module; lines that stand deeper than the docstring are drawings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = []
    for node in ast.walk(ast.parse(python)):
        if isinstance(node, documented) and (docstring := ast.get_docstring(node, clean=False)):
            margin = "\n" + " " * node.body[0].col_offset
            found += of_page(docstring.replace(margin, "\n"))
    return found


def words(sentence):
    """Return how many words a sentence has; a piece of code is one."""
    plain = CODE.sub("code", LINK.sub(r"\1", sentence))
    return sum(any(map(str.isalnum, word)) for word in plain.split())


def _is_drawn(line, *, goes_on):
    """Tell whether a line is code by its indent; within a paragraph or an item of a list, an indent only goes on."""
    return line.startswith("    ") and not goes_on and not MARKER.match(line)
