"""What the tests of this room share: no marts in the catalogue, but in modules with the mark `marts`."""

import pytest
from views import without_marts


@pytest.fixture(autouse=True, scope="module")
def tables_alone(request):
    if request.node.get_closest_marker("marts"):
        yield
    else:
        with without_marts():
            yield
