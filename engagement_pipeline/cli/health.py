"""The command `engagement doctor`, which tells whether the lake is whole.

In: arguments. Out: a line a finding, each with what mends it, or one line that the lake is whole; or JSON.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from engagement_pipeline import pipeline
from engagement_pipeline.core import settings
from engagement_pipeline.core.errors import EngagementError
from engagement_pipeline.core.redaction import printable, redacted
from engagement_pipeline.core.words import counted

if TYPE_CHECKING:
    import argparse

    from engagement_pipeline.observe.doctor import Examination


def doctor(options: argparse.Namespace) -> None:
    """Examine the lake; raise EngagementError if it is not whole."""
    found = pipeline.examine(settings.load(config=options.config), quick=options.quick)
    if options.json:
        print(as_json(found))
    else:
        for line in map(str, found.findings) if found.findings else [whole(found)]:
            print(printable(redacted(line)))
    if found.findings:
        raise EngagementError(f"the lake is not whole: {counted(len(found.findings), 'finding')}, see above")


def as_json(found: Examination) -> str:
    """Return an examination as JSON: whether the lake is whole, the findings, and what the lake holds."""
    fields = {"whole": not found.findings, **asdict(found)}
    return json.dumps(fields, indent=1, default=str)


def whole(found: Examination) -> str:
    """Return the line that says what a whole lake holds."""
    days = f"{counted(found.days, 'day')}"
    between = f"{counted(found.gaps, 'day')} between without rows" if found.gaps else "no gap"
    days += f" ({found.first} to {found.last}, {between})" if found.days else ""
    parts = [days, counted(found.rows, "row"), counted(found.responses, "response")]
    parts += [f"{counted(found.lost_responses, 'response')} gone for good"] if found.lost_responses else []
    parts += [f"{counted(found.set_aside, 'Tweet')} set aside"]
    parts += [f"{found.free_bytes / 1e9:,.1f} GB free"] if found.free_bytes is not None else []
    return f"the lake is whole: {', '.join(parts)}"
