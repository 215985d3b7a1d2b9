"""What pages that hold charts share: their look, and how they write numbers, moments and texts.

In: a folder of templates. Out: what fills them in. Whatever the API or the roster said is escaped.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from engagement_pipeline.core.redaction import printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

DAY_HOURS = 24
UNKNOWN = "\N{EN DASH}"
JOINED = "\N{NO-BREAK SPACE}"


def style() -> str:
    """Return the CSS of a page, light and dark: the charts take their colours from it."""
    return Path(__file__).with_name("page.css").read_text(encoding="utf-8").strip()


def environment(folder: Path) -> Environment:
    """Return what fills a folder's pages in. A misspelled name is an error, and each text is escaped and printable."""
    made = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    made.filters |= {
        "count": _known("{:,}".format),
        "mean": _known("{:,.0f}".format),
        "percent": _known("{:.2%}".format),
        "change": _known("{:+.1%}".format),
        "points": _known(lambda points: f"{100 * points:+.2f}"),
        "day": _known(lambda moment: f"{moment:%Y-%m-%d}"),
        "moment": _moment,
        "words": words,
        "age": _age,
    }
    return made


def words(name: str) -> str:
    """Return the name of a metric or a rate, as a person reads it."""
    return name.replace("_", " ").capitalize().replace("Url", "URL")


def _known(written: Callable[[Any], str]) -> Callable[[Any], str]:
    """Return what writes a value, and a dash for None."""
    return lambda value: UNKNOWN if value is None else written(value)


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _age(hours: int) -> str:
    """Return an age in words."""
    return f"{hours}{JOINED}h" if hours < DAY_HOURS else f"{hours // DAY_HOURS}{JOINED}d"
