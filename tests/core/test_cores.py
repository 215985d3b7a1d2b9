"""The cores that a process may use: those that it may run on, and what its control groups give it."""

import os

import pytest

from engagement_pipeline.core import cores

RUNS_ON = 8


@pytest.fixture
def allowed(tmp_path, monkeypatch):
    """How many cores are allowed in a group with these limits, from the outermost to its own."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(RUNS_ON)))

    def allowed(*limits, told="0::/outer/inner\n"):
        groups, membership = tmp_path / "groups", tmp_path / "membership"
        membership.write_text(told)
        for folder, limit in zip((groups, groups / "outer", groups / "outer/inner"), limits, strict=False):
            folder.mkdir(exist_ok=True)
            (folder / "cpu.max").write_text(limit)
        return cores.allowed(groups=groups, membership=membership)

    return allowed


def test_without_a_limit_all_cores_are_allowed_that_the_process_may_run_on(allowed):
    assert allowed() == RUNS_ON
    assert allowed("max 100000\n", "max 100000\n", "max 100000\n") == RUNS_ON


def test_the_smallest_limit_of_all_groups_around_counts(allowed):
    assert allowed("max 100000", "300000 100000", "max 100000") == 3
    assert allowed("max 100000", "300000 100000", "200000 100000") == 2


def test_a_part_of_a_core_counts_as_the_whole(allowed):
    assert allowed("max 100000", "150000 100000") == 2
    assert allowed("max 100000", "20000 100000") == 1


def test_a_limit_above_the_cores_adds_none(allowed):
    assert allowed("6400000 100000") == RUNS_ON


@pytest.mark.parametrize("told", ["", "9:cpu:/\n"])
def test_a_system_without_such_groups_sets_no_limit(allowed, told):
    assert allowed("100000 100000", told=told) == RUNS_ON


def test_a_system_that_does_not_say_what_a_process_may_run_on_is_asked_for_its_cores(allowed, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert allowed() == 5
