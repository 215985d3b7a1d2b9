"""UTC days, as people write them, and those that follow one another."""

from datetime import date

import pytest

from engagement_pipeline.core.days import parse_day, spans


def test_a_day_is_read_in_one_form_alone():
    assert parse_day("2026-01-31") == date(2026, 1, 31)
    for text in ("2026-W05-6", "20260131", "2026-01-31T00", "today"):
        with pytest.raises(ValueError, match=f"'{text}' is not a day such as 2026-01-31"):
            parse_day(text)


def test_runs_of_days_are_found_in_any_order():
    days = [date(2026, 1, 3), date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 9)]
    assert spans(days) == [(date(2026, 1, 1), date(2026, 1, 3)), (date(2026, 1, 9), date(2026, 1, 9))]
