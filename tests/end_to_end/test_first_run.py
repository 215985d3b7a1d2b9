"""A first run from accounts.toml alone: the roster finds itself, and 28 days are filled."""

import csv
import re
from datetime import timedelta

from processes import CLONE

from engagement_pipeline.emulator.world import HANDLES

PAGE = (CLONE / "docs" / "roster.md").read_text(encoding="utf-8")


def test_a_first_run_needs_accounts_and_no_file_of_the_roster(in_world, engagement, failed, monkeypatch):
    in_world.roster.unlink()
    in_world.emulator.v2.faults.set(timeline_reach=6)
    monkeypatch.setenv("ENGAGEMENT_TYPES", "impressions")
    code, line = failed("pull")
    assert code == 2
    assert "run engagement roster sync, which finds the Tweets of your accounts" in line
    assert engagement("roster", "sync", "--yes")[0] == 0
    assert engagement("pull")[0] == 0
    last = in_world.settings().last_whole_day()
    days = f"select count(distinct day) as n, min(day)::text as first from coverage where day <= '{last}'"
    assert engagement("sql", days, "--format", "csv")[1].split() == ['"n","first"', f'28,"{last - timedelta(days=27)}"']
    query = re.search(r"```sql\n(.+?)```", PAGE, re.DOTALL)[1]
    rows = [*csv.DictReader(engagement("sql", query, "--format", "csv")[1].splitlines())]
    assert {row["kind"] for row in rows} <= {"post", "reply", "quote"}
    assert sum(int(row["tweets"]) for row in rows) > 2 * len(HANDLES)
