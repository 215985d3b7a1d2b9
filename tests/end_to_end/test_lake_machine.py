"""Pulls, publications, rebuilds, prunes, rosters, time and power cuts in any order: the lake holds what it must."""

from functools import partial

import pytest
from each_source import LONG
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from lake_machine import LakeMachine


@LONG
@pytest.mark.parametrize(
    ("walks", "steps", "same"),
    [(6, 10, True), pytest.param(500, 30, False, marks=pytest.mark.faults)],
    ids=["short", "long"],
)
def test_a_lake_holds_what_its_model_holds(each_source, walks, steps, same):
    chosen = settings(max_examples=walks, stateful_step_count=steps, deadline=None, derandomize=same)
    run_state_machine_as_test(partial(LakeMachine, each_source), settings=chosen)
