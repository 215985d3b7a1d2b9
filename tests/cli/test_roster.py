"""The commands that write the roster, as somebody types them."""

import pytest
from archives import archive, tweet

ACCOUNTS = """[app]
consumer_key = "k"
consumer_secret = "s"

[accounts.harborbooks]
access_token = "1-t"
access_token_secret = "s"
"""


@pytest.fixture
def files(folder):
    """A folder with an accounts file, in which the roster is data/tweets."""
    (folder / "accounts.toml").write_text(ACCOUNTS, encoding="utf-8")
    (folder / "accounts.toml").chmod(0o600)
    return folder


def test_an_archive_is_taken_into_the_folder_of_the_roster(files, engagement):
    archive(files / "a.zip", tweet(1), tweet(2))
    code, out, errors = engagement("roster", "import", "a.zip")
    assert (code, errors) == (0, [])
    assert out == f"harborbooks: 2 new Tweets; 2 Tweets in {files}/data/tweets/harborbooks.synced.csv\n"
    assert engagement("roster", "import", "a.zip")[1].startswith("harborbooks: no new Tweet; 2 Tweets")


def test_a_file_that_is_no_archive_is_one_line(files, failed):
    (files / "a.zip").write_text("x", encoding="utf-8")
    code, line = failed("roster", "import", "a.zip")
    assert code == 2
    assert line.startswith("a.zip is not a whole zip")


def test_roster_alone_is_wrong_use(files, failed):
    code, line = failed("roster")
    assert code == 2
    assert line.endswith("see engagement roster --help")
