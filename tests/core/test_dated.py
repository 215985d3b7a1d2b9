"""Which names of files are of days, months and moments that there are."""

from fnmatch import fnmatchcase

import pytest

from engagement_pipeline.core.dated import A_DAY, A_MONTH, A_STAMP, is_real

REAL = [
    "daily/2026-12.parquet",
    "day=2024-02-29",
    "2026-01-01_2026-01-28",
    "20260131T235959.999999Z",
    "harbor-17-x.zst",
]
UNREAL = [
    *("daily/2026-13.parquet", "daily/2026-00.parquet", "9999-99.parquet"),
    *("day=2026-02-29/a", "day=2026-04-31", "day=2026-01-00", "2026-01-01_2026-02-30", "0000-01-01"),
    *("20261301T000000.000000Z", "20260101T240000.000000Z", "ann-1-20260230T000000.000000Z.json.zst"),
]


@pytest.mark.parametrize("name", REAL)
def test_a_name_with_real_days_or_none_is_real(name):
    assert is_real(name)


@pytest.mark.parametrize("name", UNREAL)
def test_a_name_with_a_day_or_moment_that_there_is_not_is_not_real(name):
    assert not is_real(name)


@pytest.mark.parametrize(
    ("glob", "name"), [(A_MONTH, "2026-12"), (A_DAY, "2026-10-31"), (A_STAMP, "20260131T235959.999999Z")]
)
def test_each_glob_fits_whole_names_alone(glob, name):
    assert fnmatchcase(name, glob)
    assert not any(fnmatchcase(other, glob) for other in (f"{name} (1)", f" {name}", f"{name}~", f".{name}"))
