"""How far a pull has come: one count over all its plans, and a line a minute."""

import pytest

from engagement_pipeline import pulling
from engagement_pipeline.extract.prepare import prepare
from engagement_pipeline.extract.progress import OnceAMinute, Whole, so_far


class Clock:
    seconds = 0.0

    def __call__(self):
        return self.seconds


def test_plans_that_follow_one_another_add_up():
    heard = []
    whole = Whole(lambda done, total, /, *, rows=0: heard.append((done, total, rows)), 5)
    first, second = whole.part(3), None
    for done in (1, 2, 3):
        first(done, 3, rows=done * 10)
    second = whole.part(2)
    second(1, 3, rows=10)  # a refused request was split
    assert heard == [(1, 5, 10), (2, 5, 20), (3, 5, 30), (4, 6, 40)]


def test_a_plan_that_was_answered_before_is_not_waited_for():
    heard = []
    whole = Whole(lambda *now, rows: heard.append(now), 5)
    whole.part(3)
    whole.part(2)(2, 2)
    assert heard == [(2, 2)]


def test_the_progress_of_a_pull_is_over_all_its_windows(world):
    settings, heard = world.settings(), []
    prepared = prepare(settings, settings.last_whole_day().replace(day=1), settings.last_whole_day())
    assert len(prepared.plans) == 2
    pulling.pull(settings, prepared, progress=lambda *now, rows: heard.append((*now, rows > 0)))
    assert heard == [(done, 6, True) for done in range(1, 7)]


def test_a_line_a_minute_says_how_far_it_is_and_how_long_it_takes():
    clock, lines = Clock(), []
    progress = OnceAMinute("requests answered", lines.append, clock=clock)
    for clock.seconds in (1, 59, 60, 61, 119, 120):
        progress(int(clock.seconds), 1_200, rows=1_000 * int(clock.seconds))
    assert lines == [
        "requests answered: 60 of 1,200 (5 %), 60,000 rows, 60 a minute, 0:19:00 left",
        "requests answered: 120 of 1,200 (10 %), 120,000 rows, 60 a minute, 0:18:00 left",
    ]


def test_a_work_that_begins_anew_is_measured_anew():
    clock, lines = Clock(), []
    progress = OnceAMinute("Tweets published", lines.append, clock=clock)
    clock.seconds = 50
    progress(900, 900)
    progress(0, 600)
    clock.seconds = 80
    progress(100, 600)
    assert lines == ["Tweets published: 100 of 600 (16 %), 200 a minute, 0:02:30 left"]


@pytest.mark.parametrize(("done", "total"), [(0, 0), (0, 10)])
def test_nothing_done_has_no_pace(done, total):
    assert so_far(done, total, rows=0, seconds=60) == f"{done} of {total} (0 %)"
