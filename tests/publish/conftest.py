"""What the tests of this room share: no catalogue is written, since its views would take most of their time."""

import pytest

from engagement_pipeline.query import catalog


@pytest.fixture(autouse=True, scope="module")
def no_catalogue():
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(catalog, "refresh", lambda lake: lake.catalog)
        yield
