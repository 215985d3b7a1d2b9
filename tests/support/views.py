"""The catalogue in tests that ask the tables alone: the marts take most of the time in which it is written."""

from contextlib import contextmanager

import pytest

from engagement_pipeline.query import catalog, seal, stored


@contextmanager
def without_marts():
    """Have a catalogue hold the views of the tables and no marts."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for module in (catalog, seal, stored):
            for name in ("all_views", "all_macros"):
                monkeypatch.setattr(module, name, tuple, raising=False)
        yield
