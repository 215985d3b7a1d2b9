"""Charts of an account's days, hours and Tweets.

In: rows of the marts, as dictionaries. Out: a Vega-Lite specification each, as wide as it is told, in pixels. Where
Vega-Lite runs in a browser, a chart tells the exact number of what is pointed at.
Colours are variables of the page, so that it can be light or dark. No chart depends on a time zone: days are drawn by
their number.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import altair as alt

from engagement_pipeline.charts.pages import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Rows = Iterable[Mapping[str, Any]]

Spec = dict[str, Any]  # what Vega-Lite draws a chart from

# Each is a variable of the page; what stands behind it shows where the page has none.
INK, MUTED, GRID = "var(--ink, #1f2328)", "var(--muted, #59636e)", "var(--grid, #d8dee4)"
SERIES, BEFORE = "var(--series, #1f6f9f)", "var(--before, #7d8590)"
WHOLE, PART, NOTHING = "var(--whole, #2c7a51)", "var(--part, #a85b00)", "var(--nothing, #7d8590)"
ON_COLOUR = "var(--on-colour, #ffffff)"
FONT = "system-ui, sans-serif"
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
PALE = 0.35  # the opacity of what is not whole
FAINTEST = 0.06  # the opacity of the smallest count of a heat map
LONGEST = 31  # days of a month: two months stand on one axis
MONTH_TICKS = (1, 8, 15, 22, 29)
MARKS = {"whole": "✓", "part": "!", "nothing": "\N{EN DASH}"}  # of a day's state, which can be told without its colour
TWEETS = tuple(f"var(--tweet-{number}, #1f6f9f)" for number in range(1, 7))  # of curves that are compared
DASHES = ([1, 0], [7, 3], [2, 3], [9, 3, 2, 3], [4, 4], [12, 4])  # of the same, which can be told without colour
HIGH = 170  # pixels
ROW = 24  # pixels of a weekday in the heat map
WEEK = 40  # pixels of a week in the calendar
SQUARE = 22  # pixels of a weekday where weeks stand side by side
MARKED = 27  # weeks side by side; of more, the marks have no room
TICKS = 6  # labels of an axis of days, about
NARROW = 480  # pixels; below, every other label goes


def by_day(rows: Rows, before: Rows, name: str, *, width: int) -> Spec:
    """Draw a month's counts as bars, and those of the month before as a line.

    Rows have `day`, `complete` and the column `name`. Bars of days that are not complete are pale. The line leaves such
    days out.
    """
    x = alt.X(
        "number:O",
        title=None,
        scale=alt.Scale(domain=[*range(1, LONGEST + 1)]),
        axis=alt.Axis(values=[*MONTH_TICKS], labelAngle=0, ticks=False),
    )
    y = alt.Y(f"{name}:Q", title=None, axis=_counts())
    bars = (
        alt.Chart(_data({"number": row["day"].day, "complete": row["complete"], name: row[name]} for row in rows))
        .mark_bar(color=SERIES)
        .encode(x=x, y=y, fillOpacity=alt.condition("datum.complete", alt.value(1), alt.value(PALE)))
    )
    known = ({"number": row["day"].day, name: row[name] if row["complete"] else None} for row in before)
    line = alt.Chart(_data(known)).mark_line(color=BEFORE, strokeWidth=2, point={"color": BEFORE, "size": 14})
    return _finished(alt.LayerChart(layer=[bars, line.encode(x=x, y=y)]), width=width, height=HIGH)


def hour_of_week(rows: Rows, *, width: int) -> Spec:
    """Draw the week by hour, darker where `per_hour` is higher. Rows have `weekday`, 1 for Monday, and `hour` too."""
    ticks = [*range(0, 24, 3 if width > NARROW else 6)]
    cells = alt.Chart(
        _data({"hour": r["hour"], "weekday": WEEKDAYS[r["weekday"] - 1], "per_hour": r["per_hour"]} for r in rows)
    ).mark_rect(color=SERIES, stroke=None)
    told = [_told("weekday:N", "Day"), _told("hour:O", "Hour"), _told("per_hour:Q", "An hour", ",.1f")]
    encoded = cells.encode(
        x=alt.X(
            "hour:O",
            title=None,
            scale=alt.Scale(domain=[*range(24)], paddingInner=0.06),
            axis=alt.Axis(values=ticks, labelAngle=0, ticks=False, domain=False),
        ),
        y=alt.Y(
            "weekday:N",
            title=None,
            scale=alt.Scale(domain=[*WEEKDAYS], paddingInner=0.1),
            axis=alt.Axis(ticks=False, domain=False),
        ),
        fillOpacity=alt.FillOpacity(
            "per_hour:Q", scale=alt.Scale(domainMin=0, range=[FAINTEST, 1], clamp=True), legend=None
        ),
        tooltip=told,
    )
    return _finished(encoded, width=width, height=ROW * len(WEEKDAYS))


def by_age(rows: Rows, *, width: int) -> Spec:
    """Draw what Tweets had come to at an age. Rows have `hours`, `median`, and `current`: of this month or before."""
    values = ({"days": row["hours"] / 24, "median": row["median"], "current": row["current"]} for row in rows)
    colour = alt.condition("datum.current", alt.value(SERIES), alt.value(BEFORE))
    line = (
        alt.Chart(_data(values))
        .mark_line(strokeWidth=2.5)
        .encode(
            x=alt.X("days:Q", title="days since posting", axis=alt.Axis(grid=False, tickMinStep=1, format="d")),
            y=alt.Y("median:Q", title=None, axis=_counts()),
            stroke=colour,
            detail="current:N",
        )
    )
    return _finished(line, width=width, height=HIGH)


def calendar(rows: Rows, *, width: int) -> Spec:
    """Draw a month's days by week and weekday. Rows have `day` and `state`: "whole", "part" or "nothing"."""
    told = [_in_calendar(row) for row in rows]
    base = alt.Chart(_data(told)).encode(
        x=alt.X(
            "weekday:N",
            title=None,
            scale=alt.Scale(domain=[*WEEKDAYS], paddingInner=0.06),
            axis=alt.Axis(orient="top", labelAngle=0, ticks=False, domain=False),
        ),
        y=alt.Y("week:O", title=None, scale=alt.Scale(paddingInner=0.1), axis=None),
    )
    labels = base.mark_text(fontSize=13).encode(text="label:N", fill=_ink())
    lines = len({row["week"] for row in told})
    return _finished(alt.LayerChart(layer=[_boxes(base), labels]), width=width, height=WEEK * lines)


