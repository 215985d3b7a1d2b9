"""The charts of a view, each with its words for whoever does not see it.

In: Figures. Out: Chart objects. The numbers of each stand in a table of the page too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from engagement_pipeline.charts import draw
from engagement_pipeline.charts.pages import words
from engagement_pipeline.charts.trust import NOT_ASKED, state

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from engagement_pipeline.explore.figures import Figures, Row
    from engagement_pipeline.explore.view import View

WIDTH = 560  # pixels, until the page says how wide it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart: what is read aloud instead of it, and what Vega-Lite draws it from."""

    label: str
    spec: draw.Spec

    @property
    def height(self) -> int:
        """How high it is at least, in pixels."""
        return int(self.spec["height"])

    @property
    def text(self) -> str:
        """The specification as JSON that ends no element of HTML."""
        return json.dumps(self.spec).replace("<", "\\u003c")


def by_day(figures: Figures, view: View, metric: str) -> Chart:
    """Return the counts of a metric by day."""
    label = f"{words(metric)} by day, {view.first} to {view.last}. The table by day has the numbers."
    return Chart(label=label, spec=draw.over_days(figures.days, metric, width=WIDTH))


def by_age(figures: Figures, metric: str) -> Chart | None:
    """Return what each Tweet had come to at an age; None if no first hour is known."""
    rows = [row for row in figures.ages if row["engagement_type"] == metric]
    tweets = len({row["number"] for row in rows})
    label = f"{words(metric)} of {tweets} Tweets by days since posting. The table by age has the numbers."
    return Chart(label=label, spec=draw.tweets_by_age(rows, width=WIDTH)) if rows else None


def by_hour(figures: Figures, metric: str) -> Chart | None:
    """Return the week by hour; None if no day is complete."""
    rows = [row for row in figures.hours if row["engagement_type"] == metric]
    label = f"{words(metric)} an hour by weekday and hour. The table by hour of the week has the numbers."
    return Chart(label=label, spec=draw.hour_of_week(rows, width=WIDTH)) if rows else None


def settled(figures: Figures, metric: str) -> Chart | None:
    """Return how counts settle; None if there is nothing to compare."""
    rows = [row for row in figures.settled if row["engagement_type"] == metric and row["share"] is not None]
    label = f"{words(metric)} at an age, as a share of the present count. The table by age of a day has the numbers."
    return Chart(label=label, spec=draw.settled(rows, width=WIDTH)) if rows else None


def trust(figures: Figures, days: Iterable[date]) -> Chart:
    """Return the calendar of the days that can be trusted, of all handles together."""
    found = [_together(rows, day) for day, rows in _by_day(figures.trust, days)]
    whole = sum(row["state"] == "whole" for row in found)
    label = f"A calendar: {whole} of {len(found)} days are complete. The table of days that are not has the reasons."
    return Chart(label=label, spec=draw.weeks(found, width=WIDTH))


def _by_day(trust: Iterable[Row], days: Iterable[date]) -> Iterable[tuple[date, list[Row]]]:
    known = {day: [*rows] for day, rows in groupby(sorted(trust, key=itemgetter("day")), itemgetter("day"))}
    return [(day, known.get(day, [])) for day in days]


def _together(rows: list[Row], day: date) -> Row:
    """Return how much of a day is there, of all handles: it is whole if it is so for each."""
    states = {state(row) for row in rows}
    reasons = [f"@{row['handle']}: {row['reason']}" for row in rows if not row["trusted"]]
    if not rows:
        reasons = [NOT_ASKED]
    common = states.pop() if len(states) == 1 else "part" if rows else "nothing"
    return {"day": day, "state": common, "reason": "; ".join(reasons)}
