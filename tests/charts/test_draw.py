"""The charts, as specifications: what is drawn, and that no time zone or size of a number can change it."""

from datetime import date, timedelta

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
CURVES = [{"number": number, "hours": hours, "cumulative": hours * number} for number in (1, 2) for hours in (1, 24)]
CHARTS = {
    "by_day": lambda width: draw.by_day(DAYS, DAYS, "impressions", width=width),
    "hour_of_week": lambda width: draw.hour_of_week(HOURS, width=width),
    "by_age": lambda width: draw.by_age(AGES, width=width),
    "calendar": lambda width: draw.calendar(STATES, width=width),
    "over_days": lambda width: draw.over_days(DAYS, "impressions", width=width),
    "tweets_by_age": lambda width: draw.tweets_by_age(CURVES, width=width),
    "settled": lambda width: draw.settled([{"age": age, "share": 1 - 1 / (age + 1)} for age in (1, 7)], width=width),
    "weeks": lambda width: draw.weeks([state | {"reason": None} for state in STATES], width=width),
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


def test_any_days_stand_on_one_axis_and_those_not_complete_are_pale():
    chart = draw.over_days(DAYS, "impressions", width=680)
    assert values(chart) == [
        {"day": "2026-01-01", "impressions": 5, "complete": True, "told": "yes"},
        {"day": "2026-01-02", "impressions": 2, "complete": False, "told": "no, too low"},
    ]
    assert chart["encoding"]["x"]["scale"]["domain"] == ["2026-01-01", "2026-01-02"]
    assert chart["encoding"]["fillOpacity"]["condition"]["test"] == "datum.complete"


def test_curves_of_tweets_bear_their_numbers_and_are_told_apart_without_colour():
    chart = draw.tweets_by_age(CURVES, width=680)
    lines, names, _ = chart["layer"]
    assert values(chart, names) == [
        {"number": 1, "days": 1, "cumulative": 24},
        {"number": 2, "days": 1, "cumulative": 48},
    ]
    scale = lines["encoding"]["strokeDash"]["scale"]
    assert scale["domain"] == [1, 2]
    assert scale["range"][0] != scale["range"][1]


def test_weeks_stand_side_by_side_and_say_why_a_day_is_not_complete():
    chart = draw.weeks(
        [{**state, "reason": None if state["state"] == "whole" else "why"} for state in STATES], width=680
    )
    boxes, marks = chart["layer"]
    assert boxes["encoding"]["x"]["scale"]["domain"] == ["2025-12-29", "2026-01-05"]
    assert [value["reason"] for value in values(chart)] == ["complete", "why", "why"]
    assert marks["encoding"]["text"]["field"] == "mark"


def test_the_marks_of_a_year_are_left_out():
    days = [date(2025, 1, 1) + timedelta(days=number) for number in range(365)]
    chart = draw.weeks([{"day": day, "state": "whole", "reason": None} for day in days], width=680)
    assert len(chart["layer"]) == 1


def test_an_axis_of_days_has_few_labels():
    days = [{"day": date(2025, 1, 1) + timedelta(days=number), "complete": True, "n": 1} for number in range(400)]
    assert len(draw.over_days(days, "n", width=680)["encoding"]["x"]["axis"]["values"]) <= draw.TICKS


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
