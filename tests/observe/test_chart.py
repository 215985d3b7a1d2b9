"""The chart is a picture that any browser draws, true to its values."""

import xml.etree.ElementTree as ET

from engagement_pipeline.observe.chart import bars

SVG = "{http://www.w3.org/2000/svg}"


def heights(values):
    root = ET.fromstring(bars(values, "a & b"))
    return [float(bar.get("height")) for bar in root.iter(f"{SVG}rect")]


def test_bars_are_as_high_as_their_values():
    low, none, high = heights([50, 0, 100])
    assert none == 0
    assert high == 2 * low > 0


def test_a_value_below_zero_has_no_bar():
    assert heights([-5, 5])[0] == 0


def test_nothing_but_zeros_is_drawn_too():
    assert heights([0] * 24) == [0] * 24


def test_each_bar_tells_its_number():
    told = [title.text for title in ET.fromstring(bars([1, 2000], "x")).iter(f"{SVG}title")]
    assert told == ["0: 1", "1: 2,000"]
