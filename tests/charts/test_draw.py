"""The charts, as specifications: what is drawn, and that no time zone or size of a number can change it."""

from datetime import date

import pytest
from pages import Page

from engagement_pipeline.charts import draw
from engagement_pipeline.charts.svg import svg

DAYS = [
    {"day": date(2026, 1, 1), "complete": True, "impressions": 5},
    {"day": date(2026, 1, 2), "complete": False, "impressions": 2},
]
HOURS = [{"weekday": 1, "hour": 0, "per_hour": 1.5}, {"weekday": 7, "hour": 23, "per_hour": 3.0}]
AGES = [{"hours": hours, "median": hours * 2.0, "current": current} for current in (True, False) for hours in (1, 24)]
STATES = [
    {"day": date(2026, 1, 1), "state": "whole"},
    {"day": date(2026, 1, 2), "state": "part"},
    {"day": date(2026, 1, 5), "state": "nothing"},
]
CHARTS = {
    "by_day": lambda width: draw.by_day(DAYS, DAYS, "impressions", width=width),
    "hour_of_week": lambda width: draw.hour_of_week(HOURS, width=width),
    "by_age": lambda width: draw.by_age(AGES, width=width),
    "calendar": lambda width: draw.calendar(STATES, width=width),
}


def values(chart, layer=None):
    return chart["datasets"][(layer or chart)["data"]["name"]]


def of_days():
    chart = draw.by_day(DAYS, DAYS, "impressions", width=680)
    return [(layer["encoding"], values(chart, layer)) for layer in chart["layer"]]


def test_the_days_of_two_months_stand_on_one_axis_by_their_number():
    (bars, told), (line, _) = of_days()
    assert told == [
        {"number": 1, "complete": True, "impressions": 5},
        {"number": 2, "complete": False, "impressions": 2},
    ]
    assert bars["x"] == line["x"]
    assert bars["x"]["scale"]["domain"] == [*range(1, 32)]


def test_a_day_that_is_not_complete_is_pale_and_breaks_the_line_of_the_month_before():
    (bars, _), (_, told) = of_days()
    assert bars["fillOpacity"]["condition"]["test"] == "datum.complete"
    assert told == [{"number": 1, "impressions": 5}, {"number": 2, "impressions": None}]


def test_the_week_begins_on_monday():
    chart = draw.hour_of_week(HOURS, width=680)
    assert [value["weekday"] for value in values(chart)] == ["Mon", "Sun"]
    assert chart["encoding"]["y"]["scale"]["domain"] == [*draw.WEEKDAYS]


def test_an_age_is_told_in_days():
    assert [value["days"] for value in values(draw.by_age(AGES, width=680))] == [1 / 24, 1, 1 / 24, 1]


def test_a_day_of_the_calendar_stands_in_its_week_and_says_its_state_without_colour():
    chart = draw.calendar(STATES, width=680)
    assert values(chart) == [
        {"weekday": "Thu", "week": "2025-12-29", "state": "whole", "label": "1 ✓"},
        {"weekday": "Fri", "week": "2025-12-29", "state": "part", "label": "2 !"},
        {"weekday": "Mon", "week": "2026-01-05", "state": "nothing", "label": "5 \N{EN DASH}"},
    ]


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
@pytest.mark.parametrize("width", [340, 680])
def test_a_chart_is_a_picture_of_its_width_that_needs_nothing_else(chart, width):
    drawn = svg(chart(width), label='A "label" & <more>', kind="wide")
    (root,) = Page(drawn).all("svg")
    assert (root["width"], root["aria-label"]) == (str(width), 'A "label" & <more>')
    assert not any(part in drawn for part in ("<script", "http", "url(", " id="))


def test_colours_are_those_of_the_page():
    drawn = svg(CHARTS["by_day"](680), label="days", kind="wide")
    for colour in (draw.SERIES, draw.BEFORE, draw.GRID, draw.MUTED):
        assert f'"{colour}"' in drawn
    assert "#000" not in drawn
    assert "white" not in drawn
