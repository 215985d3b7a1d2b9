"""A report as one HTML file.

In: Figures. Out: the text of a page with its pictures inside, which asks no other place for anything and runs no
script. Whatever the API or the roster said is escaped. Each picture is drawn twice, for a screen and for a phone.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from engagement_pipeline.charts import draw
from engagement_pipeline.charts.pages import environment, style
from engagement_pipeline.charts.svg import svg
from engagement_pipeline.charts.trust import doubtful, each_day, state
from engagement_pipeline.core.redaction import redacted
from engagement_pipeline.lake.saved import GENERATOR
from engagement_pipeline.report.figures import COHORT_HOURS

if TYPE_CHECKING:
    from collections.abc import Callable

    from engagement_pipeline.report.figures import Figures, Row

HERE = Path(__file__).parent
WIDTHS = {"wide": 680, "narrow": 340}  # pixels, by the class in page.css
AGES = (1, 3, 6, 12, 24, 48, 72, COHORT_HOURS)  # hours that the table of a curve tells
SHOWN = 50  # of the Tweets that are missing


def page(figures: Figures) -> str:
    """Return a report as HTML."""
    template = environment(HERE).get_template("page.html")
    trust = each_day(figures.trust, figures.month.days)
    text = template.render(
        f=figures,
        generator=GENERATOR,
        nothing=nothing(figures),
        style=Markup(style()),  # noqa: S704 - the package's own
        picture=partial(_picture, figures, trust),
        weekdays=draw.WEEKDAYS,
        week={(row["weekday"], row["hour"]): row["per_hour"] for row in figures.hours},
        ages=AGES,
        cohorts=_cohorts(figures.ages),
        doubtful=doubtful(trust),
        unserved=max((row["set_aside"] for row in figures.trust), default=0),
        shown=SHOWN,
    )
    return redacted(text)


def nothing(figures: Figures) -> str:
    """Return in one line why a report has no counts; empty if it has some."""
    if not figures.as_of:
        return f"The lake has no counts of @{figures.handle} for {figures.month}: pull its days."
    return ""


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


def _picture(figures: Figures, trust: list[Row], name: str) -> Markup:
    """Return a picture, once for each width; `name` is that of a chart here, or of a count by day."""
    months = f"{figures.month}, and in {figures.month.before}"
    states = [{"day": row["day"], "state": state(row)} for row in trust]
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
