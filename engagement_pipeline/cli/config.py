"""`engagement config`: each setting, its value, and where it is set.

In: the environment and the files that hold settings. Out: a table, or JSON for programs. No value that is a secret, and
no password in an address.
"""

from __future__ import annotations

from datetime import date, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engagement_pipeline.cli import output
from engagement_pipeline.core import settings

if TYPE_CHECKING:
    import argparse

JSON = None | bool | int | str | list[str]  # what a value becomes


def run(options: argparse.Namespace) -> None:
    """Show each setting."""
    chosen = settings.chosen(config=options.config)
    values = {key: (_plain(key, each.value), each.origin) for key, each in chosen.items()}
    output.show_settings(values, as_json=options.json)


def _plain(key: str, value: Any) -> JSON:  # noqa: ANN401 - a setting of any type
    """Return a value as JSON has it; null for what is not set."""
    if value in ("", None):
        return None
    if isinstance(value, date | time):  # a datetime is a date too
        return f"{value:%H:%M}" if isinstance(value, time) else value.isoformat()
    if isinstance(value, str | Path):
        return str(settings.shown(key, value))
    if isinstance(value, tuple):
        return [each if isinstance(each, str) else "=".join(each) for each in value]
    assert isinstance(value, int)
    return value
