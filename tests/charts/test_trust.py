"""Which days can be trusted: a row for each day, its state, and runs of days that are alike."""

from datetime import date

import pytest

from engagement_pipeline.charts.trust import NOT_ASKED, doubtful, each_day, state

DAYS = [date(2026, 1, day) for day in range(1, 6)]
WHOLE = {"trusted": True, "stored": 2, "partial": 0, "reason": None}
LACKING = {"trusted": False, "stored": 1, "partial": 0, "reason": "1 not asked for"}


def test_a_day_that_nobody_asked_for_has_a_row_with_the_reason():
    found = each_day([{"day": DAYS[1], **WHOLE}], DAYS[:2])
    assert [(row["day"], row["trusted"], row["reason"]) for row in found] == [
        (DAYS[0], False, NOT_ASKED),
        (DAYS[1], True, None),
    ]


def test_days_in_a_row_that_are_alike_are_one_run_and_trusted_ones_none():
    kinds = [LACKING, LACKING, WHOLE, LACKING, {**LACKING, "reason": "another"}]
    rows = [{"day": day, **kind} for day, kind in zip(DAYS, kinds, strict=True)]
    assert [(first, last, row["reason"]) for first, last, row in doubtful(rows)] == [
        (DAYS[0], DAYS[1], "1 not asked for"),
        (DAYS[3], DAYS[3], "1 not asked for"),
        (DAYS[4], DAYS[4], "another"),
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({"trusted": True}, "whole"), ({"stored": 1}, "part"), ({"partial": 1}, "part"), ({}, "nothing")],
)
def test_a_day_is_whole_or_in_part_or_nothing(changes, expected):
    assert state({"trusted": False, "stored": 0, "partial": 0} | changes) == expected
