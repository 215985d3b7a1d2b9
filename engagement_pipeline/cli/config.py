"""`engagement config`: each setting, its value, and where it is set.

In: the environment and the files that hold settings. Out: a table, or JSON for programs. No value that is a secret, and
no password in an address.
"""

from __future__ import annotations

from datetime import date, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engagement_pipeline.cli import arguments, output
from engagement_pipeline.core import settings
from engagement_pipeline.core.redaction import MASK, without_password

if TYPE_CHECKING:
    import argparse

JSON = None | bool | int | str | list[str]  # what a value becomes


def add_command(commands: arguments.Commands) -> None:
    """Add the command."""
    text = "show each setting, its value, and the variable or file where it is set"
    sub = arguments.add_command(commands, "config", _run, text)
    sub.add_argument("--json", action="store_true", help="print one JSON object, for programs")


def _run(options: argparse.Namespace) -> None:
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
        return MASK if key in settings.SECRETS else without_password(str(value))
    if isinstance(value, tuple):
        return list(value)
    assert isinstance(value, int)
    return value
