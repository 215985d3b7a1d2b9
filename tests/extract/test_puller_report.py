"""What a pull says beside its sum: counts that were revised or lie below zero; what only a developer wants to know."""

import logging

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


def read_the_plain_way(caplog):
    return [record.levelname for record in caplog.records if "only the reference parser" in record.message]


def test_answers_that_only_the_plain_reader_knows_are_told_to_who_debugs(world, caplog):
    world.emulator.faults.set(numbers=1)
    settings = world.settings()
    with caplog.at_level(logging.DEBUG):
        pipeline.run(settings, prepare(settings, FIRST, LAST))
    assert read_the_plain_way(caplog) == ["DEBUG"] * 3


@pytest.mark.parametrize("endpoint", [TOTALS, RECENT])
def test_answers_as_usual_are_not(world, endpoint, caplog):
    settings = world.settings()
    with caplog.at_level(logging.DEBUG):
        outcome = pipeline.run(settings, prepare(settings, endpoint=endpoint))
    assert read_the_plain_way(caplog) == []
    assert [report.negative for report in outcome.reports] == [0]


def test_a_pull_does_not_tell_a_person_how_answers_were_read(in_world, engagement):
    in_world.emulator.faults.set(numbers=1)
    assert not any("parser" in line or "unusual" in line for line in lines(engagement))


def test_the_rows_of_a_report_are_those_of_the_answers(world):
    settings = world.settings()
    outcome = pipeline.run(settings, prepare(settings, LAST, LAST))
    assert sum(report.rows for report in outcome.reports) == 6 * 17 * 24


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