def over_days(rows: Rows, name: str, *, width: int) -> Spec:
    """Draw the counts of any days as bars. Rows have `day`, `complete` and the column `name`.

    Bars of days that are not complete are pale.
    """
    values = [{"day": str(row["day"]), name: row[name], **_completeness(row)} for row in rows]
    days = [value["day"] for value in values]
    x = alt.X("day:O", title=None, scale=alt.Scale(domain=days), axis=_days(days))
    bars = (
        alt.Chart(_data(values))
        .mark_bar(color=SERIES)
        .encode(
            x=x,
            y=alt.Y(f"{name}:Q", title=None, axis=_counts()),
            fillOpacity=alt.condition("datum.complete", alt.value(1), alt.value(PALE)),
            tooltip=[_told("day:N", "Day"), _told(f"{name}:Q", words(name), ","), _told("told:N", "Complete")],
        )
    )
    return _finished(bars, width=width, height=HIGH)


def tweets_by_age(rows: Rows, *, width: int) -> Spec:
    """Draw what each of some Tweets had come to at an age. Rows have `number`, from 1 on, `hours` and `cumulative`.

    A curve bears its number at its end.
    """
    values = [{"number": row["number"], "days": row["hours"] / 24, "cumulative": row["cumulative"]} for row in rows]
    numbers = sorted({value["number"] for value in values})
    ends = [max((v for v in values if v["number"] == n), key=lambda value: value["days"]) for n in numbers]
    shades = alt.Scale(domain=numbers, range=[TWEETS[(n - 1) % len(TWEETS)] for n in numbers])
    dashes = alt.Scale(domain=numbers, range=[DASHES[(n - 1) % len(DASHES)] for n in numbers])
    x = alt.X("days:Q", title="days since posting", axis=alt.Axis(grid=False, tickMinStep=1, format="d"))
    y = alt.Y("cumulative:Q", title=None, axis=_counts())
    told = [_told("number:O", "Tweet"), _told("days:Q", "Days", ".2~f"), _told("cumulative:Q", "Count", ",")]
    base = alt.Chart().encode(x=x, y=y)  # the rows stand beside it: each step would copy them
    lines = base.mark_line(strokeWidth=2).encode(
        stroke=alt.Stroke("number:O", scale=shades, legend=None),
        strokeDash=alt.StrokeDash("number:O", scale=dashes, legend=None),
    )
    pointed = base.mark_circle(size=70, opacity=0).encode(tooltip=told)
    names = (
        alt.Chart(_data(ends)).mark_text(align="left", dx=5, fontSize=12, color=INK).encode(x=x, y=y, text="number:O")
    )
    layers = alt.LayerChart(data=_data(values), layer=[lines, names, pointed])
    return _finished(layers, width=width, height=HIGH)


