"""A report as one HTML file.

In: Figures. Out: the text of a page with its pictures inside, which asks no other place for anything and runs no
script. Whatever the API or the roster said is escaped. Each picture is drawn twice, for a screen and for a phone.
"""

from __future__ import annotations

from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from engagement_pipeline.charts import draw
from engagement_pipeline.charts.svg import svg
from engagement_pipeline.core.redaction import printable, redacted
from engagement_pipeline.report.figures import COHORT_HOURS

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime

    from engagement_pipeline.report.figures import Figures, Row

HERE = Path(__file__).parent
WIDTHS = {"wide": 680, "narrow": 340}  # pixels, by the class in page.css
AGES = (1, 3, 6, 12, 24, 48, 72, COHORT_HOURS)  # hours that the table of a curve tells
SHOWN = 50  # of the Tweets that are missing
DAY_HOURS = 24
UNKNOWN = "\N{EN DASH}"
JOINED = "\N{NO-BREAK SPACE}"
COUNTED = ("expected", "stored", "partial", "set_aside", "failed", "not_asked")
NOT_ASKED = "no request has asked for the day"


def page(figures: Figures) -> str:
    """Return a report as HTML."""
    template = _environment().get_template("page.html")
    trust = _each_day(figures)
    text = template.render(
        f=figures,
        nothing=nothing(figures),
        style=Markup((HERE / "page.css").read_text(encoding="utf-8").strip()),  # noqa: S704 - the package's own
        picture=partial(_picture, figures, trust),
        weekdays=draw.WEEKDAYS,
        week={(row["weekday"], row["hour"]): row["per_hour"] for row in figures.hours},
        ages=AGES,
        cohorts=_cohorts(figures.ages),
        doubtful=_doubtful(trust),
        unserved=max((row["set_aside"] for row in figures.trust), default=0),
        shown=SHOWN,
    )
    return redacted(text)


def nothing(figures: Figures) -> str:
    """Return in one line why a report has no counts; empty if it has some."""
    if not figures.tweets:
        return f"The lake has no Tweet of @{figures.handle}: put its Tweets into the roster, and pull."
    if not figures.as_of:
        return f"The lake has no counts of @{figures.handle} for {figures.month}: pull its days."
    return ""


def _environment() -> Environment:
    """Return what fills the page in. A misspelled name is an error, and each text is escaped and printable."""
    made = Environment(
        loader=FileSystemLoader(HERE),
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
        "words": lambda name: name.replace("_", " ").capitalize().replace("Url", "URL"),
        "age": _age,
    }
    return made


def _known(written: Callable[[Any], str]) -> Callable[[Any], str]:
    """Return what writes a value, and a dash for None."""
    return lambda value: UNKNOWN if value is None else written(value)


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _age(hours: int) -> str:
    """Return an age in words."""
    return f"{hours}{JOINED}h" if hours < DAY_HOURS else f"{hours // DAY_HOURS}{JOINED}d"


def _cohorts(ages: list[Row]) -> list[Row]:
    """Return the Tweets of each month: how many they are, and their median by hours."""
    return [
        {
            "current": current,
            "tweets": max(row["tweets"] for row in ages if row["current"] == current),
            "medians": {row["hours"]: row["median"] for row in ages if row["current"] == current},
        }
        for current in dict.fromkeys(row["current"] for row in ages)
    ]


def _each_day(figures: Figures) -> list[Row]:
    """Return what is known of each day of the month, also of those that nobody asked for."""
    known = {row["day"]: row for row in figures.trust}
    unknown = dict.fromkeys(COUNTED) | {"trusted": False, "reason": NOT_ASKED}
    return [known.get(day) or {"day": day, **unknown} for day in figures.month.days]


def _doubtful(trust: list[Row]) -> list[tuple[date, date, Row]]:
    """Return the first and the last of the days in a row that are alike, and what is known of them."""

    def alike(row: Row) -> tuple[object, ...]:
        return tuple(value for name, value in row.items() if name != "day")

    runs = ([*run] for _, run in groupby(trust, alike))
    return [(run[0]["day"], run[-1]["day"], run[0]) for run in runs if not run[0]["trusted"]]


def _picture(figures: Figures, trust: list[Row], name: str) -> Markup:
    """Return a picture, once for each width; `name` is that of a chart here, or of a count by day."""
    months = f"{figures.month}, and in {figures.month.before}"
    states = [{"day": row["day"], "state": _state(row)} for row in trust]
    whole = sum(row["state"] == "whole" for row in states)
    chart: Callable[..., draw.Spec] = partial(draw.by_day, figures.days, figures.before, name)
    label = f"{name.capitalize()} by day in {months}. The table by day has the numbers."
    if name == "hours":
        chart = partial(draw.hour_of_week, figures.hours)
        label = "Impressions an hour by weekday and hour. The table by hour of the week has the numbers."
    elif name == "ages":
        chart = partial(draw.by_age, figures.ages)
        label = "Median impressions of Tweets by days since posting. The table has the numbers."
    elif name == "trust":
        chart = partial(draw.calendar, states)
        label = f"A calendar of {figures.month}: {whole} of {len(states)} days are complete."
    drawn = (svg(chart(width=width), label=label, kind=kind) for kind, width in WIDTHS.items())
    return Markup("".join(drawn))  # noqa: S704 - drawn of numbers, with labels that are escaped


def _state(row: Row) -> str:
    """Return how much of a day is there, as the calendar names it."""
    if row["trusted"]:
        return "whole"
    return "part" if row["stored"] or row["partial"] else "nothing"
