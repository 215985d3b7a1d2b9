"""The sources for which a test of a lake is run, one after another, where it asks for `each_source`.

tests/conftest.py hands them out: of a test's cases, the one in the middle is run for further sources by `make test`,
and all others by `make test-faults`.
"""

import pytest

SOURCES = ("engagement", "x_api_v2")  # each fills a lake of its own
# A test that takes long: further sources have it by `make test-faults` alone.
LONG = pytest.mark.parametrize(
    "each_source",
    [SOURCES[0], *(pytest.param(each, marks=pytest.mark.faults) for each in SOURCES[1:])],
    scope="session",
)
