"""What the tests of this room share: no catalogue is written, since its views would take most of their time."""

import pytest

from engagement_pipeline.query import catalog

WRITE = catalog.write


@pytest.fixture(autouse=True, scope="module")
def no_catalogue():
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in ("refresh", "write"):
            monkeypatch.setattr(catalog, name, lambda lake, **_: lake.catalog)
        yield


@pytest.fixture
def with_catalogue(monkeypatch):
    """Have a rebuild write the catalogue after all."""
    monkeypatch.setattr(catalog, "write", WRITE)
