"""IDs that lost their last digits are told from true ones, however these were made, and few rows raise no alarm."""

from decimal import Decimal
from random import Random

import numpy as np
import pytest

from engagement_pipeline.extract.rounded_ids import look, suspects


def made(number, seed, *, sequences):
    """Return IDs of 2013 to 2025; real ones have the sequence number 0 mostly, those of an emulator any."""
    chance = Random(seed)
    return [
        chance.randrange(80_000_000_000, 480_000_000_000) << 22
        | chance.randrange(2**10) << 12
        | chance.choice(sequences)
        for _ in range(number)
    ]


REAL, ANY = (0,), range(4096)
ROUNDINGS = {
    "spreadsheet": lambda tweet: int(str(tweet)[:15].ljust(len(str(tweet)), "0")),
    "JavaScript": lambda tweet: int(Decimal(repr(float(tweet)))),
}


def looked(ids):
    return look(np.array(ids, np.int64))


@pytest.mark.parametrize("sequences", [REAL, ANY], ids=["real", "any"])
@pytest.mark.parametrize("rounding", ROUNDINGS.values(), ids=ROUNDINGS)
@pytest.mark.parametrize("number", [30, 3000])
def test_a_file_of_rounded_ids_is_surely_one(number, rounding, sequences):
    found = looked([rounding(tweet) for tweet in made(number, 1, sequences=sequences)])
    assert found.surely
    assert len(found.places) == found.of == number


def test_ids_that_went_through_a_float_are_told_by_their_bits_too():
    assert looked([int(float(tweet)) for tweet in made(300, 1, sequences=ANY)]).by == "as by a reader of floats"


@pytest.mark.parametrize("number", [1, 2, 3, 10, 100, 3000])
@pytest.mark.parametrize("sequences", [REAL, ANY], ids=["real", "any"])
def test_true_ids_are_seldom_doubted_and_never_refused(number, sequences):
    found = [looked(made(number, seed, sequences=sequences)) for seed in range(200)]
    assert sum(each is not None for each in found) <= 4
    assert not any(each and each.surely for each in found)


@pytest.mark.parametrize("ids", [[], [1, 20, 100, 1000000], [10**14, 10**15], [123456789012345]])
def test_short_ids_are_no_matter(ids):
    assert looked(ids[:3]) is None


def test_of_few_rows_rounded_ones_are_warned_of_and_not_refused():
    found = looked([2018500000000120000])
    assert not found.surely
    assert str(found) == "1 of 1 IDs look rounded, as by a spreadsheet, which keeps 15 digits"


def test_some_rounded_ids_among_true_ones_are_found():
    ids = made(1000, 3, sequences=REAL)
    ids[::50] = map(ROUNDINGS["spreadsheet"], ids[::50])
    found = looked(ids)
    assert {*range(0, 1000, 50)} <= {*found.places.tolist()}
    assert not found.surely


@pytest.mark.parametrize(
    ("gone", "told"),
    [
        (range(4), []),
        (range(30), ["r.csv: 30 of its 40 Tweets are unavailable, and of these 26 of 30 IDs look rounded"]),
        (range(39), ["r.csv: 39 of its 40 Tweets are unavailable, and of these 26 of 39 IDs look rounded"]),
        (range(30, 40), []),
    ],
)
def test_unavailable_tweets_of_a_file_are_doubted_where_they_are_rounded(gone, told):
    ids = made(40, 4, sequences=ANY)
    ids[4:30] = map(ROUNDINGS["spreadsheet"], ids[4:30])
    lines = suspects({"r.csv": np.array(ids, np.int64)}, {ids[place] for place in gone})
    assert [line.partition(", as by")[0] for line in lines] == told


def test_a_file_that_is_unavailable_as_a_whole_is_doubted_whatever_its_ids():
    ids = made(6, 4, sequences=ANY)
    (line,) = suspects({"r.csv": np.array(ids, np.int64)}, ids)
    assert line.startswith("r.csv: 6 of its 6 Tweets are unavailable, and so many are seldom deleted")
    assert suspects({"r.csv": np.array(ids[:4], np.int64)}, ids) == []
