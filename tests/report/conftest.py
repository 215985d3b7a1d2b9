"""What the tests of the report share."""

from datetime import date

import pytest

from engagement_pipeline.report.figures import Month, figures

JANUARY = Month(first=date(2026, 1, 1))


@pytest.fixture(scope="session")
def of_ann(trapped):
    """Ann's January: her token was revoked for a day, and a Tweet was never asked for."""
    return figures(trapped, "ann", JANUARY)


@pytest.fixture(scope="session")
def of_bob(trapped):
    """Bob's January: one of his Tweets was deleted."""
    return figures(trapped, "bob", JANUARY)
