"""The page of the explorer.

In: a lake, and the query of a URL. Out: HTML. Whatever the lake holds is escaped. What cannot be shown is one line in
the page, with the controls still there to change it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engagement_pipeline.charts import bundle, draw
from engagement_pipeline.charts.pages import environment
from engagement_pipeline.charts.trust import doubtful, each_day
from engagement_pipeline.core.errors import EngagementError, refused_by_system
from engagement_pipeline.core.redaction import redacted
from engagement_pipeline.explore import cell, charts
from engagement_pipeline.explore.choices import Choices, choices, zones
from engagement_pipeline.explore.figures import figures
from engagement_pipeline.explore.view import METRICS, MOST_METRICS, MOST_TWEETS, view

if TYPE_CHECKING:
    from datetime import date

    from jinja2 import Environment

    from engagement_pipeline.explore.figures import Figures, Row
    from engagement_pipeline.explore.view import Query, View
    from engagement_pipeline.lake.layout import Lake

HERE = Path(__file__).parent
AGES = (1, 3, 6, 12, 24, 48, 72, 168, 336, 672)  # hours that the table of the curves tells
NOTHING = Choices(handles=(), first=None, last=None)
PULL = "The lake has no counts yet: put Tweets into the roster, and run engagement pull. Then load this page again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A query, and its answers or the line that says why there are none."""

    sql: str = ""
    answers: list[cell.Answer] = field(default_factory=list)
    mistake: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a page shows: what can be chosen, a view with its numbers, or the line that says why there are none."""

    known: Choices
    view: View | None = None
    figures: Figures | None = None
    problem: str = ""


def page(lake: Lake, query: Query) -> str:
    """Return the page of a view."""
    shown = _look(lake, query)
    found = _tables(shown.figures, shown.view) if shown.figures and shown.view else {}
    return _filled(
        "explore.html",
        lake=lake.root.absolute(),
        s=shown,
        f=shown.figures,
        v=shown.view,
        c=_controls(shown.view, query),
        cell=_answered(lake, query),
        vega=f"/vega-{bundle.VERSION}.js",
        zones=zones(),
        metrics=METRICS,
        most_metrics=MOST_METRICS,
        most_tweets=MOST_TWEETS,
        shown=cell.SHOWN,
        charts=charts,
        weekdays=draw.WEEKDAYS,
        ages=AGES,
        **found,
    )


def answer(lake: Lake, query: Query) -> str:
    """Return the answer to a query alone, as the page holds it."""
    return _filled("answer.html", cell=_answered(lake, query), shown=cell.SHOWN)


def _filled(name: str, **facts: Any) -> str:  # noqa: ANN401 - whatever a template names
    return redacted(_templates().get_template(name).render(**facts))


@cache
def _templates() -> Environment:
    return environment(HERE)


def _look(lake: Lake, query: Query) -> Shown:
    known, seen = NOTHING, None
    try:
        known = choices(lake)
        seen = view(query, known)
        if known.last is None:
            return Shown(known=known, view=seen, problem=PULL)
        return Shown(known=known, view=seen, figures=figures(lake, seen))
    except EngagementError as error:
        return Shown(known=known, view=seen, problem=str(error))
    except OSError as error:
        return Shown(known=known, view=seen, problem=refused_by_system(error))


def _answered(lake: Lake, query: Query) -> Cell:
    sql = (query.get("sql") or [""])[-1].strip()
    try:
        return Cell(sql=sql, answers=cell.answers(lake, sql) if sql else [])
    except EngagementError as error:
        return Cell(sql=sql, mistake=str(error))
    except OSError as error:
        return Cell(sql=sql, mistake=refused_by_system(error))


def _controls(seen: View | None, query: Query) -> dict[str, Any]:
    """Return what the controls hold: the view, or what somebody gave that is none."""
    if seen:
        return {
            "handles": seen.handles,
            "metrics": seen.metrics,
            "first": seen.first,
            "last": seen.last,
            "zone": seen.zone,
            "tweets": " ".join(map(str, seen.tweets)),
        }
    given = {name: (query.get(name) or [""])[-1] for name in ("first", "last", "zone", "tweets")}
    return given | {"handles": query.get("handle", ()), "metrics": query.get("metric", ())}


def _tables(found: Figures, seen: View) -> dict[str, Any]:
    """Return what the tables of a view read beside its figures."""
    days = seen.days
    by_handle = [(handle, [*rows]) for handle, rows in groupby(found.trust, itemgetter("handle"))]
    return {
        "days": days,
        "week": {(row["engagement_type"], row["weekday"], row["hour"]): row["per_hour"] for row in found.hours},
        "at_age": {(row["engagement_type"], row["tweet_id"], row["hours"]): row["cumulative"] for row in found.ages},
        "compared": sorted({(row["number"], row["tweet_id"]) for row in found.ages}),
        "settled": {(row["engagement_type"], row["age"]): row for row in found.settled},
        "doubtful": [
            (handle, first, last, row)
            for handle, rows in by_handle
            for first, last, row in doubtful(each_day(rows, _lived(rows, days)))
        ],
        "others": {row["tweet_id"]: _with(seen, row["tweet_id"]) for row in found.top},
    }


def _lived(rows: list[Row], days: list[date]) -> list[date]:
    """Return the days from the first on which a handle is known."""
    return [day for day in days if day >= rows[0]["day"]]


def _with(seen: View, tweet: str) -> str:
    """Return the query of the same view with a Tweet among the chosen ones, or without it if it is one of them."""
    chosen = dict.fromkeys(map(str, seen.tweets))
    kept = [other for other in chosen if other != tweet]
    return seen.query(tweets=map(int, kept if tweet in chosen else [*chosen, tweet][-MOST_TWEETS:]))
