"""What a pull says beside its sum: counts that were revised or lie below zero, and answers read the slow way."""

import orjson
import pytest
from truth import FIRST, LAST

from engagement_pipeline import pipeline
from engagement_pipeline.core.endpoints import RECENT, TOTALS
from engagement_pipeline.emulator import answers
from engagement_pipeline.extract.prepare import prepare

PULL = ("pull", "--from", "2026-01-30", "--to", "2026-01-31")


def lines(engagement):
    code, out, _ = engagement(*PULL)
    assert code == 0
    return [line.strip() for line in out.splitlines()]


def test_answers_that_only_the_plain_reader_knows_are_counted(world):
    world.emulator.faults.set(numbers=1)
    settings = world.settings()
    outcome = pipeline.run(settings, prepare(settings, FIRST, LAST))
    assert [(report.unscanned, report.answered) for report in outcome.reports] == [(3, 3)]


@pytest.mark.parametrize("endpoint", [TOTALS, RECENT])
def test_answers_as_usual_are_not(world, endpoint):
    settings = world.settings()
    outcome = pipeline.run(settings, prepare(settings, endpoint=endpoint))
    assert [(report.unscanned, report.negative) for report in outcome.reports] == [(0, 0)]


def test_a_pull_says_how_many_answers_were_read_the_plain_way(in_world, engagement):
    in_world.emulator.faults.set(numbers=1)
    assert "3 responses in an unusual form: read by the slow parser" in lines(engagement)


def test_a_pull_says_what_it_revised_and_what_lies_below_zero(in_world, engagement, monkeypatch):
    """An un-like: one count of each answer turns from what it is into less than nothing."""
    assert not any("revised" in line or "below zero" in line for line in lines(engagement))
    really = answers._counts

    def with_an_unlike(*arguments):
        counts = really(*arguments)
        counts[0, 0, 0] = -4
        return counts

    monkeypatch.setattr(answers, "_counts", with_an_unlike)
    found = lines(engagement)
    assert "3 counts below zero: kept, because people can undo what was counted" in found
    assert "3 counts revised: see the view revisions" in found
    code, out, _ = engagement("sql", "select count from engagements where count < 0", "--format", "json")
    assert (code, orjson.loads(out)) == (0, [{"count": -4}] * 3)
