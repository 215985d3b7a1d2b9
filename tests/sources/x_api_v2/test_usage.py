"""What X counts as read, in each form that it may come in, and what is none of them."""

import json
from datetime import date

import pytest

from engagement_pipeline.core.errors import ResponseError
from engagement_pipeline.sources.x_api_v2 import usage

DAY = date(2026, 3, 2)


def body(*days, **changes):
    daily = [{"date": f"{day}T00:00:00.000Z", "usage": number} for day, number in days]
    whole = {"project_usage": "70", "project_cap": "100", "cap_reset_day": 7, "daily_project_usage": {"usage": daily}}
    return json.dumps({"data": whole | changes}).encode()


def test_the_days_of_the_utc_month_are_summed():
    told = usage.read(body(("2026-02-28", "5"), ("2026-03-01", "3"), ("2026-03-02", 4)), DAY)
    assert told == usage.Usage(this_month=7, vendors_month=70, cap=100, reset_day=7)


def test_a_project_that_read_nothing_has_no_days():
    assert usage.read(body(daily_project_usage=None), DAY).this_month == 0


def test_the_days_since_the_first_are_asked_for():
    assert "days=2&" in usage.usage(DAY).endpoint.path


@pytest.mark.parametrize("odd", [b"", b"[]", b"null", b'{"data": {}}', b'{"data": []}', body(project_cap="many")])
def test_a_body_that_tells_no_usage_is_one_error(odd):
    with pytest.raises(ResponseError, match="it tells no usage"):
        usage.read(odd, DAY)
