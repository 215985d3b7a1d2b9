"""The column hour_at of the view engagements."""

from datetime import timedelta

import traps


def test_each_count_has_the_moment_at_which_its_hour_began(trapped):
    for row in traps.rows(trapped, "from engagements where day in ('2025-12-31', '2026-01-01')"):
        assert row["hour_at"] == traps.midnight(row["day"]) + timedelta(hours=row["hour"])