def settled(rows: Rows, *, width: int) -> Spec:
    """Draw how much of their present value counts had at an age. Rows have `age`, in days, and `share`."""
    values = [{"age": f"{row['age']} d", "share": row["share"]} for row in rows]
    line = (
        alt.Chart(_data(values))
        .mark_line(color=SERIES, strokeWidth=2, point={"color": SERIES, "size": 60})
        .encode(
            x=alt.X("age:O", title="days after the end of the day", sort=None, axis=alt.Axis(labelAngle=0)),
            y=alt.Y(
                "share:Q",
                title=None,
                scale=alt.Scale(zero=False, nice=True),
                axis=alt.Axis(format="~%", tickCount=4, domain=False, ticks=False),
            ),
            tooltip=[_told("age:O", "Age"), _told("share:Q", "Of its present value", ".2%")],
        )
    )
    return _finished(line, width=width, height=HIGH)


def weeks(rows: Rows, *, width: int) -> Spec:
    """Draw days as a calendar with a column a week. Rows have `day`, `state` as in `calendar`, and `reason`."""
    told = [{**_in_calendar(row), "day": str(row["day"]), "reason": row["reason"] or "complete"} for row in rows]
    columns = sorted({row["week"] for row in told})
    base = alt.Chart(_data(told)).encode(
        x=alt.X("week:O", title=None, scale=alt.Scale(domain=columns, paddingInner=0.1), axis=_days(columns)),
        y=alt.Y(
            "weekday:N",
            title=None,
            scale=alt.Scale(domain=[*WEEKDAYS], paddingInner=0.1),
            axis=alt.Axis(ticks=False, domain=False),
        ),
        tooltip=[_told("day:N", "Day"), _told("reason:N", "State")],
    )
    layers = [_boxes(base)]
    if len(columns) <= MARKED:
        marks = base.mark_text(fontSize=12).transform_calculate(mark="split(datum.label, ' ')[1]")
        layers.append(marks.encode(text="mark:N", fill=_ink()))
    return _finished(alt.LayerChart(layer=layers), width=width, height=SQUARE * len(WEEKDAYS))


def _boxes(base: alt.Chart) -> alt.Chart:
    """Return the boxes of days, by their state."""
    fills = alt.Scale(domain=[*MARKS], range=[WHOLE, PART, "transparent"])
    outlined = base.mark_rect(stroke=NOTHING, strokeWidth=1, cornerRadius=3)
    boxes: alt.Chart = outlined.encode(fill=alt.Fill("state:N", scale=fills, legend=None))
    return boxes


def _ink() -> Any:  # noqa: ANN401 - Altair has no name for it
    """Return the colour of what is written on a box."""
    return alt.condition("datum.state == 'nothing'", alt.value(MUTED), alt.value(ON_COLOUR))


def _in_calendar(row: Mapping[str, Any]) -> dict[str, Any]:
    day, state = row["day"], row["state"]
    monday = day - timedelta(days=day.weekday())
    return {
        "weekday": WEEKDAYS[day.weekday()],
        "week": str(monday),
        "state": state,
        "label": f"{day.day} {MARKS[state]}",
    }


def _data(values: Rows) -> alt.InlineData:
    return alt.InlineData(values=[dict(row) for row in values])


def _completeness(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return whether a day is complete, for the chart and for whoever points at it."""
    return {"complete": row["complete"], "told": "yes" if row["complete"] else "no, too low"}


def _told(field: str, title: str, written: str = "") -> alt.Tooltip:
    """Return what a chart tells of what is pointed at."""
    return alt.Tooltip(field, title=title, format=written) if written else alt.Tooltip(field, title=title)


def _days(days: Sequence[str]) -> alt.Axis:
    """Return an axis of days, by month and day, with labels for some."""
    step = max(1, -(-len(days) // TICKS))
    written = "slice(datum.value, 5)"
    return alt.Axis(values=[*days[::step]], labelExpr=written, labelAngle=0, ticks=False, domain=False)


def _counts() -> alt.Axis:
    """Return an axis of counts: whole numbers, large ones as 20k."""
    each = "format(datum.value, '~s')"  # one format for all would write zero as 0k
    return alt.Axis(labelExpr=each, tickCount=4, tickMinStep=1, domain=False, ticks=False)


def _finished(chart: alt.Chart | alt.LayerChart, *, width: int, height: int) -> Spec:
    """Return what Vega-Lite draws a chart of this size from, in the colours of the page that it is put into."""
    sized = chart.properties(width=width, height=height, autosize=alt.AutoSizeParams(type="fit-x", contains="padding"))
    calm = sized.configure(background="transparent", aria=False, font=FONT, padding=2).configure_view(stroke=None)
    axes = calm.configure_axis(
        labelColor=MUTED,
        titleColor=MUTED,
        gridColor=GRID,
        domainColor=GRID,
        tickColor=GRID,
        labelFontSize=12,
        titleFontSize=12,
        titleFontWeight="normal",
        labelPadding=6,
    )
    spec: Spec = axes.to_dict()
    return spec
