"""Each group of a day's checks is told as one result, which loses nothing that a check said."""

import pytest
from bodies import WINDOW
from checked import healthy, roster

from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.settings import Settings
from engagement_pipeline.observe import combined
from engagement_pipeline.observe.checks import CHECKS
from engagement_pipeline.observe.verdict import Verdict

FIRST, DAY = WINDOW.days()
RIGHT, COMPLETE = combined.GROUPS


@pytest.fixture
def lake(tmp_path):
    return healthy(tmp_path)


def found(lake, **names):
    settings = Settings(data=lake.root)
    return {(each.day, each.group.name): each for each in combined.of_groups(settings, [FIRST, DAY], **names)}


def of(group, **verdicts):
    """Return the finding of a group whose checks pass, but for these."""
    told = {check: verdicts.get(check.name, Verdict(passed=True, words="fine")) for check in group.checks}
    return combined.Finding(day=DAY, group=group, verdicts=told)


def test_each_check_is_in_one_group():
    assert sorted(check.name for group in combined.GROUPS for check in group.checks) == sorted(c.name for c in CHECKS)


def test_each_day_has_one_result_a_group(lake):
    assert list(found(lake)) == [(day, name) for day in (FIRST, DAY) for name in ("right", "complete")]
    assert list(found(lake, names=["complete"])) == [(FIRST, "complete"), (DAY, "complete")]


def test_a_day_that_passes_says_what_each_check_says(lake):
    finding = found(lake)[DAY, "right"]
    assert (finding.failed, finding.warns) == ({}, False)
    assert finding.words == "passed: key_unique, schema, audit"
    assert finding.facts["key_unique"] == "each Tweet, type and hour has one row at most"


def test_a_day_that_fails_says_so_in_the_words_of_its_checks(lake):
    roster(lake, {1: "ann", 2: "ann", 3: "bob", 4: "bob"})
    finding = found(lake)[DAY, "complete"]
    assert finding.words.startswith("tweets_accounted_for: Tweets of the roster without an answer for the day (1): 4")
    assert finding.facts["tweets_accounted_for, tweets"] == 1
    assert finding.facts["handles_alive"].endswith("are seen on this day too")


def test_what_several_checks_say_is_told_once(lake):
    path = lake.rows(HISTORICAL.table, DAY)
    path.write_bytes(b"no parquet")
    finding = found(lake)[DAY, "right"]
    assert finding.words.startswith(f"key_unique, schema, audit: {path} is damaged")
    assert len(finding.words.splitlines()) == 1


def test_a_result_warns_only_if_all_that_was_found_may_be_right():
    maybe, wrong = Verdict(passed=False, words="maybe", warns=True), Verdict(passed=False, words="wrong")
    assert of(RIGHT, audit=maybe).warns
    assert not of(RIGHT, audit=maybe, schema=wrong).warns
    assert of(COMPLETE, hours_complete=wrong).warns  # of a check that warns, whatever it finds
    assert not of(COMPLETE, hours_complete=wrong, handles_alive=wrong).warns
