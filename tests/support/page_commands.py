"""The commands that a page has for a shell."""

import re
import shlex

BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
IN_TABLE = re.compile(r"^\|.*`(dc .*?)`", re.MULTILINE)


def lines(page):
    """Return each command in the blocks and tables of a page, in their order; those with a gap are left out."""
    in_blocks = [line[2:] for block in BLOCK.findall(page) for line in block.splitlines() if line[:2] in {"$ ", "# "}]
    return [line for line in (*in_blocks, *IN_TABLE.findall(page)) if "…" not in line]


def of(page):
    """Return each command as its words."""
    return [shlex.split(line) for line in lines(page)]
