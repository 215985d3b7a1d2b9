"""The picture of a day: what it draws, and that it is small and fits into Markdown."""

import xml.etree.ElementTree as ET
from urllib.parse import unquote

import pytest

from engagement_pipeline.observe import chart

NOTHING = (0,) * 24


def drawn(address):
    """Return the paths of a picture: for each curve the line of the day before with the axis, then the day."""
    kind, _, svg = address.partition(",")
    assert kind == "data:image/svg+xml"
    return [path.get("d") for path in ET.fromstring(unquote(svg)).findall("{http://www.w3.org/2000/svg}path")]


def heights(path):
    """Return how high a line is above its axis at each point, in pixels."""
    start, _, steps = path.partition("l")
    numbers = [int(each) for each in steps.partition("V")[0].replace("-", ",-").split(",")]
    assert numbers[::2] == [chart.STEP] * (len(numbers) // 2)
    found = [int(start.removeprefix("M0,"))]
    for step in numbers[1::2]:
        found.append(found[-1] + step)
    return [chart.HEIGHT - y for y in found]


def test_the_largest_count_of_both_days_is_as_high_as_a_curve_and_zero_is_on_the_axis():
    _, today, _, _ = drawn(chart.day([((0, 5, 10), (0, 20, 0)), (NOTHING[:3], NOTHING[:3])]))
    assert heights(today) == [0, 9, 18]


def test_the_day_before_is_a_line_behind_and_none_if_nothing_is_known_of_it():
    with_line, _, without, _ = drawn(chart.day([((1, 1), (2, 0)), ((1, 1), (0, 0))]))
    assert with_line.startswith("M0,0l9,36M")
    assert without.startswith("M0,80h9M")


def test_a_count_below_zero_is_drawn_as_zero():
    _, today, _, _ = drawn(chart.day([((-5, 10), (0, 0)), ((0, 0), (0, 0))]))
    assert heights(today) == [0, 36]


@pytest.mark.parametrize("counts", [NOTHING, (0, 10**12) * 12, (10**12, 3, -7) * 8])
def test_it_is_an_address_that_markdown_takes_and_leaves_room_for_words(counts):
    address = chart.day([(counts, counts[::-1])] * 2)
    assert len(address) < 880
    assert not set(address) & set(' ()[]"#\\\n')


def test_a_month_has_a_bar_for_each_day_with_a_count_and_none_without():
    full, pale, _ = drawn(chart.month([10, None, 0, 5, -3, 20], whole=[True] * 6))
    assert full == "M4,36v-18M31,36v-9M49,36v-36"
    assert not pale


def test_a_day_that_is_not_whole_has_a_pale_bar():
    full, pale, _ = drawn(chart.month([10, 20], whole=[True, False]))
    assert (full, pale) == ("M4,36v-18", "M13,36v-36")


def test_a_month_without_a_count_is_an_axis_alone_and_each_fits_into_a_line_of_markdown():
    assert drawn(chart.month([None] * 31, whole=[False] * 31)) == ["", "", "M0,37h279"]
    most = chart.month([10**9] * 31, whole=[day % 2 == 0 for day in range(31)])
    assert len(most) < 750
    assert not set(most) & set(" ()")
