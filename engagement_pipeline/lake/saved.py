"""The reports that were saved from a lake, wherever they are: a Tweet that is forgotten goes from them too.

In: where a report is written. Out: saved.jsonl, a line for each file. Lines are only ever appended.
"""

from __future__ import annotations

import shlex
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from engagement_pipeline.lake.layout import Lake

GENERATOR = "engagement report"  # what a report says of itself, so that no other file is taken for one
MARK = f'<meta name="generator" content="{GENERATOR}">'.encode()


@dataclass(frozen=True, slots=True)
class Saved:
    """A report: its absolute path, and the handle and the month that it is of."""

    path: str
    handle: str
    month: str

    @property
    def command(self) -> str:
        """The command that writes it anew."""
        return shlex.join(["engagement", "report", self.handle, self.month, "--output", self.path])


def note(lake: Lake, saved: Saved) -> None:
    """Write down that a report is saved, unless it is known. Raises LakeError if that cannot be written."""
    if saved not in load(lake):
        lake.storage.append_line(lake.saved, orjson.dumps(asdict(saved)))


def load(lake: Lake) -> list[Saved]:
    """Return the reports that were saved, each once; a line that a power cut left torn is none."""
    found = []
    for line in lake.storage.lines(lake.saved):
        with suppress(orjson.JSONDecodeError, TypeError):
            found.append(Saved(**orjson.loads(line)))
    return list(dict.fromkeys(found))
