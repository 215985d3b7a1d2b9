"""What the tests of the explorer share: the lake with a case of each trap, and a server on a free port."""

import pytest
from explorers import WHOLE, served

from engagement_pipeline.explore.choices import choices
from engagement_pipeline.explore.figures import figures
from engagement_pipeline.explore.view import view


@pytest.fixture(scope="session")
def address(trapped):
    """Where the explorer of that lake answers."""
    with served(trapped) as found:
        yield found


@pytest.fixture(scope="session")
def known(trapped):
    """What that lake can be asked for."""
    return choices(trapped)


@pytest.fixture(scope="session")
def looked(trapped, known):
    """Return a function that gives the figures of a view, each asked for once."""
    found = {}

    def look(**query):
        seen = view(WHOLE | query, known)
        if seen not in found:
            found[seen] = figures(trapped, seen)
        return found[seen]

    return look
