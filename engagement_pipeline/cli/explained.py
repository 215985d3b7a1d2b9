"""The commands that explain a lake: tables, of its views and columns, and explain, of one count.

In: options. Out: one library call each, then text as wide as the terminal, or JSON for programs.
"""

from __future__ import annotations

import json
import shlex
import shutil
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from engagement_pipeline import explain as cells
from engagement_pipeline.cli.failures import on_terminal
from engagement_pipeline.core import settings
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.nearest import nearest
from engagement_pipeline.core.redaction import redacted
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import dictionary

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

CELL = ("tweet_id", "engagement_type", "day", "hour", "count")
WIDEST = len("response")
NARROWEST = 40  # columns of a terminal for a wrapped text
MOMENT = "%Y-%m-%d %H:%M:%S UTC"


def tables(options: argparse.Namespace) -> None:
    """Tell what the views are, or what one of them holds."""
    entries = {entry.name: entry for entry in dictionary.entries()}
    if options.table and options.table not in entries:
        near = nearest(options.table, entries)
        hint = f"did you mean {near}?" if near else f"choose from {', '.join(sorted(entries))}"
        raise InputError(f"there is no table {options.table!r}: {hint}")
    if options.json:
        chosen = [entries[options.table]] if options.table else [*entries.values()]
        print(json.dumps([asdict(entry) for entry in chosen], indent=2, default=list))
    elif options.table:
        entry = entries[options.table]
        _say(textwrap.fill(f"{entry.name}: one row is {entry.grain}. {entry.description}", _width()))
        print()
        _show((column.name, column.type, column.meaning) for column in entry.columns)
    else:
        _show((entry.name, entry.grain) for entry in entries.values())
        print("\nengagement tables NAME tells the columns of one")


def explain(options: argparse.Namespace) -> None:
    """Tell where one count comes from."""
    cell = cells.Cell(tweet_id=options.tweet, engagement_type=options.type, day=options.day, hour=options.hour)
    found = cells.explain(Lake(settings.load(config=options.config).data), cell)
    facts = _facts(found)
    if options.json:
        print(json.dumps(facts, indent=2))
        return
    count = "no count" if found.count is None else f"{found.count:,}"
    _say(f"{cell.tweet_id} {cell.engagement_type} on {cell.day} at {cell.hour:02}:00 UTC: {count}")
    for name, value in facts.items():
        if name not in CELL and value:  # on a line of its own, to be copied
            _say(f"  {name:<{WIDEST}}  {_text(value)}")


def _facts(found: cells.Explanation) -> dict[str, Any]:
    """Return what is known of a count, in the order in which it is told."""
    facts: dict[str, Any] = {**asdict(found.cell), "day": str(found.cell.day), "count": found.count}
    facts |= {"why": found.why} if found.why else {}
    if origin := found.origin:
        landed = origin.landed
        place = "".join(map(_jq, origin.place))
        facts |= {
            "response": str(landed.path),
            "asked_at": landed.asked_at.strftime(MOMENT),
            "handle": landed.request.handle,
            "days": str(landed.request.window),
            "tweets": len(landed.request.tweet_ids),
            "types": len(landed.request.types),
            "place": f".{place}",
            "value": origin.text,
            "command": f"zstd -dc {shlex.quote(str(landed.path))} | tail -n +2 | jq '.{place}'",
        }
    earlier = [{"count": was.count, "until": was.until.strftime(MOMENT)} for was in found.earlier]
    return facts | {"earlier": earlier}


def _jq(key: str) -> str:
    """Return a key as jq has it; one such as `id=1` is of the object in a list that has this value."""
    name, is_in_list, value = key.partition("=")
    return f'[] | select(.["{name}"] == "{value}") | .' if is_in_list else f'["{key}"]'


def _text(value: Any) -> str:  # noqa: ANN401 - what JSON has
    """Return a fact in words."""
    if not isinstance(value, list):
        return str(value)
    return ", ".join(f"{'no count' if was['count'] is None else was['count']} until {was['until']}" for was in value)


def _show(rows: Iterable[tuple[str, ...]]) -> None:
    """Print rows whose last column is text, which is wrapped."""
    told = [*rows]
    widths = [max(map(len, column)) for column in [*zip(*told, strict=True)][:-1]]
    beside = sum(widths) + 2 * len(widths) + 2
    wrap = textwrap.TextWrapper(
        max(_width(), beside + NARROWEST),
        subsequent_indent=" " * beside,
        break_long_words=False,
        break_on_hyphens=False,
    )
    for *names, text in told:
        wrap.initial_indent = "".join(f"  {name:<{width}}" for name, width in zip(names, widths, strict=True)) + "  "
        _say(wrap.fill(text))


def _width() -> int:
    return shutil.get_terminal_size().columns


def _say(text: str) -> None:
    print(on_terminal(redacted(text)))
