"""Whatever bytes a body has, the fast reader reads what the reference reads, or leaves it to that."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import WAYS, base, difference, mutated

from engagement_pipeline.sources.engagement import parse_fast

CHUNKS, SEEDS = 4, 4_000  # tests/support/mutations.py makes as many as one likes


@settings(max_examples=150)
@given(rng=st.randoms(use_true_random=False))
def test_a_mutated_body_is_read_alike_or_left_to_the_reference(rng):
    assert not difference(*mutated(rng))


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_mutations_of_many_seeds_are_read_alike_and_many_of_them_fast(chunk, monkeypatch):
    """In half of the chunks each Tweet is a block of its own."""
    if chunk % 2:
        monkeypatch.setattr(parse_fast, "BLOCK", 1)
    seeds = range(chunk * SEEDS // CHUNKS, (chunk + 1) * SEEDS // CHUNKS)
    found = {seed: difference(*mutated(random.Random(seed))) for seed in seeds}
    assert {seed: what for seed, what in found.items() if what} == {}
    assert list(found.values()).count("") > len(seeds) // 20


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_each_kind_of_mutation_changes_bodies(way):
    bodies = [base(number)[0] for number in range(1, 8)]
    assert any(way(random.Random(number), body) != body for number, body in enumerate(bodies))
