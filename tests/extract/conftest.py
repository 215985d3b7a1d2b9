"""A folder of a roster's files."""

import pytest
from rosters import HANDLES, write

from engagement_pipeline.extract import roster


@pytest.fixture
def folder(tmp_path):
    """Return a function that writes files by name and loads them all, or another pattern."""

    def load(files, *, pattern="*", **options):
        for name, content in files.items():
            write(tmp_path / name, content)
        return roster.load(str(tmp_path / pattern), handles=HANDLES, **options)

    load.path = tmp_path
    return load
